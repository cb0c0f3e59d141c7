//! Reading what a client posted: of the right type, not too much of it.

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use mcp_core::Body;

use crate::wire::{OAuthError, Params, TOO_LONG};

/// The most bytes a form may have: an assertion, a token and a few short values.
pub(crate) const MAX_FORM: usize = 64 * 1024;

/// The whole body, if it is not larger than `most`.
///
/// # Errors
/// 413 when it is; 400 when it breaks off.
pub(crate) async fn read(body: Body, most: usize) -> Result<Vec<u8>, OAuthError> {
    match Limited::new(body, most).collect().await {
        Ok(whole) => Ok(whole.to_bytes().to_vec()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(OAuthError::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the body is too large"))
        }
        Err(_) => Err(OAuthError::invalid_request("the body broke off")),
    }
}

/// The parameters of a posted form; those of the URL do not count (attack AC16).
///
/// # Errors
/// When it is no form or too large (413), or a parameter stands there twice.
pub(crate) async fn read_form(request: Request<Body>) -> Result<(Parts, Params), OAuthError> {
    let (head, body) = request.into_parts();
    let params = read_params(&head, body).await?;
    Ok((head, params))
}

/// The same, with the head apart: for those that go on without parameters.
///
/// # Errors
/// As [`read_form`].
pub(crate) async fn read_params(head: &Parts, body: Body) -> Result<Params, OAuthError> {
    if !is_type(head, "application/x-www-form-urlencoded") {
        return Err(OAuthError::invalid_request("the body must be application/x-www-form-urlencoded"));
    }
    let bytes = read(body, MAX_FORM).await?;
    let params = Params::parse(&bytes).map_err(|why| match why {
        TOO_LONG => OAuthError::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", TOO_LONG),
        _ => OAuthError::invalid_request(why),
    })?;
    if params.is_any_repeated() {
        return Err(OAuthError::invalid_request("a parameter stands there twice"));
    }
    Ok(params)
}

/// Whether there is one content type, and this one, with or without parameters behind it. A compressed body is none.
pub(crate) fn is_type(head: &Parts, wanted: &str) -> bool {
    let mut values = head.headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let value = value.to_str().unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(wanted) && !head.headers.contains_key(http::header::CONTENT_ENCODING)
}
