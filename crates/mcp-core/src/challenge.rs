//! The answer to a request that was not let through: status, challenge, body. Built here and nowhere else.
//!
//! RFC 6750 §3, RFC 9728 §5.1, RFC 9449 §7.1. What real clients need beside the grammar (spec AUTH-18): `Bearer` comes
//! first, every value is quoted, and nothing a peer sent is repeated.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response};

use crate::{AuthError, AuthErrorKind, Body, ProtectedResource, ResourceMetadata, Scopes};

/// What challenges of one resource have in common.
#[derive(Clone, Debug)]
pub(crate) struct Challenger {
    metadata_url: Option<String>,
    /// What a token needs before anything else is known of the call.
    scopes: Scopes,
    dpop_algorithms: Option<String>,
}

impl Challenger {
    pub(crate) fn new(resource: &ProtectedResource, metadata: &ResourceMetadata, required: &Scopes) -> Self {
        Self {
            metadata_url: (!metadata.open).then(|| resource.metadata_url().to_owned()),
            scopes: required.union(resource.scopes()).union(&metadata.scopes).for_challenge(),
            dpop_algorithms: (!metadata.dpop_algorithms.is_empty())
                .then(|| metadata.dpop_algorithms.join(" ")),
        }
    }

    /// The `Bearer` challenge, as it stands in the header and in `mcp/www_authenticate`.
    ///
    /// `needed` are the scopes of the call where they are known; otherwise those for basic use are named.
    pub(crate) fn bearer(&self, error: &AuthError, needed: &Scopes) -> String {
        let dpop_error = matches!(error.kind(), AuthErrorKind::InvalidProof | AuthErrorKind::ProofNonce(_));
        self.write("Bearer", error, needed, !dpop_error, "")
    }

    fn write(&self, scheme: &str, error: &AuthError, needed: &Scopes, say_error: bool, more: &str) -> String {
        let mut params: Vec<String> = Vec::with_capacity(5);
        let mut param = |name: &str, value: &str| params.push(format!("{name}=\"{}\"", quotable(value)));
        if say_error && let Some(code) = error.code() {
            param("error", code);
            if let Some(description) = error.description() {
                // The TypeScript client looks for `name=` wherever it stands: no description may look like a parameter.
                param("error_description", &description.replace('=', ""));
            }
        }
        let scopes = match error.kind() {
            AuthErrorKind::InsufficientScope(all) => all.for_challenge(),
            _ if needed.is_empty() => self.scopes.clone(),
            _ => needed.for_challenge(),
        };
        if !scopes.is_empty() {
            param("scope", &scopes.to_string());
        }
        if let Some(url) = &self.metadata_url {
            param("resource_metadata", url);
        }
        if !more.is_empty() {
            param("algs", more);
        }
        if params.is_empty() {
            // RFC 9110 §11.6.1 wants at least one parameter, OAuth 2.1 §5.3.1 too.
            params.push("realm=\"mcp\"".to_owned());
        }
        format!("{scheme} {}", params.join(", "))
    }

    /// The whole answer.
    pub(crate) fn refuse(&self, error: &AuthError, needed: &Scopes) -> Response<Body> {
        let mut response = Response::new(Body::from(json_body(error)));
        *response.status_mut() = error.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = error.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        let challenges = !matches!(
            error.kind(),
            AuthErrorKind::Forbidden | AuthErrorKind::TooMany(_) | AuthErrorKind::Unavailable(_)
        );
        if challenges {
            if let Ok(value) = HeaderValue::try_from(self.bearer(error, needed)) {
                headers.append(WWW_AUTHENTICATE, value);
            }
            if let Some(algorithms) = &self.dpop_algorithms {
                let line = self.write("DPoP", error, needed, true, algorithms);
                if let Ok(value) = HeaderValue::try_from(line) {
                    headers.append(WWW_AUTHENTICATE, value);
                }
            }
        }
        if let AuthErrorKind::ProofNonce(nonce) = error.kind()
            && let Ok(value) = HeaderValue::try_from(nonce)
        {
            headers.insert(HeaderName::from_static("dpop-nonce"), value);
        }
        response
    }
}

