//! What an answer says of a token: decided from the answer, the time and the resource, without I/O (RFC 7662 §2.2).

use std::time::Duration;

use mcp_core::{
    Audience, AuthError, AuthMethod, Identity, IdentityBuilder, Issuer, ProtectedResource, Scopes, Timestamp,
};
use serde_json::{Map, Value};

use super::question::NoAnswer;
use super::unavailable;
use crate::rules::is_identifier;

/// What an answer must say for its token to be let in.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) issuer: Issuer,
    /// Whether `issuer` is what the operator said, and not made from the endpoint.
    pub(super) issuer_is_known: bool,
    pub(super) audiences: Vec<Audience>,
    pub(super) any_audience: bool,
    pub(super) subject_member: String,
}

impl Rules {
    /// Whom the token names. An answer of the wrong shape is none at all: the issuer's fault, not the caller's.
    pub(super) fn judge(
        &self,
        mut answer: Map<String, Value>,
        now: Timestamp,
        resource: &ProtectedResource,
    ) -> Result<IdentityBuilder, AuthError> {
        match answer.remove("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => {
                return Err(AuthError::invalid_token("the token is unknown, expired or revoked"));
            }
            _ => return Err(garbage("does not say by true or false whether the token is active")),
        }
        let read = Reader(&answer);
        self.judge_kind(&read)?;
        let expires = read.time("exp")?;
        if expires.is_some_and(|end| now >= end) {
            return Err(AuthError::invalid_token("the token has expired"));
        }
        if read.time("nbf")?.is_some_and(|begin| begin > now + LEEWAY) {
            return Err(AuthError::invalid_token("the token is not good yet"));
        }
        if let Some(issuer) = read.text("iss")?
            && self.issuer_is_known
            && self.issuer != issuer
        {
            return Err(AuthError::invalid_token("the token is of another issuer"));
        }
        let audience = read.list("aud")?;
        self.judge_audience(&audience, resource)?;
        let Some(subject) = read.text(&self.subject_member)?.filter(|subject| !subject.is_empty()) else {
            return Err(AuthError::invalid_token("the token names nobody")
                .log("the answer has no sub: name the member that tells callers apart with subject_from()"));
        };

        let mut identity = Identity::new(self.issuer.clone(), subject)
            .method(AuthMethod::Bearer)
            .scopes(Scopes::parse(&read.list("scope")?.join(" ")));
        for one in audience {
            identity = identity.audience(one);
        }
        if let Some(client) = read.text("client_id")? {
            identity = identity.client(client);
        }
        if let Some(end) = expires {
            identity = identity.expires_at(end);
        }
        if let Some(at) = read.time("iat")? {
            identity = identity.issued_at(at);
        }
        if let Some(id) = read.text("jti")? {
            identity = identity.token_id(id);
        }
        Ok(identity.claims(answer))
    }

    /// Only access tokens that whoever holds them may use.
    fn judge_kind(&self, read: &Reader<'_>) -> Result<(), AuthError> {
        // RFC 9449 §6.2, RFC 8705 §3.2: the holder has a key to prove, which a bearer has not done.
        if read.0.contains_key("cnf") {
            return Err(AuthError::invalid_token(
                "the token is bound to a key and cannot be presented as Bearer",
            ));
        }
        let bearer = read.text("token_type")?.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        // How Ory, Okta and Cognito mark what is no access token.
        let access = read.text("token_use")?.is_none_or(|kind| matches!(kind, "access" | "access_token"));
        if bearer && access {
            Ok(())
        } else {
            Err(AuthError::invalid_token("the token is not a bearer access token"))
        }
    }

    fn judge_audience(&self, audience: &[&str], resource: &ProtectedResource) -> Result<(), AuthError> {
        if audience.is_empty() && self.any_audience {
            return Ok(());
        }
        let ours = audience
            .iter()
            .any(|one| is_identifier(resource, one) || self.audiences.iter().any(|other| other == one));
        if ours {
            return Ok(());
        }
        let error = AuthError::invalid_token("the token is not meant for this resource");
        Err(if audience.is_empty() {
            error.log(
                "the answer has no aud: have the issuer tell it, or see Introspection::dangerous().accept_missing_audience()",
            )
        } else {
            error
        })
    }
}

/// Reads members of an answer. One of the wrong type makes the whole answer worthless.
struct Reader<'a>(&'a Map<String, Value>);

impl<'a> Reader<'a> {
    fn text(&self, name: &str) -> Result<Option<&'a str>, AuthError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(garbage("has a member that is no string where one belongs")),
        }
    }

    /// Strings with spaces between them, or a list of them.
    fn list(&self, name: &str) -> Result<Vec<&'a str>, AuthError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().ok_or_else(|| garbage("has a list of other things than strings")))
                .collect(),
            Some(_) => Err(garbage("has a member that is neither a string nor a list where one belongs")),
        }
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, AuthError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(seconds) => Ok(Some(Timestamp::from_secs(seconds))),
                None => Err(garbage("has a time that is no whole number of seconds")),
            },
        }
    }
}

fn garbage(what: &'static str) -> AuthError {
    unavailable(&NoAnswer::Garbage(what))
}

