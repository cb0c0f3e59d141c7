//! What an issuer's access tokens look like: RFC 9068, or one of the known ways not to follow it.
//!
//! An ID token, a logout token or a client assertion is signed by the same key as an access token. What tells them apart
//! is `typ` (RFC 8725 §3.11), and where an issuer does not set it, the marks listed here.
//!
//! | profile | `typ` | besides |
//! |---|---|---|
//! | [`Rfc9068`](TokenProfile::Rfc9068) | `at+jwt` | |
//! | [`EntraId`](TokenProfile::EntraId) | `JWT`, none, `at+jwt` | `azp` or `appid`, and `scp`, `roles` or `idtyp` |
//! | [`Auth0`](TokenProfile::Auth0) | `JWT`, none, `at+jwt` | `azp` or `client_id`, which is not the audience |
//! | [`Okta`](TokenProfile::Okta) | `JWT`, none, `at+jwt` | `cid` |
//! | [`Keycloak`](TokenProfile::Keycloak) | `JWT`, none, `at+jwt` | a claim `typ` that is `Bearer` or `DPoP` |
//! | [`Cognito`](TokenProfile::Cognito) | `JWT`, none, `at+jwt` | a claim `token_use` that is `access` |
//! | [`Untyped`](TokenProfile::Untyped) | `JWT`, none, `at+jwt` | the client is not the only audience |
//!
//! All but the first refuse tokens with `nonce`, `at_hash`, `c_hash`, `s_hash`, `events`, `token_use: id` or a claim
//! `typ` of another kind, unless `typ` says `at+jwt`.

use serde_json::{Map, Value};

use crate::jws::Typ;

/// What an issuer's access tokens look like.
///
/// ```
/// use mcp_auth_jwt::{JwtAuthenticator, TokenProfile};
///
/// // Entra sends `typ: JWT` and names the client in `azp` or `appid`.
/// # #[cfg(feature = "fetch")] {
/// let tokens = JwtAuthenticator::issuer("https://login.microsoftonline.com/0f3…/v2.0").profile(TokenProfile::EntraId);
/// # drop(tokens);
/// # }
/// assert_eq!(TokenProfile::default(), TokenProfile::Rfc9068);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenProfile {
    /// As RFC 9068 §2.1 and §4 say: `typ` is `at+jwt`. The only one where an issuer cannot mix tokens up.
    #[default]
    Rfc9068,
    /// Microsoft Entra ID, versions 1 and 2.
    EntraId,
    /// Auth0's own token dialect. Choosing the RFC 9068 profile for the API there is better.
    Auth0,
    /// Okta's custom authorization servers.
    Okta,
    /// Keycloak without its `at+jwt` option.
    Keycloak,
    /// Amazon Cognito with resource binding, which gives tokens an audience.
    Cognito,
    /// Any issuer that leaves `typ` out or writes `JWT`, such as tokens made by hand with a shared secret.
    ///
    /// Nothing shows what such a token was made for. Use it where the issuer makes nothing but access tokens.
    Untyped,
}

impl TokenProfile {
    /// Whether this may be an access token. The error is for the peer.
    pub(crate) fn admit(self, typ: Typ<'_>, claims: &Map<String, Value>) -> Result<(), &'static str> {
        if typ.is("at+jwt") {
            return Ok(());
        }
        if self == Self::Rfc9068 {
            return Err("the token is not typed as an access token, at+jwt");
        }
        if !(typ == Typ::Absent || typ.is("jwt")) {
            return Err("the token is of another type than access tokens");
        }
        let says = |name: &str, value: &str| claims.get(name).is_some_and(|found| found == value);
        if OTHER_TOKENS.iter().any(|name| claims.contains_key(*name)) || says("token_use", "id") {
            return Err("the token is an ID token or a logout token, not an access token");
        }
        // Keycloak's mark; there, it is the claim that tells ID and refresh tokens apart.
        if claims.contains_key("typ") && !says("typ", "Bearer") && !says("typ", "DPoP") {
            return Err("the token is of another type than access tokens");
        }
        let has = |name: &str| claims.contains_key(name);
        let evident = match self {
            Self::Rfc9068 => false,
            Self::EntraId => {
                (has("azp") || has("appid")) && (has("scp") || has("roles") || says("idtyp", "app"))
            }
            Self::Auth0 => (has("azp") || has("client_id")) && !self.is_for_its_client(claims),
            Self::Okta => has("cid"),
            Self::Keycloak => has("typ"),
            Self::Cognito => says("token_use", "access"),
            Self::Untyped => !self.is_for_its_client(claims),
        };
        if evident { Ok(()) } else { Err("the token does not show that it is an access token") }
    }

    /// The application the token was given to.
    pub(crate) fn client(self, claims: &Map<String, Value>) -> Option<&str> {
        let names: &[&str] = match self {
            Self::EntraId => &["client_id", "azp", "appid"],
            Self::Okta => &["client_id", "cid", "azp"],
            _ => &["client_id", "azp"],
        };
        names.iter().find_map(|name| claims.get(*name)?.as_str()).filter(|client| !client.is_empty())
    }

    /// The audience of an ID token is the client itself (OpenID Connect Core §2).
    fn is_for_its_client(self, claims: &Map<String, Value>) -> bool {
        let Some(client) = self.client(claims) else {
            return false;
        };
        match claims.get("aud") {
            Some(Value::String(audience)) => audience == client,
            Some(Value::Array(all)) => all.iter().all(|audience| audience == client),
            _ => false,
        }
    }
}

/// Claims of ID tokens (OpenID Connect Core §2, §3.3.2.11) and logout tokens (Back-Channel Logout §2.4).
const OTHER_TOKENS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(profile: TokenProfile, typ: Typ<'_>, claims: &Value) -> bool {
        profile.admit(typ, claims.as_object().unwrap()).is_ok()
    }

