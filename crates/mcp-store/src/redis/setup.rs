//! Where Redis is, and how it is reached.

use std::fmt;
use std::time::Duration;

use mcp_core::ConfigError;
use redis::cluster::ClusterClient;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use super::link::Link;
use super::nodes::Nodes;
use super::single::Single;

/// What is known before anything is connected.
pub(super) struct Setup {
    nodes: Vec<ConnectionInfo>,
    cluster: bool,
    timeout: Duration,
    root: Option<Vec<u8>>,
}

impl Setup {
    pub(super) fn new(
        urls: impl IntoIterator<Item = impl AsRef<str>>,
        cluster: bool,
    ) -> Result<Self, ConfigError> {
        let nodes = urls.into_iter().map(|url| node(url.as_ref())).collect::<Result<Vec<_>, _>>()?;
        if nodes.is_empty() {
            return Err(ConfigError::new("a Redis cluster needs the URL of at least one of its nodes"));
        }
        Ok(Self { nodes, cluster, timeout: Duration::from_secs(2), root: None })
    }

    pub(super) fn timeout(&mut self, timeout: Duration) -> Result<(), ConfigError> {
        if !(Duration::from_millis(50)..=Duration::from_secs(10)).contains(&timeout) {
            return Err(ConfigError::new("the timeout of Redis must be from 50 ms to 10 s"));
        }
        self.timeout = timeout;
        Ok(())
    }

    pub(super) fn root_certificate(&mut self, pem: &[u8]) {
        self.root = Some(pem.to_vec());
    }

    /// The way there; nothing is connected yet.
    pub(super) fn link(&self) -> Result<Link, ConfigError> {
        if self.nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. })) {
            choose_provider();
        }
        let certificates =
            self.root.clone().map(|root| TlsCertificates { client_tls: None, root_cert: Some(root) });
        if self.cluster {
            let mut builder = ClusterClient::builder(self.nodes.clone())
                .connection_timeout(self.timeout)
                .response_timeout(self.timeout)
                // Often enough to follow a slot that moved, and no oftener.
                .retries(3);
            if let Some(certificates) = certificates {
                builder = builder.certs(certificates);
            }
            let client = builder.build().map_err(|_| {
                ConfigError::new(
                    "the URLs do not belong to one Redis cluster: user, password and TLS must be the same in all, the \
                     database must be 0, and a certificate must be PEM",
                )
            })?;
            return Ok(Link::Cluster(Nodes::new(client, self.timeout)));
        }
        let node = self.nodes.first().cloned().ok_or_else(unreadable)?;
        let client = match certificates {
            None => Client::open(node).map_err(|_| unreadable())?,
            Some(certificates) => Client::build_with_tls(node, certificates).map_err(|_| {
                ConfigError::new("a root certificate for Redis must be PEM and needs a URL with rediss://")
            })?,
        };
        Ok(Link::Single(Single::new(client, self.timeout)))
    }
}

/// The address, never the credentials.
impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes.iter().map(|node| node.addr().to_string())).finish()
    }
}

fn node(url: &str) -> Result<ConnectionInfo, ConfigError> {
    let node = url.into_connection_info().map_err(|_| unreadable())?;
    if matches!(node.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        return Err(ConfigError::new(
            "the Redis URL asks for TLS without checking certificates: take #insecure away and name the authority with \
             with_root_certificate",
        ));
    }
    Ok(node)
}

// Says nothing of the text: there may be a password in it.
fn unreadable() -> ConfigError {
    ConfigError::new(
        "the Redis URL cannot be read: write redis://user:password@host:port/database, or rediss:// for TLS",
    )
}

/// rustls panics in `redis` when a program contains two cryptographic providers and has not chosen one.
fn choose_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may be faster, and then has chosen.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_shown() {
        let setup = Setup::new(["redis://mcp:hunter2@redis.example.com:6380/3"], false).unwrap();
        assert_eq!(format!("{setup:?}"), r#"["redis.example.com:6380"]"#);
        let error = Setup::new(["http://mcp:hunter2@redis.example.com"], false).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn certificates_are_always_checked() {
        assert!(Setup::new(["rediss://redis.example.com:6380/#insecure"], false).is_err());
        assert!(Setup::new(["rediss://redis.example.com:6380"], false).unwrap().link().is_ok());
    }

    #[test]
    fn a_cluster_has_nodes_with_the_same_credentials() {
        assert!(Setup::new(Vec::<String>::new(), true).is_err());
        let nodes = ["redis://:a@10.0.0.1", "redis://:b@10.0.0.2"];
        assert!(Setup::new(nodes, true).unwrap().link().is_err());
    }

    #[test]
    fn a_timeout_is_short_enough_to_find_out_about_an_attempt() {
        let mut setup = Setup::new(["redis://redis.example.com"], false).unwrap();
        assert!(setup.timeout(Duration::from_secs(11)).is_err());
        assert!(setup.timeout(Duration::from_secs(1)).is_ok());
    }
}
