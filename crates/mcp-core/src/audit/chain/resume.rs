//! How a process finds the log of the one before it.

use std::io::{self, BufReader, Seek, SeekFrom};

use base64ct::{Base64UrlUnpadded, Encoding};

use super::config::{ChainConfig, Durability};
use super::head::{Head, HeadFile, sync_directory};
use super::keys::Keys;
use super::lines::{Line, next_line};
use super::log::LogFile;
use super::walk::Walk;
use crate::{ConfigError, random_bytes};

/// A log that can be written on, where it ends, and how many bytes of a torn line were cut off.
pub(super) struct Resumed {
    pub(super) log: LogFile,
    pub(super) head: Head,
    pub(super) cut: u64,
}

/// Opens a log and makes sure that it ends where its head says, or behind that in a way only a crash explains.
pub(super) fn resume(config: &ChainConfig, keys: &Keys) -> Result<Resumed, ConfigError> {
    let refuse = |why: &str| {
        ConfigError::new(format!(
            "the audit log {} {why}: verify it, then move both files away to begin a new log",
            config.log.display()
        ))
    };
    let unreadable = |error: io::Error| {
        ConfigError::new(format!(
            "the audit log {} or its head {} cannot be read or written: name files this process may write",
            config.log.display(),
            config.head.display()
        ))
        .because(error)
    };
    if config.log == config.head {
        return Err(ConfigError::new(
            "the head of the audit log is the log itself: name another file, best on another volume",
        ));
    }
    let log = LogFile::open(&config.log)?;
    let head = match HeadFile::read(&keys.heads, &config.head).map_err(unreadable)? {
        HeadFile::Good(head) => head,
        HeadFile::Forged => return Err(refuse("has a head that was not written under this key")),
        HeadFile::Missing if log.size() > 0 => return Err(refuse("has lost its head")),
        HeadFile::Missing => {
            let head =
                Head { log: Base64UrlUnpadded::encode_string(&random_bytes::<16>()), last: None, size: 0 };
            // Before the first row: a crash in between must not look like a lost head.
            let sync = config.durability == Durability::Disk;
            head.write(&keys.heads, &config.head, sync).map_err(unreadable)?;
            if sync {
                sync_directory(&config.log).map_err(unreadable)?;
            }
            head
        }
    };
    if log.size() < head.size {
        return Err(refuse("is shorter than its head says"));
    }
    catch_up(log, head, keys).map_err(unreadable)?.ok_or_else(|| refuse("has been tampered with"))
}

/// Goes over what a crash left between log and head: good rows stay, an unfinished one is cut off. Nothing when there is
/// a whole line that is no good row.
fn catch_up(mut log: LogFile, mut head: Head, keys: &Keys) -> io::Result<Option<Resumed>> {
    let whole = log.size();
    let mut file = log.reader();
    file.seek(SeekFrom::Start(head.size))?;
    let mut reader = BufReader::new(file);
    let mut walk = Walk::from_head(&keys.rows, &head);
    let mut buffer = Vec::new();
    let mut good = head.size;
    while let Some(line) = next_line(&mut reader, &mut buffer)? {
        match line {
            Line::Whole if walk.step(&buffer).is_ok() => {
                good += u64::try_from(buffer.len() + 1).unwrap_or(0);
            }
            Line::Unfinished => break,
            Line::Whole | Line::TooLong => return Ok(None),
        }
    }
    head.last = walk.last();
    head.size = good;
    if good < whole {
        log.cut(good)?;
    }
    Ok(Some(Resumed { log, head, cut: whole - good }))
}
