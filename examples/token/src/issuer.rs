//! Whose tokens are accepted.

use mcp_auth_jwt::{JwtAuthenticator, Keys, TokenProfile};
use mcp_auth_testkit::TokenAuthority;
use mcp_core::{ConfigError, SecretKey};
use mcp_outbound::OutboundClient;

use crate::settings::{list, read};

/// The authenticator that the environment describes; without a word there, that of an authority of our own.
pub(crate) async fn from_env() -> Result<(JwtAuthenticator, Option<TokenAuthority>), ConfigError> {
    let issuer = read("JWT_ISSUER");
    let keys = (read("JWT_SECRET"), read("JWT_PUBLIC_KEY_FILE"), read("JWT_JWKS_URL"));
    let tokens = match (issuer, keys) {
        (None, (None, None, None)) if read("JWT_AUDIENCE").is_some() => {
            return Err(ConfigError::new(
                "JWT_AUDIENCE is set and JWT_ISSUER is not: set it, too, or unset both to try the demo authority",
            ));
        }
        (None, (None, None, None)) => {
            let authority = TokenAuthority::start().await.map_err(|error| {
                ConfigError::new("the demo authority found no free port on 127.0.0.1").because(error)
            })?;
            let tokens = JwtAuthenticator::issuer(authority.issuer()).http_client(local()?);
            return Ok((tokens, Some(authority)));
        }
        (None, _) => {
            return Err(ConfigError::new(
                "JWT_ISSUER is not set: set it to the `iss` of the tokens, so that no other issuer's are taken for them",
            ));
        }
        (Some(issuer), (None, None, None)) => reaching(&issuer.clone(), JwtAuthenticator::issuer(issuer))?,
        (Some(issuer), (Some(secret), None, None)) => {
            let keys = Keys::shared_secret(SecretKey::new(secret)?);
            JwtAuthenticator::keys(issuer, keys).profile(TokenProfile::Untyped)
        }
        (Some(issuer), (None, Some(file), None)) => {
            let pem = std::fs::read_to_string(&file).map_err(|error| {
                ConfigError::new(format!("JWT_PUBLIC_KEY_FILE is {file:?}, which cannot be read"))
                    .because(error)
            })?;
            JwtAuthenticator::keys(issuer, Keys::pem(pem)?)
        }
        (Some(issuer), (None, None, Some(url))) => {
            reaching(&url.clone(), JwtAuthenticator::jwks_url(issuer, url))?
        }
        (Some(_), _) => {
            return Err(ConfigError::new(
                "the keys are said twice: set one of JWT_SECRET, JWT_PUBLIC_KEY_FILE and JWT_JWKS_URL, or none of them \
                 to find them by discovery",
            ));
        }
    };
    let audiences = list(&read("JWT_AUDIENCE").unwrap_or_default());
    Ok((audiences.into_iter().fold(tokens, JwtAuthenticator::audience), None))
}

/// Lets an authenticator fetch keys from this machine if that is where they are: an issuer under development.
fn reaching(url: &str, tokens: JwtAuthenticator) -> Result<JwtAuthenticator, ConfigError> {
    if url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:") {
        Ok(tokens.http_client(local()?))
    } else {
        Ok(tokens)
    }
}

fn local() -> Result<OutboundClient, ConfigError> {
    let client = OutboundClient::builder().dangerous().allow_loopback().build();
    client.map_err(|error| ConfigError::new("no HTTP client can be made").because(error))
}
