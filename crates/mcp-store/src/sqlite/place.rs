//! Where the database is: its directory, its file, and who may read it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mcp_core::ConfigError;

/// The file of a database, found and made.
#[derive(Clone, Debug)]
pub(super) struct Place {
    file: PathBuf,
    pinned: Arc<OnceLock<Identity>>,
}

/// What tells one file from another of the same name: its device and its number there.
type Identity = (u64, u64);

/// Held while a file is made. POSIX takes away *all* locks of a process on a file as soon as the process closes any
/// descriptor of it; so the descriptor that made the file has to be closed before SQLite opens it, on any thread.
static MAKING: Mutex<()> = Mutex::new(());

impl Place {
    /// Finds the file or makes an empty one, for its owner only.
    pub(super) fn find_or_make(path: &Path) -> Result<Self, ConfigError> {
        let text = path.to_string_lossy();
        if text.is_empty() || text == ":memory:" || text.starts_with("file:") {
            return Err(ConfigError::new(format!(
                "{text:?} is no path of a database file: name one such as auth.db, or use MemoryStore if everything may be \
                 forgotten"
            )));
        }
        let Some(name) = path.file_name() else {
            return Err(ConfigError::new(format!(
                "{} is a directory: name the database file in it, such as auth.db",
                path.display()
            )));
        };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = fs::canonicalize(directory).map_err(|error| no_directory(directory, error))?;
        let file = directory.join(name);

        let making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        make(&file)?;
        drop(making);

        // Everything that goes by the file's name (the log and the key beside it, a second process) must meet at one name.
        let file = fs::canonicalize(&file).map_err(|error| unusable(&file, error))?;
        let metadata = fs::metadata(&file).map_err(|error| unusable(&file, error))?;
        if !metadata.is_file() {
            return Err(ConfigError::new(format!(
                "{} is not a file: name the database file, such as auth.db",
                file.display()
            )));
        }
        keep_from_others(&file, &metadata)?;
        Ok(Self { file, pinned: Arc::default() })
    }

    /// The file; absolute, without links.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Remembers which file has the name now, for [`is_same`](Self::is_same).
    pub(super) fn pin(&self) {
        if let Some(identity) = identity(&self.file) {
            self.pinned.get_or_init(|| identity);
        }
    }

    /// Whether the name still leads to the file that was pinned. SQLite would go on with a file that was moved away or
    /// replaced, by a backup for instance, and everything acknowledged from then on would be lost.
    pub(super) fn is_same(&self) -> bool {
        self.pinned.get().is_none_or(|pinned| identity(&self.file) == Some(*pinned))
    }

    /// Another file beside it: `auth.db` and `.key` make `auth.db.key`.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(ending);
        name.into()
    }
}

fn make(file: &Path) -> Result<(), ConfigError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(made) => {
            made.sync_all().and_then(|()| sync_directory(file)).map_err(|error| unusable(file, error))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unusable(file, error)),
    }
}

/// Without this a power cut may take the new name with it, and all that was acknowledged under it.
fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent() {
        #[cfg(unix)]
        Some(directory) => fs::File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn identity(file: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;

    fs::metadata(file).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Elsewhere a file that is open cannot be replaced.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

/// Takes away what neither the owner nor the group may do. A group is left alone: an administrator's account may be in it.
#[cfg(unix)]
fn keep_from_others(file: &Path, metadata: &fs::Metadata) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode();
    if mode & 0o007 == 0 {
        return Ok(());
    }
    fs::set_permissions(file, fs::Permissions::from_mode(mode & 0o7770)).map_err(|error| {
        ConfigError::new(format!(
            "every account of this machine may read or write {}: run `chmod o= {0}`",
            file.display()
        ))
        .because(error)
    })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix version can fail")]
fn keep_from_others(_: &Path, _: &fs::Metadata) -> Result<(), ConfigError> {
    Ok(())
}

fn no_directory(directory: &Path, error: io::Error) -> ConfigError {
    let sentence = if error.kind() == io::ErrorKind::NotFound {
        format!("there is no directory {}: make it first, for the server's account only", directory.display())
    } else {
        format!("the directory {} cannot be used for a database: {error}", directory.display())
    };
    ConfigError::new(sentence).because(error)
}

fn unusable(file: &Path, error: io::Error) -> ConfigError {
    let sentence = if error.kind() == io::ErrorKind::PermissionDenied {
        format!(
            "the database {} cannot be made or opened: give the server's account write access to its directory",
            file.display()
        )
    } else {
        format!("the database {} cannot be used: {error}", file.display())
    };
    ConfigError::new(sentence).because(error)
}
