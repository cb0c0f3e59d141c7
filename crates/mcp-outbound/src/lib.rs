#![cfg_attr(docsrs, feature(doc_cfg))]
//! The one door of an MCP server to other hosts: an HTTP client trait with an SSRF-safe adapter.
//!
//! Key sets, token introspection, client metadata documents and upstream tokens are fetched from URLs that strangers
//! have a say in. A client that simply fetched them would read cloud credentials and talk to databases on their behalf
//! (server-side request forgery). So every crate of this family fetches through the [`HttpClient`] trait, and
//! `OutboundClient`, its adapter on reqwest and rustls, does with each request what follows:
//!
//! | | |
//! |---|---|
//! | scheme | https; http only to loopback and only when loopback was opened |
//! | addresses | nothing but public ones ([`special_use`] lists the rest); checked at connect time, and the connection goes to the address that was checked |
//! | names | one look-up per connection; one forbidden address in the answer refuses the request; `localhost` is never looked up |
//! | literals | `https://0x7f.1`, `https://2130706433` and `https://[::ffff:127.0.0.1]` are the addresses they mean |
//! | redirects | returned, never followed |
//! | size | body 1 MiB (counted as it comes in), headers 100 and 32 KiB; [`Limits`] per request |
//! | time | 10 s for the whole exchange, 5 s of it to connect |
//! | connections | 64 exchanges at a time; at most 32 hosts keep up to 8 idle connections for 15 s; HTTP/1.1 |
//! | never | proxies from the environment, cookies, decompression, credentials from the URL, `Referer`, retries of its own |
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "reqwest")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bytes::Bytes;
//! use http::Request;
//! use mcp_outbound::{HttpClient, OutboundClient};
//!
//! let client = OutboundClient::new()?;
//! for url in ["https://10.0.0.1/jwks", "https://localhost/jwks", "http://idp.example.com/jwks", "https://0x7f.1/"] {
//!     let error = client.execute(Request::get(url).body(Bytes::new())?).await.unwrap_err();
//!     assert!(error.is_blocked(), "{url}");
//! }
//!
//! // An issuer on your own network is opened by name, at one place.
//! let client = OutboundClient::builder().dangerous().allow_addresses(["10.20.0.0/16"]).build()?;
//! let outside = Request::get("https://10.21.0.1/jwks").body(Bytes::new())?;
//! assert!(client.execute(outside).await.unwrap_err().is_blocked());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "reqwest"))]
//! # fn main() {}
//! ```
//!
//! # What it cannot do
//!
//! - A public address whose host forwards to your network is public. Firewalls remain useful.
//! - A NAT64 prefix of your own network cannot be told from public addresses: give it to
//!   `OutboundClientBuilder::refuse_addresses`.
//! - Behind a mandatory egress proxy the proxy resolves names, so the check belongs there: implement [`HttpClient`] on a
//!   client that speaks to it.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `reqwest` | yes | `OutboundClient`, `Resolve`, `SystemResolver`; reqwest, rustls, aws-lc-rs, tokio |

mod address;
mod client;
mod error;
mod limits;
#[cfg(feature = "reqwest")]
mod outbound;

pub use self::address::{SpecialUse, is_public, special_use};
pub use self::client::HttpClient;
pub use self::error::OutboundError;
pub use self::limits::Limits;
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use self::outbound::{
    Dangerous, OutboundClient, OutboundClientBuilder, OutboundConfigError, Resolve, SystemResolver,
};
