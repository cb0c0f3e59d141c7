//! A type for each protocol string, so that a client id cannot be passed where a subject is meant.
//!
//! All of them are cheap to clone (one reference count) and compare byte for byte: RFC 8414 §3.3, RFC 9207 §2.4 and
//! RFC 8707 §2 know no normalisation of identifiers.
//!
//! ```
//! use mcp_core::{Issuer, Subject};
//!
//! let issuer = Issuer::new("https://idp.example.com");
//! assert_eq!(issuer.as_str(), "https://idp.example.com");
//! assert_ne!(issuer, Issuer::new("https://idp.example.com/")); // a slash is a difference
//! assert_eq!(Subject::from("42").to_string(), "42");
//! ```

use std::fmt;
use std::sync::Arc;

macro_rules! protocol_string {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the value as it is; nothing is trimmed, decoded or normalised.
            pub fn new(value: impl AsRef<str>) -> Self {
                Self(Arc::from(value.as_ref()))
            }

            /// The value, byte for byte.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self::new(value)
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(Arc::from(value))
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

protocol_string! {
    /// Who vouches for a caller: the `iss` of RFC 7519 §4.1.1 and RFC 8414 §2.
    Issuer
}
protocol_string! {
    /// A person or machine as its issuer names it: the `sub` of RFC 7519 §4.1.2. Unique only together with the [`Issuer`].
    Subject
}
protocol_string! {
    /// The application acting for the subject: the `client_id` of RFC 6749 §2.2.
    ClientId
}
protocol_string! {
    /// Whom a token is meant for: one value of the `aud` of RFC 7519 §4.1.3.
    Audience
}
protocol_string! {
    /// What a token is called: the `jti` of RFC 7519 §4.1.7.
    TokenId
}
