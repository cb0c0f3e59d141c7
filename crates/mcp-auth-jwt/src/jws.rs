//! The compact serialization of a signed token (RFC 7515 §7.1) taken apart, nothing of it believed yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_core::AuthError;
use serde_json::{Map, Value};

use crate::{Algorithm, strict_json};

/// The longest `kid` that is looked at, in bytes.
pub(crate) const MAX_KEY_ID: usize = 512;

/// Three parts, decoded. The signature is unchecked.
pub(crate) struct Jws<'a> {
    /// What is signed: header and payload as they came.
    pub(crate) message: &'a [u8],
    pub(crate) header: Header,
    pub(crate) claims: Map<String, Value>,
    pub(crate) signature: Vec<u8>,
}

/// The protected header.
pub(crate) struct Header {
    members: Map<String, Value>,
}

impl<'a> Jws<'a> {
    /// Whether a text has the outward form of one: three parts. What has not is certainly none.
    pub(crate) fn may_be(token: &str) -> bool {
        token.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Takes a token apart. `None` when it is no JWT in compact form.
    ///
    /// Base64url is read strictly: without padding, without stray bits in the last character. So no two texts are the
    /// same token.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        if !Self::may_be(token) {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let header = Header { members: strict_json::object(&URL_SAFE_NO_PAD.decode(header).ok()?)? };
        let claims = strict_json::object(&URL_SAFE_NO_PAD.decode(payload).ok()?)?;
        Some(Self {
            message: message.as_bytes(),
            header,
            claims,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

impl Header {
    /// The `alg`, if it is a text.
    pub(crate) fn algorithm(&self) -> Option<&str> {
        self.members.get("alg").and_then(Value::as_str)
    }

    /// The `typ`.
    pub(crate) fn kind(&self) -> Typ<'_> {
        match self.members.get("typ") {
            None => Typ::Absent,
            Some(Value::String(text)) => Typ::Is(text),
            Some(_) => Typ::Unreadable,
        }
    }

    /// The `kid`. An error when it is there and no text of bearable length.
    pub(crate) fn key_id(&self) -> Result<Option<&str>, ()> {
        match self.members.get("kid") {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_KEY_ID => Ok(Some(text)),
            Some(_) => Err(()),
        }
    }

    /// Whether the header demands extensions to be understood. We understand none, so such a token is refused
    /// (RFC 7515 §4.1.11), `b64` of RFC 7797 included.
    pub(crate) fn is_critical(&self) -> bool {
        self.members.contains_key("crit") || self.members.contains_key("b64")
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }
}

/// What a signature is checked by and over. Its algorithm is one that is allowed, its header demands nothing.
pub(crate) struct Signed<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

impl<'a> Signed<'a> {
    /// Judges the header.
    pub(crate) fn of(jws: &Jws<'a>, allowed: &[Algorithm]) -> Result<Self, AuthError> {
        let header = &jws.header;
        if header.is_critical() {
            // RFC 7515 §4.1.11: an extension that is not understood makes the token invalid.
            return Err(AuthError::invalid_token("the token demands extensions, crit"));
        }
        let algorithm = header
            .algorithm()
            .and_then(Algorithm::from_name)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or_else(|| {
                AuthError::invalid_token("the token is signed by an algorithm that is not allowed")
            })?;
        let key_id =
            header.key_id().map_err(|()| AuthError::invalid_token("the token names its key unreadably"))?;
        Ok(Self {
            algorithm,
            key_id: key_id.map(str::to_owned),
            message: jws.message,
            signature: jws.signature.clone(),
        })
    }
}

/// The `typ` of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typ<'a> {
    /// There is none.
    Absent,
    /// There is this one.
    Is(&'a str),
    /// There is one that is no text.
    Unreadable,
}

impl Typ<'_> {
    /// Whether it is this media type. RFC 7515 §4.1.9: compared without case, `application/` may be left out.
    pub(crate) fn is(self, name: &str) -> bool {
        let Self::Is(text) = self else { return false };
        let bare = match text.as_bytes().get(..12) {
            Some(prefix) if prefix.eq_ignore_ascii_case(b"application/") => text.get(12..).unwrap_or(text),
            _ => text,
        };
        bare.eq_ignore_ascii_case(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typ_is_compared_as_a_media_type() {
        assert!(Typ::Is("at+jwt").is("at+jwt"));
        assert!(Typ::Is("Application/AT+JWT").is("at+jwt"));
        assert!(!Typ::Is("at+jwt2").is("at+jwt"));
        assert!(!Typ::Is("application/").is("at+jwt"));
        assert!(!Typ::Absent.is("at+jwt"));
        assert!(!Typ::Unreadable.is("at+jwt"));
    }

    #[test]
    fn stray_bits_and_padding_are_no_base64url() {
        let good = "e30.e30.AA";
        assert!(Jws::parse(good).is_some());
        for bad in
            ["e30.e30.AB", "e30.e30.AA==", "e30=.e30.AA", "e30.e30", "e30.e30.AA.AA", "a.b.c", "", ".."]
        {
            assert!(Jws::parse(bad).is_none(), "{bad}");
        }
    }
}