/// What the grammar of RFC 6750 §3 lets stand between quotes. The texts are our own and fit already; this keeps a slip
/// from becoming a split header.
fn quotable(value: &str) -> String {
    value.chars().filter(|c| matches!(c, ' '..='~') && *c != '"' && *c != '\\').collect()
}

fn json_body(error: &AuthError) -> String {
    // The challenge of a request without a credential names no error (RFC 6750 §3.1); a body without a word would help
    // nobody who reads it.
    if *error.kind() == AuthErrorKind::Missing {
        return r#"{"error":"unauthorized","error_description":"a credential is needed"}"#.to_owned();
    }
    let code = error.code().unwrap_or("access_denied");
    match error.description() {
        Some(description) => serde_json::json!({ "error": code, "error_description": description }),
        None => serde_json::json!({ "error": code }),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PublicUrl;

    fn challenger() -> Challenger {
        let site: PublicUrl = "https://mcp.example.com".parse().unwrap();
        let resource = ProtectedResource::new(&site, "/mcp").basic_scopes("files:read");
        Challenger::new(&resource, &ResourceMetadata::default(), &Scopes::none())
    }

    fn check(error: &AuthError, needed: &Scopes, expected: &str) {
        assert_eq!(challenger().bearer(error, needed), expected);
    }

    const URL: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

    // covers: AUTH-14, AUTH-21, RS11
    #[test]
    fn names_no_error_when_nothing_was_presented() {
        check(
            &AuthError::missing(),
            &Scopes::none(),
            &format!(r#"Bearer scope="files:read", resource_metadata="{URL}""#),
        );
    }

    // covers: AUTH-24, AUTH-26, RS14, AUTH-29
    #[test]
    fn names_every_scope_at_once_and_never_offline_access() {
        check(
            &AuthError::insufficient_scope(Scopes::from(["b", "a", "offline_access"])),
            &Scopes::none(),
            &format!(
                r#"Bearer error="insufficient_scope", error_description="the token lacks a scope that this call needs", scope="a b", resource_metadata="{URL}""#
            ),
        );
    }

    // covers: AUTH-16, RS18
    #[test]
    fn keeps_quotes_and_line_breaks_out_whatever_happens() {
        let line = challenger().bearer(&AuthError::invalid_token("a\"b\\c\r\nX: y"), &Scopes::none());
        assert!(line.contains(r#"error_description="abcX: y""#), "{line}");
    }

    // covers: AUTH-18
    #[test]
    fn describes_nothing_that_a_client_would_take_for_a_parameter() {
        let error = AuthError::invalid_token("scope=all, resource_metadata=https://evil.test error=none");
        let line = challenger().bearer(&error, &Scopes::none());
        assert!(line.starts_with(r#"Bearer error="invalid_token", "#), "{line}");
        for name in ["error", "scope", "resource_metadata"] {
            assert_eq!(line.matches(&format!("{name}=")).count(), 1, "{line}");
        }
    }

    #[test]
    fn says_when_to_come_back_and_does_not_challenge_when_we_cannot_tell() {
        let response = challenger()
            .refuse(&AuthError::unavailable(std::time::Duration::from_millis(200)), &Scopes::none());
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    }

    // covers: AUTH-17, EXT-DP-05
    #[test]
    fn puts_bearer_first_and_the_proof_error_on_the_line_of_its_scheme() {
        let site: PublicUrl = "https://mcp.example.com".parse().unwrap();
        let resource = ProtectedResource::new(&site, "/mcp");
        let metadata = ResourceMetadata { dpop_algorithms: vec!["ES256".to_owned()], ..Default::default() };
        let challenger = Challenger::new(&resource, &metadata, &Scopes::none());
        let response = challenger.refuse(&AuthError::proof_nonce("n1"), &Scopes::none());
        let lines: Vec<_> =
            response.headers().get_all(WWW_AUTHENTICATE).iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], format!(r#"Bearer resource_metadata="{URL}""#));
        assert!(lines[1].starts_with(r#"DPoP error="use_dpop_nonce""#), "{}", lines[1]);
        assert!(lines[1].ends_with(r#"algs="ES256""#), "{}", lines[1]);
        assert_eq!(response.headers()["dpop-nonce"], "n1");
    }
}
