//! The harness of processes: stores that it catches, and one that it does not.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mcp_core::{ConfigError, Timestamp, async_trait};
use mcp_store::testkit::{Address, Database, child, kill, race};
use mcp_store::{
    Batch, Committed, Cursor, Entry, Name, Operation, Partition, PartitionPage, Precondition, Record,
    Revision, RootKeyPlace, Store, StoreError, Swept,
};
use tempfile::TempDir;

/// A file for each record, written without a thought of other processes or of a crash.
#[derive(Debug)]
struct Careless {
    folder: PathBuf,
    /// Writes that are said to be done and are done later.
    late: Option<Mutex<Vec<Write>>>,
}

/// Of a file; `None` takes it away.
type Write = (PathBuf, Option<Vec<u8>>);

impl Careless {
    /// The first character of an address says whether it is late as well.
    fn open(address: &str) -> Self {
        let (late, folder) = address.split_at(1);
        Self { folder: folder.into(), late: (late == "L").then(Mutex::default) }
    }

    fn file(&self, partition: &Partition, name: &Name) -> PathBuf {
        self.folder.join(format!("{partition}+{name}"))
    }

    fn read(&self, partition: &Partition, name: &Name) -> Option<Record> {
        let file = self.file(partition, name);
        let pending = self.late.as_ref().and_then(|late| {
            late.lock().unwrap().iter().rev().find(|(at, _)| *at == file).map(|(_, bytes)| bytes.clone())
        });
        let bytes = match pending {
            Some(bytes) => bytes?,
            None => fs::read(file).ok()?,
        };
        let (revision, value) = bytes.split_first_chunk()?;
        Some(Record::new(value.to_vec(), Revision::from_u64(u64::from_be_bytes(*revision)), None))
    }

    fn write(&self, file: PathBuf, bytes: Option<Vec<u8>>) {
        if let Some(late) = &self.late {
            let mut late = late.lock().unwrap();
            late.push((file, bytes));
            if late.len() > 100 {
                late.drain(..).for_each(|(file, bytes)| now(&file, bytes));
            }
        } else {
            now(&file, bytes);
        }
    }
}

fn now(file: &PathBuf, bytes: Option<Vec<u8>>) {
    // Nothing to take away is no failure.
    let _ = match bytes {
        Some(bytes) => fs::write(file, bytes),
        None => fs::remove_file(file),
    };
}

#[async_trait]
impl Store for Careless {
    async fn start(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    async fn get(
        &self,
        p: &Partition,
        names: &[Name],
        _: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        Ok(names.iter().map(|name| self.read(p, name)).collect())
    }

    async fn commit(&self, p: &Partition, batch: Batch, _: Timestamp) -> Result<Committed, StoreError> {
        for (name, precondition) in batch.preconditions() {
            let found = self.read(p, name).map(|record| record.revision());
            let holds = match precondition {
                Precondition::At(revision) => found == Some(*revision),
                _ => found.is_none(),
            };
            if !holds {
                return Ok(Committed::Refused(name.clone()));
            }
        }
        // Time enough for others to do the same.
        (0..100).for_each(|_| std::thread::yield_now());
        let revision = batch.revision();
        for (name, operation) in batch.into_operations() {
            let bytes = match operation {
                Operation::Put { value, .. } => Some([&revision.as_u64().to_be_bytes(), &value[..]].concat()),
                _ => None,
            };
            self.write(self.file(p, &name), bytes);
        }
        Ok(Committed::Done(revision))
    }

    async fn scan(
        &self,
        p: &Partition,
        prefix: &str,
        _: Option<&Name>,
        _: usize,
        _: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let start = format!("{p}+{prefix}");
        let mut found = BTreeMap::new();
        for file in fs::read_dir(&self.folder).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            if file.starts_with(&start) {
                let name = Name::new(file.split_once('+').unwrap().1).unwrap();
                if let Some(record) = self.read(p, &name) {
                    found.insert(name.clone(), Entry { name, record });
                }
            }
        }
        Ok(found.into_values().collect())
    }

    async fn partitions(&self, _: Option<&Cursor>, _: usize) -> Result<PartitionPage, StoreError> {
        Ok(PartitionPage::default())
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<Swept, StoreError> {
        Ok(Swept::default())
    }

    fn root_key(&self) -> RootKeyPlace {
        RootKeyPlace::Configured
    }
}

struct Folder(TempDir, &'static str);

#[async_trait]
impl Database for Folder {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(Careless::open(&self.address()))
    }
}

impl Address for Folder {
    fn address(&self) -> String {
        format!("{}{}", self.1, self.0.path().display())
    }
}

async fn careless() -> Option<Folder> {
    Some(Folder(tempfile::tempdir().unwrap(), "-"))
}

async fn late() -> Option<Folder> {
    Some(Folder(tempfile::tempdir().unwrap(), "L"))
}

mod caught {
    use super::*;

    #[test]
    fn child() {
        super::child(|address| async move { Arc::new(Careless::open(&address)) as Arc<dyn Store> });
    }

    #[test]
    fn processes_without_a_lock() {
        let broken = race(module_path!(), careless).unwrap_err().to_string();
        assert!(
            ["two processes got `Done`", "increments", "different key rings", "ended with"]
                .iter()
                .any(|how| broken.contains(how)),
            "{broken}"
        );
    }

    #[test]
    fn records_written_one_by_one() {
        let broken = kill(module_path!(), careless).unwrap_err().to_string();
        assert!(!broken.contains("see what it said"), "{broken}");
    }

    #[test]
    fn writes_that_are_done_later() {
        let broken = kill(module_path!(), late).unwrap_err().to_string();
        assert!(!broken.contains("see what it said"), "{broken}");
    }
}

/// A store that keeps its promises passes.
#[cfg(feature = "sqlite")]
mod kept {
    use mcp_store::SqliteStore;

    use super::*;

    struct File(TempDir);

    impl File {
        fn path(&self) -> PathBuf {
            self.0.path().join("auth.db")
        }
    }

    #[async_trait]
    impl Database for File {
        async fn open(&self) -> Arc<dyn Store> {
            Arc::new(SqliteStore::open(self.path()).unwrap())
        }
    }

    impl Address for File {
        fn address(&self) -> String {
            self.path().display().to_string()
        }
    }

    async fn empty() -> Option<File> {
        Some(File(tempfile::tempdir().unwrap()))
    }

    async fn open(address: String) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(address).unwrap())
    }

    mcp_store::testkit::process_suite!(empty, open);
}