    const JWT: Typ<'static> = Typ::Is("JWT");

    #[test]
    fn each_profile_wants_its_own_evidence() {
        use TokenProfile as P;
        let entra = json!({"aud":"api://x","azp":"app","scp":"read"});
        let entra_one_app = json!({"aud":"app","azp":"app","scp":"read"});
        let entra_daemon = json!({"aud":"api://x","appid":"app","roles":["r"]});
        let entra_id = json!({"aud":"app","preferred_username":"ada"});
        let auth0 = json!({"aud":["api","https://x/userinfo"],"azp":"app"});
        let okta = json!({"aud":"api","cid":"app"});
        let keycloak = json!({"aud":"api","typ":"Bearer","azp":"app"});
        let keycloak_id = json!({"aud":"app","typ":"ID","azp":"app"});
        let keycloak_refresh = json!({"aud":"https://kc","typ":"Refresh","azp":"app"});
        let cognito = json!({"aud":"api","token_use":"access","client_id":"app"});
        let cognito_id = json!({"aud":"app","token_use":"id"});
        let bare = json!({"aud":"api"});
        for (profile, good, bad) in [
            (P::EntraId, vec![&entra, &entra_one_app, &entra_daemon], vec![&entra_id, &bare]),
            (P::Auth0, vec![&auth0], vec![&bare, &keycloak_id]),
            (P::Okta, vec![&okta], vec![&bare]),
            (P::Keycloak, vec![&keycloak], vec![&keycloak_id, &keycloak_refresh, &bare]),
            (P::Cognito, vec![&cognito], vec![&cognito_id, &bare]),
            (P::Untyped, vec![&bare, &auth0], vec![&cognito_id, &keycloak_id, &keycloak_refresh]),
        ] {
            for claims in good {
                assert!(check(profile, JWT, claims), "{profile:?} {claims}");
                assert!(check(profile, Typ::Absent, claims), "{profile:?} {claims}");
                assert!(!check(profile, Typ::Is("dpop+jwt"), claims), "{profile:?} {claims}");
                assert!(!check(profile, Typ::Unreadable, claims), "{profile:?} {claims}");
                assert!(!check(P::Rfc9068, JWT, claims), "{claims}");
                for mark in OTHER_TOKENS {
                    let mut marked = claims.clone();
                    marked[mark] = json!("x");
                    assert!(!check(profile, JWT, &marked), "{profile:?} {marked}");
                }
            }
            for claims in bad {
                assert!(!check(profile, JWT, claims), "{profile:?} {claims}");
            }
        }
    }

    #[test]
    fn the_client_is_found_where_the_issuer_puts_it() {
        let claims = json!({"cid":"okta","appid":"entra","azp":"oidc"});
        let claims = claims.as_object().unwrap();
        assert_eq!(TokenProfile::Okta.client(claims), Some("okta"));
        assert_eq!(TokenProfile::Rfc9068.client(claims), Some("oidc"));
        let entra = json!({"appid":"entra"});
        assert_eq!(TokenProfile::EntraId.client(entra.as_object().unwrap()), Some("entra"));
        assert_eq!(TokenProfile::Rfc9068.client(entra.as_object().unwrap()), None);
    }
}
