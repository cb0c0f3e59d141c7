//! Whatever bytes come, nothing panics and nobody gets in without a signature.

use std::sync::LazyLock;

use mcp_auth_jwt::Keys;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::support::{Guarded, good, guarded};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static SITE: LazyLock<(String, Guarded)> = LazyLock::new(|| {
    RUNTIME.block_on(async {
        let (authority, guarded) = guarded().await;
        let token = good(&authority).mint();
        assert_eq!(guarded.status(&token).await, 200);
        (token, guarded)
    })
});

fn let_in(token: &str) -> bool {
    // A token that no header can carry never comes this far.
    if http::HeaderValue::from_str(token).is_err() {
        return false;
    }
    RUNTIME.block_on(SITE.1.status(token)) == 200
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused(text in "\\PC{0,200}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,80}", 0..6)) {
        prop_assert!(!let_in(&text));
        prop_assert!(!let_in(&parts.join(".")));
    }

    #[test]
    fn any_header_and_claims_without_a_right_signature_are_refused(
        header in any_json(), claims in any_json(), signature in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        use base64::Engine;
        let text = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let token = format!("{}.{}.{}", text(header.as_bytes()), text(claims.as_bytes()), text(&signature));
        prop_assert!(!let_in(&token));
    }

    #[test]
    fn a_good_token_with_any_byte_changed_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = SITE.0.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        if let Ok(token) = String::from_utf8(bytes) {
            // White space at the ends is the header's, not the token's.
            prop_assume!(token.trim() == token);
            prop_assert!(!let_in(&token), "{}", token);
        }
    }

    #[test]
    fn a_good_token_cut_or_lengthened_is_refused(at in any::<prop::sample::Index>(), more in "[A-Za-z0-9_.=-]{1,8}") {
        let token = &SITE.0;
        let at = at.index(token.len());
        prop_assert!(!let_in(&token[..at]));
        prop_assert!(!let_in(&token[at + 1..]));
        let (longer, shifted) = (format!("{token}{more}"), format!("{more}{token}"));
        prop_assert!(!let_in(&longer));
        prop_assert!(!let_in(&shifted));
    }

    #[test]
    fn any_text_as_keys_is_an_error_and_no_panic(text in "\\PC{0,200}", json in any_json(), der in prop::collection::vec(any::<u8>(), 0..200)) {
        use base64::Engine;
        prop_assert!(Keys::pem(&text).is_err());
        prop_assert!(Keys::jwk(&text).is_err());
        prop_assert!(Keys::jwks(&text).is_err());
        let _ = Keys::jwk(&json);
        let _ = Keys::jwks(format!(r#"{{"keys":[{json}]}}"#));
        let der = base64::engine::general_purpose::STANDARD.encode(der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
        prop_assert!(Keys::pem(pem).is_err());
    }
}

/// Objects with the names that matter and values of every type.
fn any_json() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "alg", "typ", "kid", "crit", "b64", "jwk", "iss", "sub", "aud", "exp", "nbf", "iat", "scope", "scp",
        "cnf", "azp", "kty", "crv", "x", "y", "n", "e", "use", "key_ops", "k", "zzz",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| serde_json::to_string(&n).unwrap_or_default()),
        prop::sample::select(vec![
            "ES256", "at+jwt", "RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "AQAB", "sig"
        ])
        .prop_map(|text| format!("\"{text}\"")),
        "[A-Za-z0-9_-]{0,60}".prop_map(|text| format!("\"{text}\"")),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(",")))
    });
    prop::collection::vec((name, value), 0..8).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}