/// How far ahead of ours the issuer's clock may be.
const LEEWAY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use mcp_core::AuthErrorKind;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rules() -> Rules {
        Rules {
            issuer: Issuer::from("https://idp.test"),
            issuer_is_known: true,
            audiences: vec![Audience::from("api")],
            any_audience: false,
            subject_member: "sub".to_owned(),
        }
    }

    fn judge(answer: Value) -> Result<Identity, AuthErrorKind> {
        let Value::Object(members) = answer else { panic!("no object") };
        let site = "https://mcp.test".parse().unwrap();
        let resource = ProtectedResource::new(&site, "/mcp");
        rules()
            .judge(members, Timestamp::from_secs(1000), &resource)
            .map(IdentityBuilder::build)
            .map_err(|error| error.kind().clone())
    }

    fn good() -> Value {
        json!({ "active": true, "sub": "ada", "aud": "https://mcp.test/mcp", "exp": 1001 })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut answer = good();
        answer[name] = value;
        answer
    }

    // covers: AUTH-08, AUTH-09
    #[test]
    fn each_member_is_judged() {
        for (answer, accepted) in [
            (good(), true),
            (with("aud", json!("api")), true),
            (with("aud", json!(["x", "https://mcp.test/mcp"])), true),
            (with("aud", json!(["x"])), false),
            (with("aud", json!("https://mcp.test/mcp/")), false),
            (with("aud", Value::Null), false),
            (with("active", json!(false)), false),
            (with("exp", json!(1000)), false),
            (with("exp", json!(0)), false),
            (with("nbf", json!(1030)), true),
            (with("nbf", json!(1031)), false),
            (with("iss", json!("https://idp.test")), true),
            (with("iss", json!("https://idp.test/")), false),
            (with("sub", json!("")), false),
            (with("sub", Value::Null), false),
            (with("cnf", json!({ "jkt": "x" })), false),
            (with("cnf", Value::Null), false),
            (with("token_type", json!("bearer")), true),
            (with("token_type", json!("DPoP")), false),
            (with("token_type", json!("refresh_token")), false),
            (with("token_use", json!("refresh_token")), false),
        ] {
            let outcome = judge(answer.clone());
            match accepted {
                true => assert!(outcome.is_ok(), "{answer}: {outcome:?}"),
                false => assert_eq!(outcome.err(), Some(AuthErrorKind::InvalidToken), "{answer}"),
            }
        }
    }

    #[test]
    fn an_origin_and_the_same_with_a_slash_are_one_audience() {
        let site = "https://mcp.test".parse().unwrap();
        let root = ProtectedResource::new(&site, "");
        for (audience, ours) in
            [("https://mcp.test", true), ("https://mcp.test/", true), ("https://mcp.test/x", false)]
        {
            let verdict = rules().judge_audience(&[audience], &root);
            assert_eq!(verdict.is_ok(), ours, "{audience}");
        }
    }

    #[test]
    fn an_answer_of_the_wrong_shape_is_none() {
        for answer in [
            with("active", json!("true")),
            with("active", json!(1)),
            with("active", Value::Null),
            with("exp", json!("1001")),
            with("exp", json!(1001.5)),
            with("exp", json!(-1)),
            with("exp", Value::Null),
            with("exp", json!([1001])),
            with("nbf", json!("0")),
            with("iat", json!(true)),
            with("aud", json!({ "https://mcp.test/mcp": true })),
            with("aud", json!(["https://mcp.test/mcp", 7])),
            with("sub", json!(7)),
            with("iss", json!(["https://idp.test"])),
            with("scope", json!(7)),
            with("client_id", json!({})),
            json!({ "sub": "ada" }),
        ] {
            let outcome = judge(answer.clone());
            assert!(matches!(outcome, Err(AuthErrorKind::Unavailable(_))), "{answer}: {outcome:?}");
        }
    }

    #[test]
    fn what_the_answer_says_reaches_the_identity() {
        let mut answer = with("scope", json!("files:read files:write"));
        answer["client_id"] = json!("cli");
        answer["jti"] = json!("t1");
        answer["iat"] = json!(900);
        answer["username"] = json!("Ada");
        let identity = judge(answer).unwrap();
        assert_eq!(identity.subject(), &mcp_core::Subject::from("ada"));
        assert!(identity.scopes().has("files:write") && !identity.scopes().has("admin"));
        assert_eq!(identity.client().map(|client| client.as_str()), Some("cli"));
        assert_eq!(identity.token_id().map(|id| id.as_str()), Some("t1"));
        assert_eq!(identity.expires_at(), Some(Timestamp::from_secs(1001)));
        assert_eq!(identity.issued_at(), Some(Timestamp::from_secs(900)));
        assert_eq!(identity.claims()["username"], "Ada");
        assert!(!identity.claims().contains_key("active"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            "[ -~]{0,12}".prop_map(Value::from),
            Just(json!("https://mcp.test/mcp")),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map("[a-z]{1,4}", inner, 0..3).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_lets_in_what_it_must_not(
            answer in prop::collection::hash_map(
                prop::sample::select(vec![
                    "active", "aud", "sub", "exp", "nbf", "iss", "scope", "cnf", "token_type", "client_id", "iat", "jti",
                ]),
                any_json(),
                0..12,
            )
        ) {
            let answer = json!(answer);
            if let Ok(identity) = judge(answer.clone()) {
                prop_assert_eq!(&answer["active"], &json!(true));
                prop_assert!(answer["aud"].to_string().contains("\"https://mcp.test/mcp\"")
                    || answer["aud"].to_string().contains("\"api\""));
                prop_assert!(answer.get("cnf").is_none());
                prop_assert!(answer.get("exp").is_none_or(|exp| exp.as_u64() > Some(1000)));
                prop_assert_eq!(&answer["sub"], &json!(identity.subject().as_str()));
            }
        }
    }
}
