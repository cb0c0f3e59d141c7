//! Where the authorization server keeps its state.

use std::path::Path;

use mcp_auth_provider::OAuthProvider;
use mcp_core::ConfigError;
use mcp_store::{MemoryStore, PostgresStore, RedisStore, RootKey, SqliteStore};

use crate::settings::read;

/// A store as `STORE` names it, and what belongs to it.
pub(crate) struct StoreChoice {
    store: String,
    data: String,
    root_key_file: Option<String>,
}

impl StoreChoice {
    /// Reads `STORE`, `MCP_DATA` and `MCP_ROOT_KEY_FILE`.
    pub(crate) fn from_env() -> Self {
        Self {
            store: read("STORE").unwrap_or_else(|| "sqlite".to_owned()),
            data: read("MCP_DATA").unwrap_or_else(|| "./data/auth.db".to_owned()),
            root_key_file: read("MCP_ROOT_KEY_FILE"),
        }
    }

    /// A store that forgets everything with the process.
    #[cfg(test)]
    pub(crate) fn memory() -> Self {
        Self { store: "memory".to_owned(), data: String::new(), root_key_file: None }
    }

    /// A provider that keeps its state here.
    ///
    /// # Errors
    /// When the text names no store, or what it names cannot be used.
    pub(crate) fn of(self, provider: OAuthProvider) -> Result<OAuthProvider, ConfigError> {
        let provider = match &self.root_key_file {
            Some(file) => provider.root_key(RootKey::from_file(file)?),
            None => provider,
        };
        match self.store.split_once("://").map_or(self.store.as_str(), |(scheme, _)| scheme) {
            "memory" => Ok(provider.store(MemoryStore::new())),
            "sqlite" => {
                make_folder_of(Path::new(&self.data))?;
                Ok(provider.store(SqliteStore::open(&self.data)?))
            }
            "redis" | "rediss" => Ok(provider.store(RedisStore::connect(&self.store)?)),
            "postgres" | "postgresql" => Ok(provider.store(PostgresStore::connect(&self.store)?)),
            // Not the text: it may be a URL with a password in it.
            _ => Err(ConfigError::new(
                "STORE names no store: set it to memory, sqlite, redis://…, rediss://… or postgres://…",
            )),
        }
    }
}

fn make_folder_of(file: &Path) -> Result<(), ConfigError> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| {
        ConfigError::new(format!("the folder {} of MCP_DATA cannot be made", folder.display())).because(error)
    })
}
