//! What a JWT says of itself, unverified: enough to know where to look.

use std::borrow::Cow;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;

/// No token of ours is longer.
const MAX: usize = 16 * 1024;

/// The claims of a JWT that anybody can have made: believed by nobody before its record was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnverifiedJwt {
    /// `iss`.
    pub(crate) issuer: String,
    /// `jti`.
    pub(crate) id: String,
    /// `kid`.
    pub(crate) key: Option<String>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    jti: Cow<'a, str>,
}

impl UnverifiedJwt {
    /// Reads a JWT in compact form (RFC 7515 §7.1) that names its issuer and itself; `None` for anything else.
    pub(crate) fn parse(token: &str) -> Option<Self> {
        if token.len() > MAX {
            return None;
        }
        let mut parts = token.split('.');
        let (header, claims) = (parts.next()?, parts.next()?);
        let (Some(_signature), None) = (parts.next(), parts.next()) else { return None };
        let claims = Base64UrlUnpadded::decode_vec(claims).ok()?;
        let claims: Claims<'_> = serde_json::from_slice(&claims).ok()?;
        let header = Base64UrlUnpadded::decode_vec(header).ok()?;
        let header: Header<'_> = serde_json::from_slice(&header).ok()?;
        Some(Self {
            issuer: claims.iss.into_owned(),
            id: claims.jti.into_owned(),
            key: header.kid.map(Cow::into_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jwt(header: &str, claims: &str) -> String {
        let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        format!("{}.{}.AA", encode(header), encode(claims))
    }

    #[test]
    fn it_says_where_to_look() {
        let token =
            jwt(r#"{"kid":"k","alg":"ES256"}"#, r#"{"iss":"https://as.test","jti":"p.x","sub":"ada"}"#);
        let read = UnverifiedJwt::parse(&token).unwrap();
        assert_eq!((&*read.issuer, &*read.id, read.key.as_deref()), ("https://as.test", "p.x", Some("k")));
    }

    #[test]
    fn what_is_no_jwt_says_nothing() {
        let good = jwt("{}", r#"{"iss":"i","jti":"j"}"#);
        assert!(UnverifiedJwt::parse(&good).is_some());
        for bad in [
            String::new(),
            "..".to_owned(),
            good[..good.len() - 3].to_owned(),
            format!("{good}.AA"),
            format!("{}{good}", "A".repeat(MAX)),
            jwt("{}", r#"{"iss":"i"}"#),
            jwt("{}", r#"{"iss":1,"jti":"j"}"#),
            jwt("{}", r#"{"iss":"i","jti":"j","jti":"k"}"#),
            jwt("[]", r#"{"iss":"i","jti":"j"}"#),
            jwt("{}", &format!("{{\"iss\":\"i\",\"jti\":\"j\",\"x\":{}", "[".repeat(2000))),
        ] {
            assert_eq!(UnverifiedJwt::parse(&bad), None, "{bad:.60}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(token in "[A-Za-z0-9_.-]{0,80}", text in ".{0,80}") {
            let _ = UnverifiedJwt::parse(&token);
            let _ = UnverifiedJwt::parse(&jwt(&text, &token));
            let _ = UnverifiedJwt::parse(&jwt("{}", &text));
        }
    }
}
