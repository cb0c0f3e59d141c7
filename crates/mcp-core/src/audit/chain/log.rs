//! The file of a log: appended to by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use crate::ConfigError;

/// An open log. The lock goes with the file handle.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// Up to where whole rows reach.
    size: u64,
    /// Whether something may stand behind that: a write that failed halfway.
    soiled: bool,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> Result<Self, ConfigError> {
        let cannot = |error: io::Error| {
            ConfigError::new(format!(
                "the audit log {} cannot be opened: name a file this process may write",
                path.display()
            ))
            .because(error)
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ConfigError::new(format!(
                    "the audit log {} is being written by another sink or process: give each its own log and head",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let size = file.metadata().map_err(cannot)?.len();
        Ok(Self { file, size, soiled: false })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// For reading from anywhere; writes go to the end all the same.
    pub(super) fn reader(&self) -> &File {
        &self.file
    }

    /// Cuts off what stands behind `size`.
    pub(super) fn cut(&mut self, size: u64) -> io::Result<()> {
        self.file.set_len(size)?;
        self.size = size;
        self.soiled = false;
        Ok(())
    }

    /// Appends rows, all or none.
    pub(super) fn append(&mut self, rows: &[u8], sync: bool) -> io::Result<()> {
        if self.soiled {
            self.cut(self.size)?;
        }
        // Until it is known that everything arrived, part of it may have.
        self.soiled = true;
        let mut write = || {
            self.file.write_all(rows)?;
            if sync { self.file.sync_data() } else { Ok(()) }
        };
        match write() {
            Ok(()) => {
                self.size += u64::try_from(rows.len()).unwrap_or(0);
                self.soiled = false;
                Ok(())
            }
            Err(error) => {
                // Now if possible, before the next rows otherwise.
                let _ = self.cut(self.size);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_write_left_behind_is_cut_off_before_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogFile::open(&path).unwrap();
        log.append(b"one\n", true).unwrap();
        log.file.write_all(b"tw").unwrap();
        log.soiled = true;
        log.append(b"three\n", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\nthree\n");
        assert_eq!(log.size(), 10);
    }
}
