//! Where PostgreSQL is, and how it is reached.

use std::fmt;
use std::fs;
use std::time::Duration;

use mcp_core::ConfigError;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use url::form_urlencoded;

use super::tls;

/// What is known before anything is connected.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) schema: String,
    pub(super) timeout: Duration,
    pub(super) connections: usize,
    pub(super) root: Option<Vec<u8>>,
}

impl Setup {
    pub(super) fn new(url: &str) -> Result<Self, ConfigError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(unreadable());
        }
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut mode = None;
        let mut root = None;
        let mut others = form_urlencoded::Serializer::new(String::new());
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                // The driver knows other modes and no file.
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => root = Some(read_roots(&value)?),
                _ => {
                    others.append_pair(&key, &value);
                }
            }
        }
        let others = others.finish();
        // The driver does not read a plus as a space.
        let others = others.replace('+', "%20");
        let mut config: Config = format!("{address}?{others}").parse().map_err(|_| unreadable())?;
        config.ssl_mode(choose(mode.as_deref(), &config)?);
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            // Of several hosts the one that takes writes, wherever it is after a failover.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_application_name().is_none() {
            config.application_name("mcp-store");
        }
        config.keepalives_idle(Duration::from_secs(30));
        Ok(Self { config, schema: "mcp".to_owned(), timeout: Duration::from_secs(2), connections: 16, root })
    }

    pub(super) fn schema(&mut self, schema: &str) -> Result<(), ConfigError> {
        let fits = schema.len() <= 63
            && schema.starts_with(|first: char| first.is_ascii_lowercase())
            && schema.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && !schema.starts_with("pg_");
        if !fits {
            return Err(ConfigError::new(
                "the PostgreSQL schema must have 1 to 63 small letters, digits and _, begin with a letter and not with pg_",
            ));
        }
        schema.clone_into(&mut self.schema);
        Ok(())
    }

    pub(super) fn timeout(&mut self, timeout: Duration) -> Result<(), ConfigError> {
        if !(Duration::from_millis(50)..=Duration::from_secs(10)).contains(&timeout) {
            return Err(ConfigError::new("the timeout of PostgreSQL must be from 50 ms to 10 s"));
        }
        self.timeout = timeout;
        Ok(())
    }

    pub(super) fn connections(&mut self, most: usize) -> Result<(), ConfigError> {
        if !(1..=1000).contains(&most) {
            return Err(ConfigError::new("there must be from 1 to 1000 connections to PostgreSQL"));
        }
        self.connections = most;
        Ok(())
    }

    pub(super) fn root_certificate(&mut self, pem: &[u8]) -> Result<(), ConfigError> {
        tls::roots(pem)?;
        self.root = Some(pem.to_vec());
        Ok(())
    }
}

/// The address, never the credentials.
impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("hosts", &self.config.get_hosts())
            .field("ports", &self.config.get_ports())
            .field("database", &self.config.get_dbname())
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

fn choose(mode: Option<&str>, config: &Config) -> Result<SslMode, ConfigError> {
    match mode {
        None if config.get_hosts().iter().all(is_here)
            && config.get_hostaddrs().iter().all(|it| it.is_loopback()) =>
        {
            Ok(SslMode::Disable)
        }
        None | Some("require" | "verify-full") => Ok(SslMode::Require),
        Some("prefer") => Ok(SslMode::Prefer),
        Some("disable") => Ok(SslMode::Disable),
        Some(_) => Err(ConfigError::new(
            "sslmode in the PostgreSQL URL must be verify-full, require, prefer or disable: a certificate is always checked \
             for its host",
        )),
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn read_roots(file: &str) -> Result<Vec<u8>, ConfigError> {
    let pem = fs::read(file)
        .map_err(|error| ConfigError::new("the file of sslrootcert cannot be read").because(error))?;
    tls::roots(&pem)?;
    Ok(pem)
}

// Says nothing of the text: there may be a password in it.
fn unreadable() -> ConfigError {
    ConfigError::new(
        "the PostgreSQL URL cannot be read: write postgres://user:password@host:port/database, and encode other characters \
         in the password as %XX",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Setup::new(url).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn certificates_are_checked_unless_the_server_is_here() {
        for url in [
            "postgres://db.example.com/mcp",
            "postgres://10.0.0.1/mcp",
            "postgres://localhost,db.example.com/mcp",
        ] {
            assert_eq!(mode(url), SslMode::Require, "{url}");
        }
        for url in
            ["postgres://localhost/mcp", "postgres://127.0.0.1/mcp", "postgres://%2Frun%2Fpostgresql/mcp"]
        {
            assert_eq!(mode(url), SslMode::Disable, "{url}");
        }
        assert_eq!(mode("postgres://127.0.0.1/mcp?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://127.0.0.1/mcp?hostaddr=10.0.0.1"), SslMode::Require);
        assert_eq!(mode("postgres://db.example.com/mcp?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://db.example.com/mcp?sslmode=prefer"), SslMode::Prefer);
        for weak in ["verify-ca", "allow", "no"] {
            assert!(Setup::new(&format!("postgres://db.example.com/mcp?sslmode={weak}")).is_err(), "{weak}");
        }
    }

    #[test]
    fn other_parameters_reach_the_driver() {
        let url =
            "postgres://a@db.example.com/mcp?sslmode=require&application_name=two%20words&connect_timeout=3";
        let setup = Setup::new(url).unwrap();
        assert_eq!(setup.config.get_application_name(), Some("two words"));
        assert_eq!(setup.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    }

    #[test]
    fn no_credential_is_shown() {
        let setup = Setup::new("postgres://mcp:hunter2@db.example.com:5433/mcp").unwrap();
        assert!(!format!("{setup:?}").contains("hunter2"), "{setup:?}");
        for url in [
            "postgres://mcp:hunter2@db.example.com:port/mcp",
            "hunter2",
            "postgres://a:hunter2@h/?nonsense=1",
        ] {
            let error = Setup::new(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_schema_is_a_plain_name() {
        let mut setup = Setup::new("postgres://localhost/mcp").unwrap();
        for bad in ["", "a\"b", "A", "1a", "a b", "a.b", "pg_temp", "ä", &"a".repeat(64)] {
            assert!(setup.schema(bad).is_err(), "{bad}");
        }
        assert!(setup.schema("auth_2").is_ok());
    }
}
