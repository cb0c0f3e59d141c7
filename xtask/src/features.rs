//! Features are additive: every crate compiles with none, with each alone, and with each pair.

use std::path::Path;

use crate::metadata::Metadata;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::shell;

/// How thoroughly the features are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// None, and each one alone.
    Each,
    /// Each pair as well.
    Pairs,
}

/// Checks every library crate that has features.
pub(crate) fn run(options: &Options, depth: Depth) -> Outcome {
    let metadata = match Metadata::load(&options.root) {
        Ok(metadata) => metadata,
        Err(error) => return Outcome::Failed(error),
    };
    let mut problems = Vec::new();
    for package in metadata.published() {
        for features in sets(&package.feature_names(), depth) {
            println!("{} --features \"{features}\"", package.name);
            problems.extend(check(&options.root, &package.name, &features));
        }
    }
    Outcome::from_problems(&problems)
}

/// The sets to try, as cargo takes them; nothing for a crate without features.
fn sets(features: &[&str], depth: Depth) -> Vec<String> {
    if features.is_empty() {
        return Vec::new();
    }
    let mut sets = vec![String::new()];
    sets.extend(features.iter().map(|feature| (*feature).to_owned()));
    if depth == Depth::Pairs {
        for (index, first) in features.iter().enumerate() {
            sets.extend(features[index + 1..].iter().map(|second| format!("{first},{second}")));
        }
    }
    sets
}

/// What a feature set breaks. A warning counts: code that is dead without a feature is behind the wrong one.
fn check(root: &Path, package: &str, features: &str) -> Option<String> {
    let mut command = shell::cargo(root);
    command.args(["check", "--quiet", "-p", package, "--no-default-features", "--features", features]);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return Some(format!("cargo could not be started: {error}")),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && !warns(&stderr) {
        return None;
    }
    println!("{stderr}");
    Some(format!("{package} with `{features}` alone does not compile without warnings"))
}

fn warns(stderr: &str) -> bool {
    stderr.lines().any(|line| line.starts_with("warning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_each_and_pairs() {
        assert!(sets(&[], Depth::Pairs).is_empty());
        assert_eq!(sets(&["a", "b", "c"], Depth::Each), ["", "a", "b", "c"]);
        assert_eq!(sets(&["a", "b", "c"], Depth::Pairs), ["", "a", "b", "c", "a,b", "a,c", "b,c"]);
    }

    #[test]
    fn a_warning_is_seen() {
        assert!(warns("warning: unused import\n  --> x\n"));
        assert!(!warns("    Checking a v1\n"));
    }
}
