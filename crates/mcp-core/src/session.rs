//! Sessions bound to their principal without remembering any of them (spec TL-05).
//!
//! The server behind issues an id; the client is shown `id.mac(principal, id)`. On the way in the MAC is checked against
//! the principal of *this* request and taken off. A session id in other hands is an unknown session: 404.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64ct::{Base64UrlUnpadded, Encoding};
use http::HeaderValue;
use quick_cache::sync::Cache;

use crate::{Principal, ProtectedResource, SecretKey, constant_time_eq};

/// Bytes of the MAC that are shown: 128 bits, beside an id that is hard to guess already.
const SHOWN: usize = 16;

/// How many checked ids are remembered: an HMAC costs more than everything else on the way of a known caller.
const REMEMBERED: usize = 16_384;

/// Makes and checks the bound session ids of one resource.
pub(crate) struct SessionBinding {
    key: Key,
    /// By the text that was shown: the principal it was checked for, and the id behind it. Forgetting one costs its HMAC
    /// again.
    checked: Cache<HeaderValue, (Principal, HeaderValue)>,
}

impl SessionBinding {
    pub(crate) fn new(key: &SecretKey) -> Self {
        Self { key: Key::new(HMAC_SHA256, key.expose()), checked: Cache::new(REMEMBERED) }
    }

    /// As [`check`](Self::check), for a header.
    pub(crate) fn check_header(
        &self,
        resource: &ProtectedResource,
        principal: &Principal,
        shown: &HeaderValue,
    ) -> Option<HeaderValue> {
        if let Some((known, id)) = self.checked.get(shown)
            && known == *principal
        {
            return Some(id);
        }
        let id = HeaderValue::from_str(self.check(resource, principal, shown.to_str().ok()?)?).ok()?;
        // A copy: what came with the request shares the whole buffer it was read into.
        let shown = HeaderValue::from_bytes(shown.as_bytes()).ok()?;
        self.checked.insert(shown, (principal.clone(), id.clone()));
        Some(id)
    }

    /// The id to show to a principal.
    pub(crate) fn bind(&self, resource: &ProtectedResource, principal: &Principal, id: &str) -> String {
        format!("{id}.{}", self.mac(resource, principal, id))
    }

    /// The id behind a shown one, if it was shown to this principal.
    ///
    /// A session that was opened without signing in stays one: whoever signs in later opens another. The server behind
    /// hands answers and messages to whoever holds the session's streams, and so may somebody who knows nothing but its id.
    pub(crate) fn check<'a>(
        &self,
        resource: &ProtectedResource,
        principal: &Principal,
        shown: &'a str,
    ) -> Option<&'a str> {
        let (id, mac) = shown.rsplit_once('.')?;
        constant_time_eq(mac, self.mac(resource, principal, id)).then_some(id)
    }

    fn mac(&self, resource: &ProtectedResource, principal: &Principal, id: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        // Each part is preceded by its length, so that no two triples give the same bytes.
        for part in ["mcp session", resource.identifier(), principal.as_str(), id] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        Base64UrlUnpadded::encode_string(tag.as_ref().get(..SHOWN).unwrap_or_default())
    }
}

impl std::fmt::Debug for SessionBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionBinding")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    fn resource(path: &str) -> ProtectedResource {
        ProtectedResource::new(&"https://mcp.example.com".parse().unwrap(), path)
    }

    fn caller(subject: &str, client: &str) -> Identity {
        Identity::new("https://idp.example.com", subject).client(client).build()
    }

    // covers: TL-05
    #[test]
    fn remembers_what_it_checked_for_its_principal_alone() {
        let binding = SessionBinding::new(&SecretKey::random());
        let (ada, bob) = (caller("ada", "cli"), caller("bob", "cli"));
        let shown = binding.bind(&resource("/mcp"), ada.principal(), "abc");
        let shown = HeaderValue::try_from(shown).unwrap();
        let id = |identity: &Identity, shown: &HeaderValue| {
            binding.check_header(&resource("/mcp"), identity.principal(), shown)
        };
        for _ in 0..2 {
            assert_eq!(id(&ada, &shown).unwrap(), "abc");
            assert_eq!(id(&bob, &shown), None);
            assert_eq!(id(&Identity::anonymous(), &shown), None);
            assert_eq!(id(&ada, &HeaderValue::from_static("abc.def")), None);
        }
    }

    // covers: TL-05, SEC-05
    #[test]
    fn belongs_to_one_principal_on_one_resource() {
        let binding = SessionBinding::new(&SecretKey::random());
        let ada = caller("ada", "cli");
        let shown = binding.bind(&resource("/mcp"), ada.principal(), "abc.def");
        let id = |identity: &Identity, path: &str, shown: &str| {
            binding.check(&resource(path), identity.principal(), shown).map(ToOwned::to_owned)
        };
        assert_eq!(id(&ada, "/mcp", &shown).as_deref(), Some("abc.def"));
        assert_eq!(id(&caller("ada", "ide"), "/mcp", &shown), None);
        assert_eq!(id(&caller("bob", "cli"), "/mcp", &shown), None);
        assert_eq!(id(&Identity::anonymous(), "/mcp", &shown), None);
        assert_eq!(id(&ada, "/other", &shown), None);
        assert_eq!(id(&ada, "/mcp", "abc.def"), None);
        assert_eq!(id(&ada, "/mcp", "abcdef"), None);
        assert!(
            SessionBinding::new(&SecretKey::random())
                .check(&resource("/mcp"), ada.principal(), &shown)
                .is_none()
        );
    }

    // covers: TL-07
    #[test]
    fn a_session_opened_without_signing_in_is_nobody_elses() {
        let binding = SessionBinding::new(&SecretKey::random());
        let shown = binding.bind(&resource("/mcp"), Identity::anonymous().principal(), "abc");
        let id = |identity: &Identity| binding.check(&resource("/mcp"), identity.principal(), &shown);
        assert_eq!(id(&Identity::anonymous()), Some("abc"));
        assert_eq!(id(&caller("ada", "cli")), None);
    }

    proptest::proptest! {
        #[test]
        fn refuses_whatever_it_did_not_make(shown in "[!-~]{0,60}") {
            let binding = SessionBinding::new(&SecretKey::random());
            let ada = caller("a", "b");
            proptest::prop_assert!(binding.check(&resource("/mcp"), ada.principal(), &shown).is_none());
        }
    }
}
