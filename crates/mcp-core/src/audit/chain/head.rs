//! The head: what the last row of a log is, kept elsewhere.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::keys::{Mac, SealKey, read_mac, write_mac};
use super::row::Position;

/// What the head says of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) log: String,
    /// The last row; nothing before the first one is written.
    pub(super) last: Option<(Position, Mac)>,
    /// How long the log is with that row.
    pub(super) size: u64,
}

/// What stands in the place of a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeadFile {
    Good(Head),
    Missing,
    /// Not written by a holder of the key.
    Forged,
}

#[derive(Serialize, Deserialize)]
struct Text {
    log: String,
    last: Option<Last>,
    size: u64,
}

#[derive(Serialize, Deserialize)]
struct Last {
    #[serde(flatten)]
    position: Position,
    row: String,
}

impl HeadFile {
    pub(super) fn read(key: &SealKey, path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(MAX_HEAD).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Missing),
            Err(error) => return Err(error),
        };
        Ok(Head::parse(key, &bytes).map_or(Self::Forged, Self::Good))
    }
}

impl Head {
    fn parse(key: &SealKey, bytes: &[u8]) -> Option<Self> {
        let line = bytes.strip_suffix(b"\n")?;
        key.open(line)?;
        let text: Text = serde_json::from_slice(line).ok()?;
        let last = match text.last {
            Some(last) => Some((last.position, read_mac(&last.row)?)),
            None => None,
        };
        Some(Self { log: text.log, last, size: text.size })
    }

    /// Replaces the file as a whole: a reader, or a crash, sees the old head or the new one.
    pub(super) fn write(&self, key: &SealKey, path: &Path, sync: bool) -> io::Result<()> {
        let text = serde_json::to_string(&Text {
            log: self.log.clone(),
            last: self.last.map(|(position, mac)| Last { position, row: write_mac(&mac) }),
            size: self.size,
        })?;
        let (line, _) = key.seal(&text);
        let fresh = beside(path);
        let mut file = File::create(&fresh)?;
        file.write_all(line.as_bytes())?;
        if sync {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(&fresh, path)?;
        if sync {
            sync_directory(path)?;
        }
        Ok(())
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Makes a new name in a directory last (POSIX asks for it; elsewhere directories cannot be opened).
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// A head is a few hundred bytes.
const MAX_HEAD: u64 = 4096;
