//! One proof: what it says, and whether it says it of this request.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_core::{Timestamp, constant_time_eq};
use serde_json::{Map, Value};
use url::Url;

use crate::Algorithm;
use crate::jws::Jws;
use crate::keys::{Curve, Jwk, KeySet, Material, RawKey, Verdict, read_jwk};

/// A proof whose signature is right.
pub(super) struct Proof {
    /// The thumbprint of the key that signed it (RFC 7638).
    pub(super) thumbprint: String,
    pub(super) id: String,
    pub(super) made_at: Timestamp,
    pub(super) nonce: Option<String>,
    claims: Map<String, Value>,
}

impl Proof {
    /// Reads a proof and checks what does not depend on the request (RFC 9449 §4.3, 2 to 7). The error is for the peer.
    pub(super) fn read(text: &str, algorithms: &[Algorithm]) -> Result<Self, &'static str> {
        let jws = Jws::parse(text).ok_or("the DPoP header is not one well-formed JWT")?;
        let header = &jws.header;
        if !header.kind().is("dpop+jwt") {
            return Err("the proof is not typed dpop+jwt");
        }
        if header.is_critical() {
            return Err("the proof demands extensions");
        }
        let algorithm = header
            .algorithm()
            .and_then(Algorithm::from_name)
            .filter(|algorithm| algorithms.contains(algorithm))
            .ok_or("the proof is signed by an algorithm that is not allowed")?;
        let jwk = header.get("jwk").ok_or("the proof carries no key")?;
        let key = read_jwk(jwk, Jwk::FromElsewhere)
            .map_err(|_| "the key of the proof is no public key for signatures")?;
        let verdict = KeySet::new([&key], &[algorithm]).verify(algorithm, None, jws.message, &jws.signature);
        if !matches!(verdict, Verdict::Good(_)) {
            return Err("the signature of the proof is wrong");
        }
        let text = |name: &str| jws.claims.get(name).and_then(Value::as_str);
        let id = text("jti")
            .filter(|id| (1..=MAX_ID).contains(&id.len()))
            .ok_or("the proof has no jti, or too long a one")?;
        let made_at = jws
            .claims
            .get("iat")
            .and_then(Value::as_u64)
            .ok_or("the proof does not say when it was made, iat")?;
        Ok(Self {
            thumbprint: thumbprint(&key).ok_or("the key of the proof is no public key for signatures")?,
            id: id.to_owned(),
            made_at: Timestamp::from_secs(made_at),
            nonce: text("nonce").map(str::to_owned),
            claims: jws.claims,
        })
    }

    /// Whether it is for this method, this URL and this token, if one comes with it (RFC 9449 §4.3, 8 to 12).
    pub(super) fn check(&self, method: &str, url: &str, token: Option<&str>) -> Result<(), &'static str> {
        let text = |name: &str| self.claims.get(name).and_then(Value::as_str);
        if text("htm") != Some(method) {
            return Err("the proof is for another method, htm");
        }
        let same = text("htu").and_then(canonical).is_some_and(|htu| Some(htu) == canonical(url));
        if !same {
            return Err("the proof is for another URL, htu");
        }
        let Some(token) = token else { return Ok(()) };
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        if !text("ath").is_some_and(|ath| constant_time_eq(ath, &hash)) {
            return Err("the proof is for another token, ath");
        }
        Ok(())
    }
}

/// A URL without query and fragment, its scheme, host, port and path in the form RFC 3986 §6.2.2 and §6.2.3 give them.
fn canonical(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    if !url.username().is_empty() || url.password().is_some() || !url.has_host() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
}

/// RFC 7638 §3: the hash of the members that make the key, in the order of their names. They are written anew, so that
/// one key has one thumbprint however its header spells it.
fn thumbprint(key: &RawKey) -> Option<String> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let members = match &key.material {
        Material::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n)),
        Material::Ec { curve, point } => {
            let (x, y) = point.get(1..)?.split_at_checked(curve.coordinate())?;
            let name = match curve {
                Curve::P256 => "P-256",
                Curve::P384 => "P-384",
                Curve::P521 => "P-521",
            };
            format!(r#"{{"crv":"{name}","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
        }
        Material::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        Material::Secret(_) | Material::RsaDer(_) => return None,
    };
    Some(text(digest(&SHA256, members.as_bytes()).as_ref()))
}

const MAX_ID: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        let check = |key: Value, expected: &str| {
            let key = read_jwk(&key, Jwk::FromElsewhere).unwrap();
            assert_eq!(thumbprint(&key).as_deref(), Some(expected));
        };
        // RFC 7638 §3.1.
        check(
            json!({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        );
        // RFC 8037 §A.3.
        check(
            json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        );
        // RFC 9449 §4.1 and §6.1.
        check(
            json!({"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        );
    }

    // covers: DP06, DP07
    #[test]
    fn urls_are_compared_as_urls() {
        let own = canonical("https://mcp.example.com/mcp");
        for same in [
            "HTTPS://MCP.Example.COM/mcp",
            "https://mcp.example.com:443/mcp",
            "https://mcp.example.com/mcp?a=b#c",
            "https://mcp.example.com/x/../mcp",
        ] {
            assert_eq!(canonical(same), own, "{same}");
        }
        for other in [
            "http://mcp.example.com/mcp",
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com/MCP",
            "https://mcp.example.com:8443/mcp",
            "https://mcp.example.com.evil.test/mcp",
            "https://user@mcp.example.com/mcp",
            "/mcp",
            "mcp:mcp",
            "",
        ] {
            assert_ne!(canonical(other), own, "{other}");
        }
    }
}
