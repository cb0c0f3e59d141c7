//! The versions that all crates share are versions that some crate uses.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::metadata::Metadata;

/// Names every line of `[workspace.dependencies]` that no member takes up.
///
/// # Errors
/// When the manifest of the workspace cannot be read.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>, String> {
    let manifest =
        fs::read_to_string(root.join("Cargo.toml")).map_err(|error| format!("Cargo.toml: {error}"))?;
    let used = metadata.members().flat_map(|package| &package.dependencies);
    let used: BTreeSet<&str> =
        used.map(|dependency| dependency.rename.as_ref().unwrap_or(&dependency.name).as_str()).collect();
    Ok(unused(&manifest, &used))
}

fn unused(manifest: &str, used: &BTreeSet<&str>) -> Vec<String> {
    shared(manifest)
        .filter(|name| !used.contains(name))
        .map(|name| format!("Cargo.toml: no crate uses {name} of [workspace.dependencies]"))
        .collect()
}

/// The names in the table, each at the beginning of its line.
fn shared(manifest: &str) -> impl Iterator<Item = &str> {
    let table = manifest.split_once("[workspace.dependencies]").map_or("", |(_, after)| after);
    let lines = table.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| {
        let (name, _) = line.split_once('=')?;
        let name = name.trim_end();
        // Not a comment, and not a line of a list that goes on.
        name.starts_with(|first: char| first.is_ascii_alphanumeric()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_crate_uses_is_named() {
        let manifest = "[workspace]\nmembers = [\"a\"]\n\n[workspace.dependencies]\n# Not = one.\nhttp = \"1\"\n\
             tower = { version = \"0.5\", features = [\n  \"util\",\n] }\nurl = \"2\"\n\n[workspace.lints.rust]\nx = \"warn\"\n";
        let used = BTreeSet::from(["http", "url"]);
        assert_eq!(unused(manifest, &used), ["Cargo.toml: no crate uses tower of [workspace.dependencies]"]);
        assert!(unused("[package]\nname = \"a\"\n", &used).is_empty());
    }
}
