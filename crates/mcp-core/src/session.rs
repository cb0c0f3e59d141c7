//! Sessions bound to their principal without remembering any of them (spec TL-05).
//!
//! The server behind issues an id; the client is shown `id.mac(principal, id)`. On the way in the MAC is checked against
//! the principal of *this* request and taken off. A session id in other hands is an unknown session: 404.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64ct::{Base64UrlUnpadded, Encoding};
use http::HeaderValue;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::{Identity, Principal, ProtectedResource, SecretKey, constant_time_eq};

/// Bytes of the MAC that are shown: 128 bits, beside an id that is hard to guess already.
const SHOWN: usize = 16;

/// How many checked ids are remembered: an HMAC costs more than everything else on the way of a known caller.
const REMEMBERED: usize = 16_384;

/// Makes and checks the bound session ids of one resource.
pub(crate) struct SessionBinding {
    key: Key,
    /// What was checked before, for exactly this principal and exactly this text. Forgetting one costs its HMAC again.
    checked: Cache<Shown, (HeaderValue, bool)>,
}

/// A principal and the id it showed.
#[derive(PartialEq, Eq, Hash)]
struct Shown(Principal, HeaderValue);

#[derive(Hash)]
struct ShownRef<'a>(&'a Principal, &'a HeaderValue);

impl Equivalent<Shown> for ShownRef<'_> {
    fn equivalent(&self, key: &Shown) -> bool {
        *self.0 == key.0 && *self.1 == key.1
    }
}

/// A session id that belongs to the caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bound<'a> {
    /// As the server behind knows it.
    pub(crate) id: &'a str,
    /// Opened by a caller who had not signed in; the caller of this request has.
    pub(crate) opened_anonymously: bool,
}

impl SessionBinding {
    pub(crate) fn new(key: &SecretKey) -> Self {
        Self { key: Key::new(HMAC_SHA256, key.expose()), checked: Cache::new(REMEMBERED) }
    }

    /// As [`check`](Self::check), for a header: the id behind it, and whether its session was opened anonymously.
    pub(crate) fn check_header(
        &self,
        resource: &ProtectedResource,
        identity: &Identity,
        shown: &HeaderValue,
    ) -> Option<(HeaderValue, bool)> {
        if let Some(known) = self.checked.get(&ShownRef(identity.principal(), shown)) {
            return Some(known);
        }
        let bound = self.check(resource, identity, shown.to_str().ok()?)?;
        let known = (HeaderValue::from_str(bound.id).ok()?, bound.opened_anonymously);
        self.checked.insert(Shown(identity.principal().clone(), shown.clone()), known.clone());
        Some(known)
    }

    /// The id to show to a principal.
    pub(crate) fn bind(&self, resource: &ProtectedResource, principal: &Principal, id: &str) -> String {
        format!("{id}.{}", self.mac(resource, principal, id))
    }

    /// The id behind a shown one, if the caller may use it.
    pub(crate) fn check<'a>(
        &self,
        resource: &ProtectedResource,
        identity: &Identity,
        shown: &'a str,
    ) -> Option<Bound<'a>> {
        let (id, mac) = shown.rsplit_once('.')?;
        if constant_time_eq(mac, self.mac(resource, identity.principal(), id)) {
            return Some(Bound { id, opened_anonymously: identity.is_anonymous() });
        }
        // A caller who began without signing in keeps its session when it does.
        let nobody = Identity::anonymous();
        (!identity.is_anonymous() && constant_time_eq(mac, self.mac(resource, nobody.principal(), id)))
            .then_some(Bound { id, opened_anonymously: true })
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
            binding.check_header(&resource("/mcp"), identity, shown).map(|(id, _)| id)
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
            binding.check(&resource(path), identity, shown).map(|bound| bound.id.to_owned())
        };
        assert_eq!(id(&ada, "/mcp", &shown).as_deref(), Some("abc.def"));
        assert_eq!(id(&caller("ada", "ide"), "/mcp", &shown), None);
        assert_eq!(id(&caller("bob", "cli"), "/mcp", &shown), None);
        assert_eq!(id(&Identity::anonymous(), "/mcp", &shown), None);
        assert_eq!(id(&ada, "/other", &shown), None);
        assert_eq!(id(&ada, "/mcp", "abc.def"), None);
        assert_eq!(id(&ada, "/mcp", "abcdef"), None);
        assert!(SessionBinding::new(&SecretKey::random()).check(&resource("/mcp"), &ada, &shown).is_none());
    }

    #[test]
    fn follows_a_caller_who_signs_in_later() {
        let binding = SessionBinding::new(&SecretKey::random());
        let shown = binding.bind(&resource("/mcp"), Identity::anonymous().principal(), "abc");
        let bound = binding.check(&resource("/mcp"), &caller("ada", "cli"), &shown);
        assert_eq!(bound, Some(Bound { id: "abc", opened_anonymously: true }));
    }

    proptest::proptest! {
        #[test]
        fn refuses_whatever_it_did_not_make(shown in "[!-~]{0,60}") {
            let binding = SessionBinding::new(&SecretKey::random());
            proptest::prop_assert!(binding.check(&resource("/mcp"), &caller("a", "b"), &shown).is_none());
        }
    }
}
