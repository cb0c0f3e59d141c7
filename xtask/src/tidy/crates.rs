//! How many crates a user compiles, and which ones nobody ever should.

use std::collections::BTreeSet;
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
    Ceiling { label: "mcp-auth-jwt, static keys", package: "mcp-auth-jwt", features: "", crates: 110 },
    Ceiling { label: "mcp-auth-jwt, fetched keys", package: "mcp-auth-jwt", features: "fetch", crates: 170 },
];

/// One provider of cryptography, and no RSA with a known timing leak.
const BANNED: [&str; 4] = ["ring", "openssl-sys", "native-tls", "rsa"];

/// Prints the counts; names every ceiling that is passed and every banned crate.
///
/// # Errors
/// What cargo said when a tree cannot be made.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>, String> {
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
        let count = tree(root, &arguments)?.len();
        println!("crates compiled: {count:>4} of at most {:<4} {}", ceiling.crates, ceiling.label);
        if count > ceiling.crates {
            problems.push(format!(
                "{}: {count} crates are compiled, the ceiling is {}",
                ceiling.label, ceiling.crates
            ));
        }
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
}
