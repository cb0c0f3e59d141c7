//! A file with a root key: read, and made when there is none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding};
use mcp_core::{ConfigError, SecretKey, random_bytes, random_id};
use zeroize::Zeroizing;

/// Reads a key file.
pub(super) fn read(path: &Path) -> Result<SecretKey, ConfigError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE));
    let failed = |error: io::Error| {
        ConfigError::new(format!(
            "the key file {} cannot be read: name one that this process may read",
            path.display()
        ))
        .because(error)
    };
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file: a name may be another file by now.
    if others_may_use(&file).map_err(failed)? {
        return Err(ConfigError::new(format!(
            "the key file {} may be read or written by others than its owner: `chmod 600` it, and make a new key if \
             others had a way to it",
            path.display()
        )));
    }
    file.take(MAX_FILE as u64).read_to_end(&mut bytes).map_err(failed)?;
    let key = if bytes.len() < MAX_FILE { parse(&bytes) } else { None };
    let key = key.ok_or_else(|| {
        ConfigError::new(format!(
            "the key file {} holds no key: write at least 256 random bits into it, for example by `openssl rand -base64 32`",
            path.display()
        ))
    })?;
    SecretKey::new(key.as_slice())
        .map_err(|error| ConfigError::new(format!("the key file {} is refused: {error}", path.display())))
}

/// Reads a key file, or makes it first. Of several processes that make it at once, one wins and all read its key.
pub(super) fn read_or_create(path: &Path) -> Result<SecretKey, ConfigError> {
    // Where that cannot be told, reading tells what is wrong.
    if let Ok(false) = path.try_exists() {
        create(path).map_err(|error| {
            ConfigError::new(format!(
                "the key file {} cannot be made: name a directory this process may write, or configure a root key",
                path.display()
            ))
            .because(error)
        })?;
    }
    read(path)
}

/// Makes the file complete under another name and then gives it this one, unless another process was faster: nobody ever
/// sees half a key, and nobody's key is replaced.
fn create(path: &Path) -> io::Result<()> {
    let fresh = Fresh(beside(path));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&fresh.0)?;
    let key = Zeroizing::new(random_bytes::<32>());
    let text = Zeroizing::new(Base64::encode_string(&*key));
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    // What is sealed under a key that a crash loses is lost with it.
    file.sync_all()?;
    drop(file);
    match fs::hard_link(&fresh.0, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    drop(fresh);
    sync_directory(path)
}

/// A file that is taken away again, however making it ends.
struct Fresh(PathBuf);

impl Drop for Fresh {
    fn drop(&mut self) {
        // A file that stays is of no use to anybody but its owner.
        let _ = fs::remove_file(&self.0);
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(&random_id()[..12]);
    name.into()
}

/// Makes a new name in a directory last (POSIX asks for it; elsewhere directories cannot be opened).
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(unix)]
fn others_may_use(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;

    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
fn others_may_use(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Text is base64, with or without padding, of either alphabet, and so may be hexadecimal. Anything else is the key itself;
/// a pass phrase is neither.
fn parse(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let is_text = bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if !is_text {
        return (bytes.len() >= 32).then(|| Zeroizing::new(bytes.to_vec()));
    }
    let text = Zeroizing::new(
        bytes
            .trim_ascii()
            .iter()
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect::<Vec<u8>>(),
    );
    let text = std::str::from_utf8(&text).ok()?.trim_end_matches('=');
    let key = Zeroizing::new(base64ct::Base64Unpadded::decode_vec(text).ok()?);
    (key.len() >= 32).then_some(key)
}

/// A key is some dozens of bytes.
const MAX_FILE: usize = 4096;
