//! Nothing lies about in the root of the repository.

use std::collections::BTreeSet;

/// Names every top-level entry that is neither expected nor hidden.
pub(crate) fn check(paths: &[String]) -> Vec<String> {
    let entries: BTreeSet<&str> = paths.iter().filter_map(|path| path.split('/').next()).collect();
    entries
        .into_iter()
        .filter(|entry| !entry.starts_with('.') && !EXPECTED.contains(entry))
        .map(|entry| format!("{entry}: does not belong at the top level"))
        .collect()
}

const EXPECTED: [&str; 10] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates",
    "docs",
    "examples",
    "xtask",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strays_are_named_once_and_hidden_entries_pass() {
        let paths = ["crates/a/x.rs", ".ci/run", "notes/a", "notes/b", "README.md"].map(str::to_owned);
        assert_eq!(check(&paths), ["notes: does not belong at the top level"]);
    }
}
