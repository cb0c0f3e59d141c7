//! The caller as an extractor of axum handlers.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response as AxumResponse};
use http::StatusCode;
use http::request::Parts;

use crate::{FromIdentity, Identity, Site};

/// The caller of an axum handler behind a [`Site`] or an [`AuthLayer`](crate::AuthLayer): the [`Identity`] itself or what
/// its props hold. `Option<Caller<T>>` is `None` for callers who did not sign in.
///
/// ```
/// use mcp_core::{Caller, Identity};
///
/// async fn whoami(Caller(identity): Caller<Identity>) -> String {
///     identity.subject().to_string()
/// }
/// let _router: axum::Router = axum::Router::new().route("/whoami", axum::routing::get(whoami));
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is taken apart in the argument list of handlers")]
pub struct Caller<T = Identity>(pub T);

/// Why there is no caller: the handler does not stand behind authentication, nobody signed in, or the props are of
/// another shape. An error of the server's set-up (500), but for the caller who did not sign in (401).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CallerRejection {
    /// No layer of this crate stands before the handler.
    Unguarded,
    /// The call is open to everybody and this caller did not sign in.
    Anonymous,
    /// The props do not have the shape the handler wants.
    Shape,
}

impl IntoResponse for CallerRejection {
    fn into_response(self) -> AxumResponse {
        match self {
            Self::Anonymous => (StatusCode::UNAUTHORIZED, "sign in to use this").into_response(),
            Self::Unguarded | Self::Shape => {
                tracing::error!(reason = ?self, "a handler could not be told its caller");
                (StatusCode::INTERNAL_SERVER_ERROR, "the server is set up wrongly").into_response()
            }
        }
    }
}

impl<S: Sync, T: FromIdentity> FromRequestParts<S> for Caller<T> {
    type Rejection = CallerRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, CallerRejection> {
        let identity = parts.extensions.get::<Identity>().ok_or(CallerRejection::Unguarded)?;
        if identity.is_anonymous() {
            return Err(CallerRejection::Anonymous);
        }
        T::from_identity(identity).map(Self).map_err(|_| CallerRejection::Shape)
    }
}

impl<S: Sync, T: FromIdentity> OptionalFromRequestParts<S> for Caller<T> {
    type Rejection = CallerRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, CallerRejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(caller) => Ok(Some(caller)),
            Err(CallerRejection::Anonymous) => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}

impl Site {
    /// This site as an axum router, to be served or merged with pages of your own.
    ///
    /// `NoAuth::new()` and limits per address want to know the peer: serve it so that each request carries a
    /// [`Connection`](crate::Connection).
    pub fn into_router(self) -> axum::Router {
        axum::Router::new().fallback_service(self)
    }
}
