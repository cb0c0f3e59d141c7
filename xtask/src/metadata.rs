//! What `cargo metadata` says about the workspace and everything it is built of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::shell;

/// The packages of the workspace and of its whole dependency graph.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
}

/// One package, as its manifest describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) readme: Option<String>,
    pub(crate) rust_version: Option<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) metadata: Option<serde_json::Value>,
    pub(crate) manifest_path: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
    publish: Option<Vec<String>>,
}

/// One line of a manifest's dependency tables.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The name in the manifest, where it is another one.
    pub(crate) rename: Option<String>,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    pub(crate) optional: bool,
    /// The version that is asked for; `*` when the manifest names a path alone.
    pub(crate) req: String,
}

/// A library, binary, test, bench or example of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Metadata {
    /// Asks cargo about the workspace at `root`.
    ///
    /// # Errors
    /// What cargo said when it cannot read the workspace.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let mut command = shell::cargo(root);
        command.args(["metadata", "--format-version", "1", "--all-features", "--quiet"]);
        let text = shell::output(&mut command)?;
        serde_json::from_str(&text)
            .map_err(|error| format!("cargo metadata is not what was expected: {error}"))
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The members that go to the registry.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.members().filter(|package| package.is_published())
    }
}

impl Package {
    /// Whether the manifest lets the package be published.
    pub(crate) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    /// The folder of the manifest.
    pub(crate) fn folder(&self) -> &Path {
        let manifest = Path::new(&self.manifest_path);
        manifest.parent().unwrap_or(manifest)
    }

    /// The features a user can name, without `default`.
    pub(crate) fn feature_names(&self) -> Vec<&str> {
        self.features.keys().map(String::as_str).filter(|name| *name != "default").collect()
    }
}

impl Dependency {
    /// Compiled into the crate itself, as opposed to its tests and benches.
    pub(crate) fn is_normal(&self) -> bool {
        self.kind.as_deref() != Some("dev")
    }
}

impl Target {
    /// Whether the target is of this kind (`bench`, `bin`, …).
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_publication_and_features_are_told_apart() {
        let package = |name: &str, publish: &str| {
            format!(
                r#"{{"id":"{name}","name":"{name}","version":"1.0.0","license":"MIT","description":null,
                "readme":null,"rust_version":null,"keywords":[],"metadata":null,"manifest_path":"/w/{name}/Cargo.toml",
                "dependencies":[],"features":{{"default":["x"],"x":[]}},"targets":[],"publish":{publish}}}"#
            )
        };
        let text = format!(
            r#"{{"packages":[{},{},{}],"workspace_members":["a","b"]}}"#,
            package("a", "null"),
            package("b", "[]"),
            package("foreign", "null")
        );
        let metadata: Metadata = serde_json::from_str(&text).unwrap();
        let names = |packages: Vec<&Package>| packages.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(metadata.members().collect()), ["a", "b"]);
        assert_eq!(names(metadata.published().collect()), ["a"]);
        assert_eq!(metadata.packages[0].feature_names(), ["x"]);
        assert_eq!(metadata.packages[0].folder(), Path::new("/w/a"));
    }
}
