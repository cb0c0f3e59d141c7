//! A directory in a TOML file that is read again when it changes.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mcp_core::{Clock, ConfigError, Scope, Timestamp};
use serde::Deserialize;

use super::KeyEntry;
use super::date;
use super::directory::{KeyDirectory, KeyDirectoryError, insert};
use super::key::{Digest, digest, is_id};

/// A directory in a TOML file.
///
/// ```toml
/// [[key]]
/// id = "9hT2mXc4QpLw"
/// owner = "ada"
/// scopes = ["files:read"]                         # none unless said
/// expires = 2028-01-01T00:00:00Z                  # never unless said
/// resources = ["https://mcp.example.com/mcp"]     # every resource of the site unless said
/// client = "nightly build"                        # the application it is for, where that matters
/// sha256 = "…64 hexadecimal digits…"              # last, so that half an entry is none
/// ```
///
/// [`KeyEntry::to_toml`] writes such an entry and [`append`](Self::append) adds it. The file is looked at again once a
/// second, while there are requests: a key that was taken out is refused within that time. A file that cannot be read
/// any more, or has a mistake, changes nothing but for an error in the log. A program that writes it anew should write
/// another file and rename that.
///
/// The file holds hashes of 256-bit secrets, which are of no use to a thief. Whoever can *write* it can let anybody in:
/// it must not be writable by group or others.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keys.toml");
/// use mcp_auth_jwt::{ApiKeys, KeyDirectory, KeyFile};
/// use mcp_core::SystemClock;
///
/// let new = ApiKeys::generate("ada");
/// KeyFile::append(&path, new.entry())?;
/// let file = KeyFile::new(&path);
/// file.start(&SystemClock).await?;
/// let found = file.find(new.key().id(), &SystemClock).await?;
/// assert_eq!(found.unwrap().owner(), "ada");
/// # Ok(())
/// # }
/// ```
pub struct KeyFile {
    path: PathBuf,
    every: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    looked: Option<Timestamp>,
    // Of the text last read: what has not changed is not parsed again.
    read: Option<Digest>,
    complaint: Option<String>,
    entries: Arc<HashMap<String, Arc<KeyEntry>>>,
}

impl KeyFile {
    /// A directory in this file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), every: Duration::from_secs(1), state: Arc::default() }
    }

    /// How often the file is looked at, at most, and so how late a change is seen. Every second unless said.
    #[must_use]
    pub fn look_every(mut self, span: Duration) -> Self {
        self.every = span;
        self
    }

    /// Adds an entry at the end of a file, which is made (mode 0600) if it is not there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(path: impl AsRef<Path>, entry: &KeyEntry) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(path)?;
        let gap = if file.metadata()?.len() == 0 { "" } else { "\n" };
        // One write: a server that reads meanwhile sees the whole entry or nothing of it.
        file.write_all(format!("{gap}{}", entry.to_toml()).as_bytes())?;
        file.sync_all()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file and takes over what it says. What it said before stays when it cannot be read.
    async fn look(&self) -> Result<(), ConfigError> {
        let (path, state) = (self.path.clone(), Arc::clone(&self.state));
        let looking = tokio::task::spawn_blocking(move || {
            let text = read(&path)?;
            let hash = digest(&text);
            let known = state.lock().unwrap_or_else(PoisonError::into_inner).read;
            if known == Some(hash) {
                return Ok(());
            }
            let entries = parse(&text, &path)?;
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.entries = Arc::new(entries);
            state.read = Some(hash);
            Ok(())
        });
        match looking.await {
            Ok(result) => result,
            Err(_) => Err(ConfigError::new("the file of API keys was not read to its end")),
        }
    }
}

#[async_trait]
impl KeyDirectory for KeyFile {
    async fn start(&self, clock: &dyn Clock) -> Result<(), ConfigError> {
        self.state().looked = Some(clock.now());
        self.look().await
    }

    async fn find(&self, id: &str, clock: &dyn Clock) -> Result<Option<Arc<KeyEntry>>, KeyDirectoryError> {
        let now = clock.now();
        let due = {
            let mut state = self.state();
            let due = state.looked.is_none_or(|last| now.since(last) >= self.every || now < last);
            if due {
                // Said before looking: one request looks, the others go on with what is known.
                state.looked = Some(now);
            }
            due
        };
        if due {
            let complaint = self.look().await.err().map(|error| error.to_string());
            let mut state = self.state();
            if complaint != state.complaint {
                match &complaint {
                    Some(sentence) => tracing::error!("{sentence}; the keys read before stay in force"),
                    None => tracing::info!("the file of API keys can be read again"),
                }
                state.complaint = complaint;
            }
            if state.read.is_none() {
                return Err(KeyDirectoryError::new("the file of API keys was never read"));
            }
        }
        Ok(self.state().entries.get(id).cloned())
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFile({:?}, {} keys)", self.path, self.state().entries.len())
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let wrong = |what: &str| ConfigError::new(format!("the file of API keys {} {what}", path.display()));
    let file = File::open(path).map_err(|error| {
        wrong("cannot be opened: make it, and let the server's user read it").because(error)
    })?;
    let about = file.metadata().map_err(|error| wrong("cannot be examined").because(error))?;
    if !about.is_file() {
        return Err(wrong("is no file: name one"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if about.permissions().mode() & 0o022 != 0 {
            return Err(wrong(
                "can be written by its group or by others, who could let anybody in: run chmod go-w on it",
            ));
        }
    }
    let mut text = String::new();
    // One byte more than allowed, to tell a file of the largest size from a larger one.
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| wrong("cannot be read as text").because(error))?;
    if text.len() as u64 > LARGEST {
        return Err(wrong("is larger than 16 MiB: use a directory of your own (KeyDirectory)"));
    }
    Ok(text)
}

fn parse(text: &str, path: &Path) -> Result<HashMap<String, Arc<KeyEntry>>, ConfigError> {
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

const LARGEST: u64 = 16 * 1024 * 1024;
