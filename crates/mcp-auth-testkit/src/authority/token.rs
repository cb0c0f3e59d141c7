//! Tokens, right ones and wrong ones.

use std::time::Duration;

use mcp_core::{Timestamp, random_id};
use serde_json::{Map, Value, json};

use super::keys::{Algorithm, SigningKey, base64};
use super::{TokenAuthority, clock_secs};

/// A token being made; see [`TokenAuthority::token`]. Without further words it is a good access token (RFC 9068) for
/// the subject `alice`, good for five minutes, signed ES256 — but without an audience and scopes.
#[derive(Clone, Debug)]
#[must_use = "a token is made by `mint` or `mint_opaque`"]
pub struct TokenBuilder {
    authority: TokenAuthority,
    now: Timestamp,
    algorithm: Algorithm,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    payload: Option<String>,
    flaw: Flaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    Unsigned,
    Tampered,
    ByStranger,
    PublicKeyAsSecret,
}

impl TokenBuilder {
    pub(super) fn new(authority: TokenAuthority) -> Self {
        let now = authority.now();
        let mut claims = Map::new();
        claims.insert("iss".into(), json!(authority.issuer()));
        claims.insert("sub".into(), json!("alice"));
        claims.insert("client_id".into(), json!("test-client"));
        claims.insert("iat".into(), clock_secs(now));
        claims.insert("exp".into(), clock_secs(now + Duration::from_secs(300)));
        claims.insert("jti".into(), json!(random_id()));
        let mut header = Map::new();
        header.insert("typ".into(), json!("at+jwt"));
        Self { authority, now, algorithm: Algorithm::Es256, header, claims, payload: None, flaw: Flaw::None }
    }

    /// Who issued it (`iss`); the authority unless said.
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// Whom it names (`sub`).
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// Whom it is for (`aud`). Called again, it makes a list.
    pub fn audience(mut self, audience: &str) -> Self {
        let value = match self.claims.remove("aud") {
            None => json!(audience),
            Some(Value::Array(mut list)) => {
                list.push(json!(audience));
                Value::Array(list)
            }
            Some(first) => json!([first, audience]),
        };
        self.claim("aud", value)
    }

    /// What it allows: scopes with spaces between them.
    pub fn scopes(self, scopes: &str) -> Self {
        self.claim("scope", scopes)
    }

    /// Which application holds it (`client_id`).
    pub fn client(self, client: &str) -> Self {
        self.claim("client_id", client)
    }

    /// How long from now it is good.
    pub fn expires_in(self, span: Duration) -> Self {
        let at = clock_secs(self.now + span);
        self.claim("exp", at)
    }

    /// It ended `ago`, having lived for five minutes.
    pub fn expired(self, ago: Duration) -> Self {
        let end = self.now - ago;
        self.claim("exp", clock_secs(end)).claim("iat", clock_secs(end - Duration::from_secs(300)))
    }

    /// It becomes good only in a while (`nbf`).
    pub fn not_before_in(self, span: Duration) -> Self {
        let at = clock_secs(self.now + span);
        self.claim("nbf", at)
    }

    /// Sets any claim to anything.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Makes an ID token of it (OpenID Connect Core §2): for the client, with a nonce, of no use at a resource.
    pub fn id_token(self) -> Self {
        let client = self.claims.get("client_id").cloned().unwrap_or_default();
        self.typ("JWT")
            .without("client_id")
            .without("scope")
            .claim("aud", client.clone())
            .claim("azp", client)
            .claim("nonce", "n-0S6")
            .claim("at_hash", "77QmUPtjPfzWtF2AnpK9RQ")
    }

    /// How it is signed; ES256 unless said.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Its media type (`typ` of the header); `at+jwt` unless said.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// The key it names (`kid` of the header), whichever signs.
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// Sets any header member to anything, `alg` too; [`Value::Null`] leaves it out.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Takes this text for the payload, as it is: duplicate members, broken JSON, whatever.
    pub fn payload(mut self, text: &str) -> Self {
        self.payload = Some(text.to_owned());
        self
    }

    /// `alg: none` and no signature.
    pub fn unsigned(mut self) -> Self {
        self.flaw = Flaw::Unsigned;
        self
    }

    /// One bit of the signature is changed.
    pub fn tampered(mut self) -> Self {
        self.flaw = Flaw::Tampered;
        self
    }

    /// Signed by a key nobody has published, under the name of the right one.
    pub fn by_stranger(mut self) -> Self {
        self.flaw = Flaw::ByStranger;
        self
    }

    /// HS256 with the published public key as the secret, the classic confusion of algorithms.
    pub fn public_key_as_secret(mut self) -> Self {
        self.flaw = Flaw::PublicKeyAsSecret;
        self
    }

    /// The token.
    #[must_use]
    pub fn mint(self) -> String {
        let key = self.authority.key(self.algorithm);
        let mut header = Map::new();
        header.insert("alg".into(), json!(self.algorithm.name()));
        header.insert("kid".into(), json!(key.kid));
        match self.flaw {
            Flaw::Unsigned => header.insert("alg".into(), json!("none")),
            Flaw::PublicKeyAsSecret => header.insert("alg".into(), json!("HS256")),
            _ => None,
        };
        for (name, value) in self.header {
            if value.is_null() {
                header.remove(&name);
            } else {
                header.insert(name, value);
            }
        }
        let payload = self.payload.unwrap_or_else(|| Value::Object(self.claims).to_string());
        let message = format!(
            "{}.{}",
            base64(Value::Object(header).to_string().as_bytes()),
            base64(payload.as_bytes())
        );
        let sign_by = |key: &SigningKey| key.sign(message.as_bytes());
        let signature = match self.flaw {
            Flaw::None => sign_by(&key),
            Flaw::Unsigned => Vec::new(),
            Flaw::Tampered => {
                let mut signature = sign_by(&key);
                if let Some(byte) = signature.last_mut() {
                    *byte ^= 1;
                }
                signature
            }
            Flaw::ByStranger => sign_by(&SigningKey::generate(self.algorithm, String::new(), &random_id())),
            Flaw::PublicKeyAsSecret => {
                let pem = key.pem().unwrap_or_default();
                sign_by(&SigningKey::generate(Algorithm::Hs256, String::new(), &pem))
            }
        };
        format!("{message}.{}", base64(&signature))
    }

    /// An opaque token instead, known only to the authority's introspection endpoint: active until it expires or is
    /// [revoked](TokenAuthority::revoke), described there by the claims.
    #[must_use]
    pub fn mint_opaque(self) -> String {
        let token = format!("opaque-{}", random_id());
        self.authority.remember(&token, self.claims);
        token
    }
}
