//! From an issuer's name to the URL of its keys (RFC 8414 §3, OpenID Connect Discovery §4).

use mcp_core::{ConfigError, Issuer};
use serde_json::Value;

/// Where metadata may be, in the order of spec AUTH-47.
///
/// # Errors
/// When the issuer is no URL that could have metadata (RFC 8414 §2).
pub(crate) fn locations(issuer: &Issuer) -> Result<Vec<String>, ConfigError> {
    let name = issuer.as_str();
    let wrong = |what: &str| Err(ConfigError::new(format!("the issuer {name:?} {what}")));
    let Ok(url) = name.parse::<http::Uri>() else {
        return wrong("is no URL: write it like https://idp.example.com, as its tokens have it in iss");
    };
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return wrong(
            "is no absolute URL: write it like https://idp.example.com, as its tokens have it in iss",
        );
    };
    if scheme != "https" && !(scheme == "http" && is_loopback(authority.host())) {
        return wrong(
            "is not https, and whoever is on the way could put keys of their own in: write its https URL",
        );
    }
    if url.query().is_some() || name.contains('#') || authority.as_str().contains('@') {
        return wrong("has a query, a fragment or a user, which no issuer may have (RFC 8414)");
    }
    let origin = format!("{scheme}://{authority}");
    let path = url.path().trim_end_matches('/');
    let oauth = format!("{origin}/.well-known/oauth-authorization-server{path}");
    let oidc = format!("{origin}/.well-known/openid-configuration{path}");
    Ok(if path.is_empty() {
        vec![oauth, oidc]
    } else {
        vec![oauth, oidc, format!("{origin}{path}/.well-known/openid-configuration")]
    })
}

/// The `jwks_uri` of a metadata document that is this issuer's own.
///
/// # Errors
/// What is wrong with the document, as the end of a sentence.
pub(crate) fn keys_url(document: &[u8], issuer: &Issuer) -> Result<String, String> {
    let Ok(Value::Object(metadata)) = serde_json::from_slice(document) else {
        return Err("is no JSON object".into());
    };
    // RFC 8414 §3.3: identical, or not to be used.
    match metadata.get("issuer") {
        Some(Value::String(name)) if name == issuer.as_str() => {}
        Some(Value::String(name)) => {
            let name: String = name.chars().take(200).collect();
            return Err(format!("is of the issuer {name:?}, which is not the same text"));
        }
        _ => return Err("names no issuer".into()),
    }
    match metadata.get("jwks_uri") {
        Some(Value::String(url)) if is_guarded(url) => Ok(url.clone()),
        Some(Value::String(url)) => {
            let url: String = url.chars().take(200).collect();
            Err(format!("has a jwks_uri that is not https, {url:?}: whoever is on the way could put keys in"))
        }
        _ => Err("has no jwks_uri".into()),
    }
}

/// Whether keys from this URL are the issuer's own: nobody on the way could change them. Whether it may be reached at all
/// is for the client to say, of which there are others than ours.
pub(crate) fn is_guarded(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    match (url.scheme_str(), url.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: AUTH-47
    #[test]
    fn locations_are_asked_in_the_order_of_the_specification() {
        assert_eq!(
            locations(&Issuer::new("https://a.example/t1")).unwrap(),
            [
                "https://a.example/.well-known/oauth-authorization-server/t1",
                "https://a.example/.well-known/openid-configuration/t1",
                "https://a.example/t1/.well-known/openid-configuration",
            ]
        );
        let root = [
            "https://a.example:8443/.well-known/oauth-authorization-server",
            "https://a.example:8443/.well-known/openid-configuration",
        ];
        assert_eq!(locations(&Issuer::new("https://a.example:8443")).unwrap(), root);
        assert_eq!(locations(&Issuer::new("https://a.example:8443/")).unwrap(), root);
        assert!(locations(&Issuer::new("http://127.0.0.1:9000")).is_ok());
    }

    #[test]
    fn an_issuer_is_an_https_url_without_frills() {
        for name in [
            "http://idp.example.com",
            "http://localhost.example.com",
            "idp.example.com",
            "/idp",
            "https://idp.example.com?a=b",
            "https://idp.example.com#x",
            "https://me@idp.example.com",
            "ftp://idp.example.com",
            "",
        ] {
            assert!(locations(&Issuer::new(name)).is_err(), "{name}");
        }
    }

    // covers: AUTH-49
    #[test]
    fn the_issuer_of_a_document_is_compared_byte_for_byte() {
        let issuer = Issuer::new("https://a.example");
        let document = |name: &str| format!(r#"{{"issuer":"{name}","jwks_uri":"https://a.example/jwks"}}"#);
        assert_eq!(
            keys_url(document("https://a.example").as_bytes(), &issuer).as_deref(),
            Ok("https://a.example/jwks")
        );
        for other in ["https://a.example/", "https://A.example", "https://a.example:443", ""] {
            assert!(keys_url(document(other).as_bytes(), &issuer).is_err(), "{other}");
        }
        for bad in [
            "",
            "[]",
            "<html>",
            "{}",
            r#"{"issuer":["https://a.example"]}"#,
            r#"{"issuer":"https://a.example"}"#,
        ] {
            assert!(keys_url(bad.as_bytes(), &issuer).is_err(), "{bad}");
        }
    }
}
