//! A directory in a TOML file that is read again when it changes.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mcp_core::{Clock, ConfigError, Timestamp};
use tokio::sync::OwnedMutexGuard;

use super::KeyEntry;
use super::directory::{KeyDirectory, KeyDirectoryError};
use super::key::{Digest, digest};
use super::toml_form::parse;

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
    looking: Arc<tokio::sync::Mutex<()>>,
}

/// The right to look, from before the file is read until what it says is in force. Two looks at a time could end in the
/// wrong order, and the older one put back a key that was taken out.
type Turn = OwnedMutexGuard<()>;

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
        Self {
            path: path.into(),
            every: Duration::from_secs(1),
            state: Arc::default(),
            looking: Arc::default(),
        }
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

    /// Whose turn it is to look now, if the file is due: of one request. The others go on with what is known, also while a
    /// look takes longer than it should; the file stays due for as long.
    fn turn(&self, now: Timestamp) -> Option<Turn> {
        let mut state = self.state();
        if state.looked.is_some_and(|last| now.since(last) < self.every && now >= last) {
            return None;
        }
        let turn = Arc::clone(&self.looking).try_lock_owned().ok()?;
        state.looked = Some(now);
        Some(turn)
    }

    /// Reads the file and takes over what it says. What it said before stays when it cannot be read.
    async fn look(
        &self,
        turn: Turn,
        read: impl FnOnce(&Path) -> Result<String, ConfigError> + Send + 'static,
    ) -> Result<(), ConfigError> {
        let (path, state) = (self.path.clone(), Arc::clone(&self.state));
        let looking = tokio::task::spawn_blocking(move || {
            // Held here, since this goes on when the request that caused it is gone.
            let _turn = turn;
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
        let turn = Arc::clone(&self.looking).lock_owned().await;
        self.state().looked = Some(clock.now());
        self.look(turn, read).await
    }

    async fn find(&self, id: &str, clock: &dyn Clock) -> Result<Option<Arc<KeyEntry>>, KeyDirectoryError> {
        if let Some(turn) = self.turn(clock.now()) {
            let complaint = self.look(turn, read).await.err().map(|error| error.to_string());
            let mut state = self.state();
            if complaint != state.complaint {
                match &complaint {
                    Some(sentence) => tracing::error!("{sentence}; the keys read before stay in force"),
                    None => tracing::info!("the file of API keys can be read again"),
                }
                state.complaint = complaint;
            }
        }
        let state = self.state();
        if state.read.is_none() {
            return Err(KeyDirectoryError::new("the file of API keys was never read"));
        }
        Ok(state.entries.get(id).cloned())
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

const LARGEST: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use mcp_auth_testkit::FakeClock;

    use super::*;
    use crate::ApiKeys;

    #[tokio::test]
    async fn a_slow_look_does_not_bring_back_a_key_that_was_taken_out_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let new = ApiKeys::generate("ada");
        let id = new.key().id();
        KeyFile::append(&path, new.entry()).unwrap();
        let (clock, file) = (FakeClock::new(), Arc::new(KeyFile::new(&path)));
        file.start(&clock).await.unwrap();

        // Something has changed, so that the text is parsed. The look has read it, and comes to a halt.
        fs::write(&path, format!("# a comment\n{}", new.entry().to_toml())).unwrap();
        clock.advance(Duration::from_secs(1));
        let (has_read, until_read) = tokio::sync::oneshot::channel();
        let (go_on, halt) = mpsc::channel::<()>();
        let turn = file.turn(clock.now()).unwrap();
        let slow = tokio::spawn({
            let file = Arc::clone(&file);
            async move {
                let read = move |path: &Path| {
                    let text = read(path);
                    let _ = (has_read.send(()), halt.recv());
                    text
                };
                file.look(turn, read).await
            }
        });
        until_read.await.unwrap();

        fs::write(&path, "").unwrap();
        clock.advance(Duration::from_secs(1));
        let meanwhile = file.find(id, &clock).await.unwrap();
        assert!(meanwhile.is_some(), "nobody waits for a slow look");
        go_on.send(()).unwrap();
        slow.await.unwrap().unwrap();
        assert!(file.find(id, &clock).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_look_goes_on_undisturbed_when_the_request_that_caused_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        fs::write(&path, "").unwrap();
        let (clock, file) = (FakeClock::new(), Arc::new(KeyFile::new(&path)));
        file.start(&clock).await.unwrap();
        clock.advance(Duration::from_secs(1));

        let (has_begun, until_begun) = tokio::sync::oneshot::channel();
        let (go_on, halt) = mpsc::channel::<()>();
        let turn = file.turn(clock.now()).unwrap();
        let read = move |_: &Path| {
            let _ = (has_begun.send(()), halt.recv());
            Ok("# another text".to_owned())
        };
        // Begun, and dropped.
        tokio::select! {
            _ = file.look(turn, read) => panic!("it cannot end"),
            begun = until_begun => begun.unwrap(),
        }
        clock.advance(Duration::from_secs(1));
        assert!(file.turn(clock.now()).is_none(), "two looks at a time");
        go_on.send(()).unwrap();
        let _ended = Arc::clone(&file.looking).lock_owned().await;
        assert_eq!(file.state().read, Some(digest("# another text")));
    }
}
