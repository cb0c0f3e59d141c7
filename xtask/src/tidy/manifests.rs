//! Every crate that is published says what a registry wants to know, and packs nothing by accident.

use std::path::Path;

use crate::metadata::{Metadata, Package};
use crate::shell;

/// Names what is missing in each manifest and what does not belong into each package.
///
/// # Errors
/// What cargo said when it cannot list a package.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for package in metadata.published() {
        problems.extend(missing(package).into_iter().map(|what| format!("{}: {what}", package.name)));
        let mut command = shell::cargo(root);
        command.args(["package", "--list", "--allow-dirty", "--quiet", "-p", &package.name]);
        let listing = shell::output(&mut command)?;
        let strays = listing.lines().filter(|path| !belongs(path));
        problems.extend(strays.map(|path| format!("{}: {path} would be packed", package.name)));
    }
    Ok(problems)
}

fn missing(package: &Package) -> Vec<&'static str> {
    let readme_exists = package.readme.as_ref().is_some_and(|readme| package.folder().join(readme).is_file());
    let has_docs_rs = package.metadata.as_ref().is_some_and(|table| table.pointer("/docs/rs").is_some());
    let keywords_fit =
        (1..=5).contains(&package.keywords.len()) && package.keywords.iter().all(|word| word.len() <= 20);
    let demands = [
        (package.description.as_ref().is_some_and(|text| text.len() > 20), "a description is missing"),
        (package.license.as_deref() == Some("MIT OR Apache-2.0"), "the licence must be MIT OR Apache-2.0"),
        (package.rust_version.is_some(), "rust-version is missing"),
        (keywords_fit, "one to five keywords of at most 20 signs are needed"),
        (readme_exists, "a README is missing"),
        (has_docs_rs, "[package.metadata.docs.rs] is missing"),
    ];
    demands.into_iter().filter(|(met, _)| !met).map(|(_, what)| what).collect()
}

fn belongs(path: &str) -> bool {
    const FILES: [&str; 8] = [
        ".cargo_vcs_info.json",
        "Cargo.lock",
        "Cargo.toml",
        "Cargo.toml.orig",
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
    ];
    const FOLDERS: [&str; 5] = ["src/", "tests/", "benches/", "examples/", "docs/"];
    let path = path.replace('\\', "/");
    FILES.contains(&path.as_str()) || FOLDERS.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_expected_files_are_packed() {
        for good in ["Cargo.toml", "src/lib.rs", "src/a/b.rs", "tests/it/main.rs", "README.md"] {
            assert!(belongs(good), "{good}");
        }
        for bad in ["notes.txt", "target/x", "key.pem", "srcs/a.rs", ".env"] {
            assert!(!belongs(bad), "{bad}");
        }
    }

    #[test]
    fn an_empty_manifest_misses_everything() {
        let text = r#"{"id":"x","name":"x","version":"1.0.0","license":null,"description":null,"readme":null,
            "rust_version":null,"keywords":[],"metadata":null,"manifest_path":"/nowhere/Cargo.toml","dependencies":[],
            "features":{},"targets":[],"publish":null}"#;
        let package: Package = serde_json::from_str(text).unwrap();
        assert_eq!(missing(&package).len(), 6);
    }
}
