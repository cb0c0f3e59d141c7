//! What the environment says.

use mcp_auth_provider::OwnerSignIn;
use mcp_core::PublicUrl;

use crate::store::StoreChoice;

/// How to serve, and for whom.
pub(crate) struct Settings {
    /// Address and port to listen on.
    pub(crate) bind: String,
    /// The URL clients use, without `/mcp`.
    pub(crate) public_url: String,
    /// The origins of web pages that may call.
    pub(crate) allow_origins: Vec<String>,
    /// Whether clients may be known by documents on this machine.
    pub(crate) loopback_fetch: bool,
    /// Who is let in.
    pub(crate) owner: OwnerSignIn,
    /// Where everything is kept.
    pub(crate) store: StoreChoice,
}

impl Settings {
    /// Reads what the table in the docs of the program names.
    pub(crate) fn from_env() -> Self {
        let bind = read("MCP_BIND").unwrap_or_else(|| "127.0.0.1:8000".to_owned());
        let public_url = read("MCP_PUBLIC_URL").unwrap_or_else(|| format!("http://{bind}"));
        let allow_origins = read("MCP_ALLOW_ORIGINS").unwrap_or_default();
        let owner = match read("OWNER_PASSWORD") {
            Some(password) => OwnerSignIn::with_password(password),
            None => OwnerSignIn::generated(tell),
        };
        Self {
            bind,
            public_url,
            allow_origins: list(&allow_origins),
            loopback_fetch: read("MCP_DANGEROUS_ALLOW_LOOPBACK_FETCH").is_some_and(|value| value == "1"),
            owner,
            store: StoreChoice::from_env(),
        }
    }
}

/// Shows the password that was made. It is not kept anywhere.
#[expect(clippy::print_stdout, reason = "the owner has to read it once")]
fn tell(password: &str) {
    println!("the owner's password, shown this once: {password}");
}

/// Tells whoever started the process that clients can come now.
#[expect(clippy::print_stdout, reason = "the line a starter waits for")]
pub(crate) fn announce(url: &PublicUrl) {
    println!("listening on {url}");
}

/// The parts of a comma-separated list.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "an example is configured by its environment")]
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
