//! What is kept of a key.

use std::fmt;
use std::time::Duration;

use mcp_core::{Clock, Scopes, Timestamp};

use super::date;
use super::key::{ApiKey, Digest, digest};

/// What is kept of a key: everything but the key.
///
/// ```
/// use mcp_auth_jwt::ApiKeys;
/// use mcp_core::{Scopes, Timestamp};
///
/// let new = ApiKeys::generate("ada")
///     .scopes(Scopes::from("files:read"))
///     .expires_at(Timestamp::from_secs(1_830_297_600))
///     .client("nightly build");
/// let toml = new.entry().to_toml();
/// assert!(toml.starts_with("[[key]]\nid = \""));
/// assert!(toml.contains("owner = \"ada\"\n"));
/// assert!(toml.contains("expires = 2028-01-01T00:00:00Z\n"));
/// assert!(!toml.contains(new.key().expose()));
/// ```
#[derive(Clone)]
pub struct KeyEntry {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) digest: Digest,
    pub(super) scopes: Scopes,
    pub(super) expires: Option<Timestamp>,
    pub(super) resources: Vec<String>,
    pub(super) client: Option<String>,
}

impl KeyEntry {
    /// What the key is called.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is: the subject of the identity.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What it allows.
    #[must_use]
    pub fn granted(&self) -> &Scopes {
        &self.scopes
    }

    /// When it ends, if ever.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The application it was made for, where that was said.
    #[must_use]
    pub fn used_by(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// The resources it is good at, by identifier. Empty: at all of the site.
    #[must_use]
    pub fn resources(&self) -> &[String] {
        &self.resources
    }

    /// The SHA-256 of the key.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(super) fn opens(&self, resource: &str) -> bool {
        self.resources.is_empty() || self.resources.iter().any(|one| one == resource)
    }

    /// The entry as a `KeyFile` (feature `keys-file`) wants it, to be added at its end.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut lines = vec![
            "[[key]]".to_owned(),
            format!("id = {}", quote(&self.id)),
            format!("owner = {}", quote(&self.owner)),
        ];
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        if !self.scopes.is_empty() {
            let scopes = self.scopes.iter().map(|scope| quote(scope.as_str())).collect();
            lines.push(format!("scopes = {}", list(scopes)));
        }
        if let Some(end) = self.expires {
            lines.push(format!("expires = {}", date::write(end)));
        }
        if !self.resources.is_empty() {
            let resources = self.resources.iter().map(|one| quote(one)).collect();
            lines.push(format!("resources = {}", list(resources)));
        }
        if let Some(client) = &self.client {
            lines.push(format!("client = {}", quote(client)));
        }
        // Last, since no entry is one without it: who reads a file that is half written finds no key that may do more.
        lines.push(format!("sha256 = {}", quote(&hex(&self.digest))));
        lines.join("\n") + "\n"
    }
}

impl fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEntry")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .field("scopes", &self.scopes)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A key that was just made, and its entry. The setters say what the key allows.
#[derive(Clone, Debug)]
#[must_use = "the key is lost unless it is shown, and of no use unless the entry is kept"]
pub struct NewKey {
    key: ApiKey,
    entry: KeyEntry,
}

impl NewKey {
    pub(super) fn new(key: ApiKey, owner: String) -> Self {
        let entry = KeyEntry {
            id: key.id().to_owned(),
            owner,
            digest: digest(key.expose()),
            scopes: Scopes::none(),
            expires: None,
            resources: Vec::new(),
            client: None,
        };
        Self { key, entry }
    }

    /// What it allows; nothing but coming in unless said.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.entry.scopes = scopes;
        self
    }

    /// When it ends; never unless said. Kept to the second.
    pub fn expires_at(mut self, end: Timestamp) -> Self {
        self.entry.expires = Some(Timestamp::from_secs(end.as_secs()));
        self
    }

    /// How long from now it is good.
    pub fn expires_in(self, span: Duration, clock: &dyn Clock) -> Self {
        self.expires_at(clock.now() + span)
    }

    /// One resource, by identifier, at which it is good. Said once or more, it is good nowhere else.
    pub fn resource(mut self, identifier: impl Into<String>) -> Self {
        self.entry.resources.push(identifier.into());
        self
    }

    /// The application it is for. Keys of one owner for different applications do not share sessions.
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.entry.client = Some(client.into());
        self
    }

    /// The key, to be shown to its owner once.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// The entry, to be kept.
    #[must_use]
    pub fn entry(&self) -> &KeyEntry {
        &self.entry
    }

    /// The entry; the key is wiped.
    #[must_use]
    pub fn into_entry(self) -> KeyEntry {
        self.entry
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A TOML basic string.
fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
