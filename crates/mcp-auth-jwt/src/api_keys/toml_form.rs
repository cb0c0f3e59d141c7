//! What stands in the file of API keys: TOML, one `[[key]]` for each.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use mcp_core::{ConfigError, Scope, Timestamp};
use serde::Deserialize;

use super::KeyEntry;
use super::date;
use super::directory::insert;
use super::key::{Digest, is_id};

/// The entries of such a text, by id.
///
/// # Errors
/// When there is a mistake in it: by its line, and without its words.
pub(super) fn parse(text: &str, path: &Path) -> Result<HashMap<String, Arc<KeyEntry>>, ConfigError> {
    let file: KeysToml = toml::from_str(text).map_err(|error| {
        // The error's own text quotes the line, and its message a word of it; somebody may have put a key there.
        let at = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        let what = match error.message() {
            ours if ours.starts_with("missing field") => ours,
            theirs => theirs.split(['"', '`']).next().unwrap_or_default().trim_end(),
        };
        ConfigError::new(format!(
            "the file of API keys {} has a mistake in line {line}: {what}",
            path.display()
        ))
    })?;
    let mut entries = HashMap::with_capacity(file.key.len());
    for key in file.key {
        insert(&mut entries, key.entry()?)?;
    }
    Ok(entries)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysToml {
    #[serde(default)]
    key: Vec<KeyToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyToml {
    id: String,
    owner: String,
    sha256: String,
    #[serde(default)]
    scopes: Vec<String>,
    expires: Option<toml::value::Datetime>,
    #[serde(default)]
    resources: Vec<String>,
    client: Option<String>,
}

impl KeyToml {
    fn entry(self) -> Result<KeyEntry, ConfigError> {
        // An id that is none may be a whole key: only `insert` says so, without showing it.
        let name = if is_id(&self.id) { self.id.as_str() } else { "with a malformed id" };
        let wrong = |what: &str| ConfigError::new(format!("the API key {name:?} {what}"));
        let digest = unhex(&self.sha256)
            .ok_or_else(|| wrong("has a sha256 that is not 64 hexadecimal digits: copy it from `to_toml`"))?;
        let mut scopes = Vec::with_capacity(self.scopes.len());
        for scope in &self.scopes {
            scopes.push(Scope::parse(scope)?);
        }
        let expires = match self.expires {
            None => None,
            Some(at) => Some(timestamp(&at).ok_or_else(|| {
                wrong("has an expires that is no moment: write it like 2028-01-01T00:00:00Z, with the Z")
            })?),
        };
        if self.resources.iter().any(|one| !one.starts_with("http")) {
            return Err(wrong(
                "is for what no resource is called: write its whole URL, like https://mcp.example.com/mcp",
            ));
        }
        Ok(KeyEntry {
            id: self.id,
            owner: self.owner,
            digest,
            scopes: scopes.into_iter().collect(),
            expires,
            resources: self.resources,
            client: self.client,
        })
    }
}

fn timestamp(at: &toml::value::Datetime) -> Option<Timestamp> {
    let (date, time) = (at.date?, at.time?);
    let offset = match at.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => minutes,
    };
    let second = time.second.unwrap_or(0);
    date::seconds((date.year, date.month, date.day), (time.hour, time.minute, second), offset)
        .map(Timestamp::from_secs)
}

fn unhex(text: &str) -> Option<Digest> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (n, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(digest)
}
