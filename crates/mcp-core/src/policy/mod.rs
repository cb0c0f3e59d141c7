//! What a caller may do: scopes per resource, per JSON-RPC method, per tool, resource and prompt.
//!
//! Decided from the *body*, because that is what the server behind will act on. `Mcp-Method` and `Mcp-Name` headers are
//! compared with it and may only refuse (spec TR-13).
//!
//! ```
//! use mcp_core::policy::{Item, Policy};
//! use mcp_core::{Identity, Scopes};
//!
//! let policy = Policy::new()
//!     .require("mcp")                       // for anything at all
//!     .tool("delete_all", "admin")          // for one tool
//!     .allow_anonymous_tool("search")       // without signing in
//!     .implies(|held, needed| held.as_str() == "admin" && needed.as_str() == "mcp");
//!
//! let user = Identity::new("https://idp.example.com", "1").scopes(Scopes::from("mcp")).build();
//! let admin = Identity::new("https://idp.example.com", "2").scopes(Scopes::from("admin")).build();
//! assert!(!policy.visible(&user, Item::Tool("delete_all")));
//! assert!(policy.visible(&admin, Item::Tool("delete_all")));
//! ```

mod decide;
mod few;
mod message;
mod resources;
mod rules;
mod steps;
mod uri;

pub(crate) use decide::{Asked, Refusal};
pub(crate) use message::{Contradiction, parse};
pub use rules::{ChallengeForm, Item, Policy};
