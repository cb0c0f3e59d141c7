//! The root key in a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcp_core::{ConfigError, SystemClock, Timestamp, async_trait};
use mcp_store::{
    Batch, Committed, Cursor, Entry, MemoryStore, Name, Partition, PartitionPage, Record, RootKey,
    RootKeyPlace, Store, StoreError, Swept, Vault,
};

use crate::support::name;

/// A store whose key is in a file.
#[derive(Clone, Debug)]
struct Filed(MemoryStore, RootKeyPlace);

#[async_trait]
impl Store for Filed {
    async fn start(&self) -> Result<(), ConfigError> {
        self.0.start().await
    }
    async fn get(
        &self,
        p: &Partition,
        n: &[Name],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.0.get(p, n, now).await
    }
    async fn commit(&self, p: &Partition, batch: Batch, now: Timestamp) -> Result<Committed, StoreError> {
        self.0.commit(p, batch, now).await
    }
    async fn scan(
        &self,
        p: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        self.0.scan(p, prefix, after, limit, now).await
    }
    async fn partitions(&self, after: Option<&Cursor>, limit: usize) -> Result<PartitionPage, StoreError> {
        self.0.partitions(after, limit).await
    }
    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.0.sweep(now, limit).await
    }
    fn root_key(&self) -> RootKeyPlace {
        self.1.clone()
    }
}

async fn open(store: &MemoryStore, place: RootKeyPlace) -> Result<Vault, ConfigError> {
    Vault::open(Arc::new(Filed(store.clone(), place)), None, Arc::new(SystemClock)).await
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.key");
    (folder, path)
}

pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, bytes).unwrap();
    chmod(path, mode);
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn chmod(_: &Path, _: u32) {}

#[tokio::test]
async fn a_key_is_made_once_and_found_again() {
    let (folder, path) = folder();
    let store = MemoryStore::new();
    let vault = open(&store, RootKeyPlace::File(path.clone())).await.unwrap();
    let partition = Partition::random();
    assert!(vault.commit(&partition, Batch::new().put(name("a"), "x", None)).await.unwrap().is_done());
    drop(vault);
    let vault = open(&store, RootKeyPlace::File(path.clone())).await.unwrap();
    assert!(vault.get_one(&partition, &name("a")).await.unwrap().is_some());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    assert!(RootKey::from_file(&path).is_ok());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    // A lost key is not replaced by another that opens nothing.
    fs::remove_file(&path).unwrap();
    let error = open(&store, RootKeyPlace::File(path.clone())).await.unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn servers_that_start_at_once_agree_on_one_file() {
    for _ in 0..20 {
        let (_folder, path) = folder();
        let store = MemoryStore::new();
        let mut starting = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (store, path) = (store.clone(), path.clone());
            starting.spawn(async move {
                open(&store, RootKeyPlace::File(path)).await.unwrap().keyed_hash("x", &[])
            });
        }
        let hashes = starting.join_all().await;
        assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_use_is_refused() {
    let (_folder, path) = folder();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o610] {
        write(&path, "8J+YgPCfmIHwn5iC8J+Yg/CfmITwn5iF8J+YhvCfmIc=\n", mode);
        let error = RootKey::from_file(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        assert!(open(&MemoryStore::new(), RootKeyPlace::File(path.clone())).await.is_err());
    }
    chmod(&path, 0o400);
    assert!(RootKey::from_file(&path).is_ok());
}

#[test]
fn a_file_holds_256_bits_or_is_refused() {
    let (_folder, path) = folder();
    let takes = |bytes: &[u8]| {
        write(&path, bytes, 0o600);
        RootKey::from_file(&path).map_err(|error| error.to_string())
    };
    let raw: Vec<u8> = (100..132).collect();
    for good in [
        "8J+YgPCfmIHwn5iC8J+Yg/CfmITwn5iF8J+YhvCfmIc=".as_bytes(),
        b"8J-YgPCfmIHwn5iC8J-Yg_CfmITwn5iF8J-YhvCfmIc\r\n",
        b"  00112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100\n",
        &raw,
    ] {
        assert!(takes(good).is_ok(), "{good:?}");
    }
    let long = [200; 5000];
    for bad in [
        &b""[..],
        b"\n",
        b"8J+YgPCfmIHwn5iC8J+Yg/CfmITwn5iF8J+YhvCf",
        b"correct horse battery staple correct horse battery staple",
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        &raw[..31],
        &long,
    ] {
        let error = takes(bad).unwrap_err();
        assert!(error.contains("auth.key"), "{error}");
        assert!(!error.contains("horse"));
    }
    assert!(RootKey::from_file("/nonexistent/key").is_err());
}

#[tokio::test]
async fn a_shared_store_needs_a_configured_key() {
    let error = open(&MemoryStore::new(), RootKeyPlace::Configured).await.unwrap_err();
    assert!(error.to_string().contains("openssl rand"), "{error}");
}
