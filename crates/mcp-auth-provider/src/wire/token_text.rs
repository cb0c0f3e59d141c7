//! Tokens as text: what they are for, where their record is, and 256 random bits.
//!
//! `mcp_at_` + 22 characters of partition + 43 characters of secret. The prefix lets scanners of leaked secrets find them and
//! keeps one kind from being taken for another; the partition is random and says nothing; at rest there is only the SHA-256
//! of the whole.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_core::random_id;
use mcp_store::{Name, Partition};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Access,
    Refresh,
    Code,
    Device,
    /// RFC 7592 §3: the registration access token.
    Registration,
    /// A `request_uri` of RFC 9126 without its `urn:` part.
    Pushed,
    /// A browser session.
    Session,
    /// The handle of an authorization under way.
    Transaction,
}

impl TokenKind {
    #[cfg(test)]
    const ALL: [Self; 8] = [
        Self::Access,
        Self::Refresh,
        Self::Code,
        Self::Device,
        Self::Registration,
        Self::Pushed,
        Self::Session,
        Self::Transaction,
    ];

    fn prefix(self) -> &'static str {
        match self {
            Self::Access => "mcp_at_",
            Self::Refresh => "mcp_rt_",
            Self::Code => "mcp_ac_",
            Self::Device => "mcp_dc_",
            Self::Registration => "mcp_ra_",
            Self::Pushed => "mcp_pr_",
            Self::Session => "mcp_bs_",
            Self::Transaction => "mcp_tx_",
        }
    }

    /// How the name of its record begins.
    pub(crate) fn record(self) -> &'static str {
        match self {
            Self::Access => "access.",
            Self::Refresh => "refresh.",
            Self::Code => "code.",
            Self::Device => "device.",
            Self::Registration => "manage.",
            Self::Pushed => "pushed.",
            Self::Session => "session.",
            Self::Transaction => "tx.",
        }
    }
}

const PARTITION: usize = 22;
const SECRET: usize = 43;

/// A token in clear: only on its way in or out.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenText {
    kind: TokenKind,
    partition: Partition,
    text: String,
}

impl TokenText {
    /// A new one, in this partition (which must be a [random](Partition::random) one).
    pub(crate) fn new(kind: TokenKind, partition: &Partition) -> Self {
        let text = format!("{}{partition}{}", kind.prefix(), random_id());
        Self { kind, partition: partition.clone(), text }
    }

    /// Reads one of this kind; `None` for anything else.
    pub(crate) fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let body = text.strip_prefix(kind.prefix())?;
        let well_formed = body.len() == PARTITION + SECRET && body.bytes().all(is_base64url);
        if !well_formed {
            return None;
        }
        let partition = Self::read_partition(&body[..PARTITION])?;
        Some(Self { kind, partition, text: text.to_owned() })
    }

    /// Reads a partition as tokens carry it: a random one, and none that has a meaning of its own in the store.
    pub(crate) fn read_partition(text: &str) -> Option<Partition> {
        let well_formed = text.len() == PARTITION && text.bytes().all(is_base64url);
        if well_formed { Partition::new(text).ok() } else { None }
    }

    /// Where its record is.
    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// What its record is called: its SHA-256.
    pub(crate) fn name(&self) -> Name {
        record_name(self.kind, self.text.as_bytes())
    }

    /// The token itself.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }
}

/// The name of the record of a token of this kind, whatever its form (a JWT is hashed as well).
pub(crate) fn record_name(kind: TokenKind, token: &[u8]) -> Name {
    let hash = Base64UrlUnpadded::encode_string(digest(&SHA256, token).as_ref());
    #[expect(clippy::expect_used, reason = "a short prefix and 43 characters of base64url are always a name")]
    Name::new(format!("{}{hash}", kind.record())).expect("a digest is a name")
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({}{}…)", self.kind.prefix(), self.partition)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_read_as_its_own_kind_only() {
        let partition = Partition::random();
        for kind in TokenKind::ALL {
            let token = TokenText::new(kind, &partition);
            for other in TokenKind::ALL {
                assert_eq!(TokenText::parse(other, token.expose()).is_some(), other == kind);
            }
            assert_eq!(TokenText::parse(kind, token.expose()).unwrap(), token);
            assert_eq!(token.partition(), &partition);
            assert!(!format!("{token:?}").contains(&token.expose()[40..]));
        }
    }

    // covers: AC17
    #[test]
    fn ten_thousand_codes_differ_and_none_is_in_its_name() {
        let partition = Partition::random();
        let codes: HashSet<String> = (0..10_000)
            .map(|_| {
                let code = TokenText::new(TokenKind::Code, &partition);
                assert!(!code.name().as_str().contains(&code.expose()[29..]));
                code.expose()[29..].to_owned()
            })
            .collect();
        assert_eq!(codes.len(), 10_000);
        assert!(codes.iter().all(|secret| secret.len() == 43));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(mcp_at_)?.{0,80}") {
            let _ = TokenText::parse(TokenKind::Access, &text);
        }
    }
}
