//! The caller as an argument of tools, prompts and handler methods.
//!
//! ```
//! use mcp_auth_rmcp::{Caller, MaybeCaller};
//! use mcp_core::Identity;
//! use rmcp::{tool, tool_router};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct User {
//!     login: String,
//! }
//!
//! #[derive(Clone)]
//! struct Tools;
//!
//! #[tool_router]
//! impl Tools {
//!     #[tool(description = "Who is calling?")]
//!     async fn whoami(&self, Caller(user): Caller<User>) -> String {
//!         user.login
//!     }
//!
//!     #[tool(description = "Says hello to everybody.")]
//!     async fn hello(&self, MaybeCaller(caller): MaybeCaller<Identity>) -> String {
//!         match caller {
//!             Some(identity) => format!("Hello {}!", identity.subject()),
//!             None => "Hello!".to_owned(),
//!         }
//!     }
//! }
//! # assert_eq!(Tools::tool_router().list_all().len(), 2);
//! ```

use http::request::Parts;
use mcp_core::{FromIdentity, Identity};
use rmcp::RoleServer;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use rmcp::model::{ErrorCode, ErrorData, Extensions};
use rmcp::service::{NotificationContext, RequestContext};
use serde_json::json;

/// The code of the error a caller gets who must sign in to use a tool. Outside the range that JSON-RPC and MCP reserve
/// (spec TR-20).
pub const SIGN_IN_NEEDED: ErrorCode = ErrorCode(-31401);

/// The caller, as an argument: the [`Identity`] itself, or whatever type its props can be read as.
///
/// There is always somebody: a caller who did not sign in is refused with [`SIGN_IN_NEEDED`], and a handler that no
/// authenticator stands before refuses everybody. Where both kinds of callers are welcome, take a [`MaybeCaller`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is taken apart in the argument list of handlers")]
pub struct Caller<T = Identity>(pub T);

/// The caller, or `None` for one who did not sign in.
///
/// It stands for `Option<Caller<T>>`, which cannot be an argument of a tool: Rust lets only rmcp say what an `Option`
/// means there.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is taken apart in the argument list of handlers")]
pub struct MaybeCaller<T = Identity>(pub Option<T>);

impl<T: FromIdentity> Caller<T> {
    /// The caller of a request, for handler methods that are not written with a macro.
    ///
    /// # Errors
    /// When nobody is signed in, when no authenticator stands before the server, or when the identity's props do not
    /// have the shape of `T`.
    pub fn from_context(context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        Self::from_extensions(&context.extensions)
    }

    /// The sender of a notification.
    ///
    /// # Errors
    /// As [`from_context`](Self::from_context).
    pub fn from_notification(context: &NotificationContext<RoleServer>) -> Result<Self, ErrorData> {
        Self::from_extensions(&context.extensions)
    }

    fn from_extensions(extensions: &Extensions) -> Result<Self, ErrorData> {
        let MaybeCaller(caller) = MaybeCaller::from_extensions(extensions)?;
        caller.map(Self).ok_or_else(|| {
            let data = json!({ "reason": "sign_in_needed" });
            ErrorData::new(SIGN_IN_NEEDED, "sign in to use this", Some(data))
        })
    }
}

impl<T: FromIdentity> MaybeCaller<T> {
    /// The caller of a request, or `None` for one who did not sign in.
    ///
    /// # Errors
    /// When no authenticator stands before the server, or when the identity's props do not have the shape of `T`.
    pub fn from_context(context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        Self::from_extensions(&context.extensions)
    }

    fn from_extensions(extensions: &Extensions) -> Result<Self, ErrorData> {
        let identity = identity(extensions)?;
        if identity.is_anonymous() {
            return Ok(Self(None));
        }
        match T::from_identity(identity) {
            Ok(caller) => Ok(Self(Some(caller))),
            Err(error) => {
                // The message names a field of the operator's own type; what stood in it may be personal.
                tracing::error!(
                    wanted = std::any::type_name::<T>(),
                    line = error.line(),
                    "the caller's identity does not have the shape a handler wants"
                );
                Err(ErrorData::internal_error("the server does not know enough about the caller", None))
            }
        }
    }
}

/// The identity of a message. Every authenticated message has one, anonymous ones too.
pub(crate) fn identity(extensions: &Extensions) -> Result<&Identity, ErrorData> {
    extensions
        .get::<Parts>()
        .and_then(|head| head.extensions.get::<Identity>())
        .ok_or_else(|| {
            tracing::error!(
                "a handler wants its caller, and no authenticator stands before it: serve it with mcp_auth_rmcp::serve \
                 or behind mcp_core::AuthLayer"
            );
            ErrorData::internal_error("the server is set up wrongly: it cannot tell who is calling", None)
        })
}

impl<C: AsRequestContext, T: FromIdentity> FromContextPart<C> for Caller<T> {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Self::from_context(context.as_request_context())
    }
}

impl<C: AsRequestContext, T: FromIdentity> FromContextPart<C> for MaybeCaller<T> {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Self::from_context(context.as_request_context())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extensions(identity: Option<Identity>) -> Extensions {
        let (mut head, ()) = http::Request::new(()).into_parts();
        if let Some(identity) = identity {
            head.extensions.insert(identity);
        }
        let mut extensions = Extensions::new();
        extensions.insert(head);
        extensions
    }

    fn ada() -> Identity {
        Identity::new("https://idp.example.com", "ada").props(json!({ "login": "ada" })).build()
    }

    #[derive(Debug, serde::Deserialize)]
    struct User {
        login: String,
    }

    #[test]
    fn a_signed_in_caller_is_given_as_any_type() {
        let signed_in = extensions(Some(ada()));
        let Caller(user) = Caller::<User>::from_extensions(&signed_in).unwrap();
        assert_eq!(user.login, "ada");
        let Caller(identity) = Caller::<Identity>::from_extensions(&signed_in).unwrap();
        assert_eq!(identity.subject().as_str(), "ada");
        let MaybeCaller(user) = MaybeCaller::<User>::from_extensions(&signed_in).unwrap();
        assert_eq!(user.unwrap().login, "ada");
    }

    #[test]
    fn an_anonymous_caller_is_nobody() {
        let anonymous = extensions(Some(Identity::anonymous()));
        let error = Caller::<Identity>::from_extensions(&anonymous).unwrap_err();
        assert_eq!(error.code, SIGN_IN_NEEDED);
        assert!(MaybeCaller::<User>::from_extensions(&anonymous).unwrap().0.is_none());
    }

    #[test]
    fn a_missing_identity_is_a_refusal_and_never_a_caller() {
        for extensions in [Extensions::new(), extensions(None)] {
            let error = Caller::<Identity>::from_extensions(&extensions).unwrap_err();
            assert_eq!(error.code, ErrorCode::INTERNAL_ERROR);
            // A type that can be made of nothing is not made of nothing.
            assert!(Caller::<serde_json::Value>::from_extensions(&extensions).is_err());
            assert!(MaybeCaller::<User>::from_extensions(&extensions).is_err());
        }
    }

    #[test]
    fn props_of_another_shape_are_no_caller() {
        let other = Identity::new("https://idp.example.com", "bob").build();
        let error = Caller::<User>::from_extensions(&extensions(Some(other))).unwrap_err();
        assert_eq!(error.code, ErrorCode::INTERNAL_ERROR);
        assert!(!error.message.contains("login"));
    }
}
