//! What is read of metadata, and what is refused.

use mcp_core::PublicUrl;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Metadata, MetadataError, Method, Rules};
use crate::client::{ClientOrigin, GrantType};

fn read(document: &Value, origin: ClientOrigin) -> Result<Metadata, MetadataError> {
    let site: PublicUrl = "https://mcp.test".parse().unwrap();
    let rules = Rules { origin, site: &site, private_use: false, key_sets: true, loopback: false };
    Metadata::read(document.as_object().unwrap(), rules)
}

fn method(document: &Value, origin: ClientOrigin) -> Result<String, &'static str> {
    let mut whole = json!({ "redirect_uris": ["https://c.test/cb"] });
    whole.as_object_mut().unwrap().extend(document.as_object().unwrap().clone());
    let method = read(&whole, origin).map_err(|error| error.description)?.method;
    let optional = matches!(method, Method::PrivateKeyJwt { optional: true, .. });
    Ok(format!("{}{}", method.name(), if optional { " or none" } else { "" }))
}

// covers: CI12, DR04, AUTH-81
#[test]
fn methods_are_negotiated_to_the_best_that_both_know() {
    use ClientOrigin::{MetadataDocument, Registered};
    let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] });
    // What ChatGPT publishes.
    let either = json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://c.test/jwks.json",
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg": "RS256",
    });
    let cases = [
        (json!({}), Ok("client_secret_basic"), Ok("none")),
        (json!({ "token_endpoint_auth_method": "none" }), Ok("none"), Ok("none")),
        (json!({ "token_endpoint_auth_method": null }), Ok("client_secret_basic"), Ok("none")),
        (json!({ "token_endpoint_auth_method": "client_secret_post" }), Ok("client_secret_post"), Err(())),
        (json!({ "token_endpoint_auth_method": "client_secret_jwt" }), Err(()), Err(())),
        (json!({ "token_endpoint_auth_method": "NONE" }), Err(()), Err(())),
        (
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks }),
            Ok("private_key_jwt"),
            Ok("private_key_jwt"),
        ),
        (either.clone(), Ok("private_key_jwt or none"), Ok("private_key_jwt or none")),
        (
            json!({ "token_endpoint_auth_method": "none", "jwks": jwks,
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"] }),
            Ok("private_key_jwt or none"),
            Ok("private_key_jwt or none"),
        ),
        (
            json!({ "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_methods_supported": ["none"] }),
            Ok("none"),
            Ok("none"),
        ),
        (
            json!({ "token_endpoint_auth_method": "tls_client_auth",
            "token_endpoint_auth_methods_supported": ["tls_client_auth", "client_secret_post"] }),
            Ok("client_secret_post"),
            Err(()),
        ),
        (
            json!({ "token_endpoint_auth_method": "tls_client_auth",
            "token_endpoint_auth_methods_supported": ["none"] }),
            Ok("none"),
            Ok("none"),
        ),
    ];
    for (document, registered, published) in cases {
        let of = |origin| method(&document, origin).map_err(|_| ());
        assert_eq!(of(Registered).as_deref(), registered.as_deref(), "{document}");
        assert_eq!(of(MetadataDocument).as_deref(), published.as_deref(), "{document}");
    }
    for alg in ["HS256", "none", "RS255", ""] {
        let mut odd = either.clone();
        odd["token_endpoint_auth_signing_alg"] = json!(alg);
        assert!(method(&odd, Registered).is_err(), "{alg}");
    }
}

#[test]
fn an_operator_gives_what_strangers_may_not_have() {
    let document =
        json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_basic" });
    let granted = read(&document, ClientOrigin::Operator).unwrap().grant_types;
    assert_eq!(granted, [GrantType::ClientCredentials]);
    assert!(read(&document, ClientOrigin::Registered).is_err());
    assert!(read(&document, ClientOrigin::MetadataDocument).is_err());
}

#[test]
fn consent_is_for_what_people_saw() {
    let document = json!({ "redirect_uris": ["https://c.test/cb"], "client_name": "Notes", "scope": "a" });
    let digest = |document: &Value| read(document, ClientOrigin::Registered).unwrap().digest();
    let with = |name: &str, value: &str| {
        let mut other = document.clone();
        other[name] = json!(value);
        digest(&other)
    };
    assert_eq!(with("scope", "b"), digest(&document));
    assert_eq!(with("token_endpoint_auth_method", "none"), digest(&document));
    for (name, value) in
        [("client_name", "Nodes"), ("client_uri", "https://d.test"), ("logo_uri", "https://d.test/l")]
    {
        assert_ne!(with(name, value), digest(&document), "{name}");
    }
}

/// JSON as strangers send it: often with names that mean something.
fn documents() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("https://c.test/cb".to_owned()),
        Just("http://127.0.0.1/cb".to_owned()),
        Just("authorization_code".to_owned()),
        Just("none".to_owned()),
        Just("private_key_jwt".to_owned()),
        Just("code".to_owned()),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,4}", inner), 0..3)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    });
    let name = prop::sample::select(vec![
        "redirect_uris",
        "client_name",
        "grant_types",
        "response_types",
        "token_endpoint_auth_method",
        "scope",
        "jwks",
        "jwks_uri",
        "application_type",
        "client_uri",
        "logo_uri",
        "contacts",
        "software_statement",
        "token_endpoint_auth_methods_supported",
        "dpop_bound_access_tokens",
        "software_id",
    ]);
    prop::collection::vec((name.prop_map(str::to_owned), value), 0..8)
        .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>()))
}

proptest! {
    /// What is in effect is what would be registered by it: nothing more can be got by saying it again.
    #[test]
    fn what_is_in_effect_stays_as_it_is(mut document in documents()) {
        let list = document.as_object_mut().unwrap();
        list.entry("redirect_uris").or_insert_with(|| json!(["https://c.test/cb"]));
        for origin in [ClientOrigin::Registered, ClientOrigin::MetadataDocument, ClientOrigin::Operator] {
            let Ok(metadata) = read(&document, origin) else { continue };
            let effective = metadata.effective();
            let again = read(&Value::Object(effective.clone()), origin).unwrap();
            prop_assert_eq!(again.effective(), effective);
            prop_assert_eq!(again.fingerprint(), metadata.fingerprint());
            for uri in &metadata.redirect_uris {
                prop_assert!(uri.starts_with("https://") || uri.starts_with("http://127.0.0.1"));
            }
            if origin != ClientOrigin::Operator {
                prop_assert!(metadata.grant_types.contains(&GrantType::AuthorizationCode));
                prop_assert!(!metadata.grant_types.contains(&GrantType::ClientCredentials));
            }
        }
    }
}
