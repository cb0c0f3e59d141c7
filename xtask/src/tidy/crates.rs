//! How many crates a user compiles and why, and which ones nobody ever should.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::metadata::Metadata;
use crate::shell;

/// What a user may ask for, and the most crates it may bring, itself included.
struct Ceiling {
    label: &'static str,
    package: &'static str,
    /// Features on top of none.
    features: &'static str,
    crates: usize,
}

const CEILINGS: [Ceiling; 3] = [
    Ceiling { label: "mcp-core", package: "mcp-core", features: "", crates: 75 },
    Ceiling { label: "mcp-auth-jwt, static keys", package: "mcp-auth-jwt", features: "default", crates: 110 },
    Ceiling {
        label: "mcp-auth-jwt, fetched keys",
        package: "mcp-auth-jwt",
        features: "default,fetch",
        crates: 170,
    },
];

/// Where each of them has its reason.
const REASONS: &str = "docs/architecture.md";

/// One provider of cryptography, and no RSA with a known timing leak.
const BANNED: [&str; 4] = ["ring", "openssl-sys", "native-tls", "rsa"];

/// Prints the counts; names every ceiling that is passed, every crate without a reason and every banned one.
///
/// # Errors
/// What cargo said when a tree cannot be made.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>, String> {
    let reasons = fs::read_to_string(root.join(REASONS)).map_err(|error| format!("{REASONS}: {error}"))?;
    let mut problems = Vec::new();
    for ceiling in &CEILINGS {
        let arguments = [
            "-p",
            ceiling.package,
            "--no-default-features",
            "--features",
            ceiling.features,
            "--target",
            TARGET,
        ];
        let compiled = tree(root, &arguments)?;
        let count = compiled.len();
        println!("crates compiled: {count:>4} of at most {:<4} {}", ceiling.crates, ceiling.label);
        if count > ceiling.crates {
            problems.push(format!(
                "{}: {count} crates are compiled, the ceiling is {}",
                ceiling.label, ceiling.crates
            ));
        }
        problems.extend(
            unexplained(&compiled, &reasons)
                .filter(|name| !metadata.members().any(|package| package.name == *name))
                .map(|name| format!("{}: {name} is compiled, and {REASONS} does not say why", ceiling.label)),
        );
    }
    for package in metadata.published() {
        let arguments = ["-p", package.name.as_str(), "--all-features", "--target", "all"];
        for found in tree(root, &arguments)? {
            let name = found.split(' ').next().unwrap_or_default();
            if BANNED.contains(&name) {
                problems.push(format!("{} brings in {found}, which is banned", package.name));
            }
        }
    }
    Ok(problems)
}

/// The packages that the text does not name: as `name` or, for a family, as `family_*`.
fn unexplained<'a>(packages: &'a BTreeSet<String>, text: &str) -> impl Iterator<Item = &'a str> {
    let named: BTreeSet<&str> = text.split('`').skip(1).step_by(2).collect();
    let names = packages.iter().filter_map(|package| package.split(' ').next());
    names.filter(move |name| {
        let in_family = |family: &&str| family.strip_suffix('*').is_some_and(|stem| name.starts_with(stem));
        !named.contains(name) && !named.iter().any(in_family)
    })
}

/// The packages that are compiled for these arguments, without those of tests and benches.
fn tree(root: &Path, arguments: &[&str]) -> Result<BTreeSet<String>, String> {
    let mut command = shell::cargo(root);
    command
        .args(["tree", "--quiet", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(arguments);
    Ok(packages(&shell::output(&mut command)?))
}

/// `name version` of each line; a repeated package is marked with a star and may have its path behind it.
fn packages(text: &str) -> BTreeSet<String> {
    text.lines()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .filter(|package| !package.is_empty())
        .collect()
}

const TARGET: &str = "x86_64-unknown-linux-gnu";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_counted_once_and_by_version() {
        let text = "a v1.0.0 (/w/a)\nb v1.0.0\nb v1.0.0 (*)\nb v2.0.0\nm v1.0.0 (proc-macro)\n\n";
        let found: Vec<String> = packages(text).into_iter().collect();
        assert_eq!(found, ["a v1.0.0", "b v1.0.0", "b v2.0.0", "m v1.0.0"]);
    }

    #[test]
    fn a_package_without_a_reason_is_named() {
        let compiled = packages("url v2.5.8\nicu_properties v2.0.0\nserde v1.0.0\nwinnow v1.0.0\n");
        let text = "| `serde_json`, `url` 2 | URLs, and winnow |\n| `icu_*` (6) | tables |\n";
        assert_eq!(unexplained(&compiled, text).collect::<Vec<_>>(), ["serde", "winnow"]);
    }
}
