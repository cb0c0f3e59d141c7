//! Whom a grant is about, where no sign-in said it: clients themselves, and users that another identity provider vouches for.
//!
//! A resource sees one `sub`. So none of these names may be one that a sign-in could give (RFC 9068 §5, RFC 9700 §4.15), and
//! sign-ins may not give one of these.

use std::fmt::Write as _;

use mcp_core::ClientId;

const CLIENT: &str = "client:";
const IDP: &str = "idp:";

/// A client that acts for itself.
pub(crate) fn of_client(client: &ClientId) -> String {
    format!("{CLIENT}{client}")
}

/// The client, if that is whom a subject means.
pub(crate) fn client_of(subject: &str) -> Option<ClientId> {
    subject.strip_prefix(CLIENT).map(ClientId::from)
}

/// A user of another identity provider: `idp:` issuer `|` user, or `idp:` issuer `|` tenant `|` user. No two users have one
/// name: what a part has of the separator is escaped.
pub(crate) fn of_idp(issuer: &str, tenant: Option<&str>, user: &str) -> String {
    let mut subject = IDP.to_owned();
    for (number, part) in [Some(issuer), tenant, Some(user)].into_iter().flatten().enumerate() {
        if number > 0 {
            subject.push('|');
        }
        for character in part.chars() {
            if matches!(character, '|' | '%') || character.is_control() {
                let _ = write!(subject, "%{:02X}", u32::from(character));
            } else {
                subject.push(character);
            }
        }
    }
    subject
}

/// Whether a name is of this kind, and so none that a sign-in may give its users.
pub(crate) fn is_reserved(subject: &str) -> bool {
    subject.starts_with(CLIENT) || subject.starts_with(IDP)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_can_be_read() {
        assert_eq!(of_client(&"ci".into()), "client:ci");
        assert_eq!(client_of("client:ci"), Some("ci".into()));
        assert_eq!(client_of("ada"), None);
        assert_eq!(of_idp("https://idp.test", None, "ada"), "idp:https://idp.test|ada");
        assert_eq!(of_idp("https://idp.test", Some("acme"), "a|b"), "idp:https://idp.test|acme|a%7Cb");
    }

    proptest! {
        #[test]
        fn no_two_users_have_one_name(
            one in ("[a|%7C]{1,4}", proptest::option::of("[a|%7C]{0,3}"), "[a|%7C\u{7f}]{1,4}"),
            other in ("[a|%7C]{1,4}", proptest::option::of("[a|%7C]{0,3}"), "[a|%7C\u{7f}]{1,4}"),
        ) {
            let name = |(issuer, tenant, user): &(String, Option<String>, String)| {
                of_idp(issuer, tenant.as_deref(), user)
            };
            prop_assert_eq!(name(&one) == name(&other), one == other);
            prop_assert!(is_reserved(&name(&one)));
        }
    }
}
