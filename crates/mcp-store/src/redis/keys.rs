//! Under which keys a partition is kept. All of one partition have its hash tag, so that they live on one node of a cluster.

use mcp_core::ConfigError;

use crate::Partition;

/// What all keys begin with.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Result<Self, ConfigError> {
        // No brace may come before the hash tag, and nothing that means something in a pattern.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(allowed) {
            return Err(ConfigError::new(
                "the prefix of Redis keys must have 1 to 64 of the characters A-Z a-z 0-9 . _ : -",
            ));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// The records by name: a hash.
    pub(super) fn records(&self, partition: &Partition) -> String {
        format!("{}:{{{partition}}}", self.prefix)
    }

    /// The names in order: a sorted set in which all have the score 0.
    pub(super) fn names(&self, partition: &Partition) -> String {
        format!("{}:{{{partition}}}:n", self.prefix)
    }

    /// When the records end that do: a sorted set by milliseconds.
    pub(super) fn ends(&self, partition: &Partition) -> String {
        format!("{}:{{{partition}}}:e", self.prefix)
    }

    /// What became of an attempt to commit.
    pub(super) fn attempt(&self, partition: &Partition, id: &str) -> String {
        format!("{}:{{{partition}}}:c:{id}", self.prefix)
    }

    /// Matches the records of every partition, and nothing else.
    pub(super) fn pattern(&self) -> String {
        format!("{}:{{*}}", self.prefix)
    }

    /// The partition whose records are kept under this key.
    pub(super) fn partition(&self, key: &str) -> Option<Partition> {
        let inner = key.strip_prefix(&self.prefix)?.strip_prefix(":{")?.strip_suffix('}')?;
        Partition::new(inner).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_read_back_from_its_key() {
        let (keys, partition) = (Keys::new("team:mcp").unwrap(), Partition::random());
        assert_eq!(keys.partition(&keys.records(&partition)), Some(partition.clone()));
        for other in
            [keys.names(&partition), keys.ends(&partition), keys.attempt(&partition, "a"), "x".to_owned()]
        {
            assert_eq!(keys.partition(&other), None, "{other}");
        }
    }

    #[test]
    fn prefixes_that_would_move_the_hash_tag_are_refused() {
        for prefix in ["", "a{b}", "a*", "a?", "a[b]", "a b", "a\\", "ä"] {
            assert!(Keys::new(prefix).is_err(), "{prefix:?}");
        }
    }
}
