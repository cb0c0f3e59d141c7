//! `cargo xtask bench`: what this costs, measured.
//!
//! Benches are found by their names, so that a new one needs no list. Bench targets are run as they
//! are; a binary named `bench-…` drives a server over loopback and is run in release mode. With
//! `bench server` only what measures servers is run: those binaries, and bench targets named `server…`.
//! Any other word picks the benches whose name contains it.

use crate::metadata::{Metadata, Package};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::shell;

/// One thing to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bench {
    package: String,
    name: String,
    /// A binary that is run, rather than a target of `cargo bench`.
    binary: bool,
}

/// Runs the benches that the words after the verb pick.
pub(crate) fn run(options: &Options) -> Outcome {
    let metadata = match Metadata::load(&options.root) {
        Ok(metadata) => metadata,
        Err(error) => return Outcome::Failed(error),
    };
    let benches: Vec<Bench> =
        metadata.members().flat_map(benches).filter(|bench| bench.is_picked(&options.rest)).collect();
    if benches.is_empty() {
        return Outcome::Failed(format!("no bench is named {}", options.rest.join(" or ")));
    }
    let mut problems = Vec::new();
    for bench in benches {
        let mut command = shell::cargo(&options.root);
        if bench.binary {
            command.args(["run", "--release", "-p", &bench.package, "--bin", &bench.name, "--"]);
            command.args(options.long.then_some("--long"));
        } else {
            command.args(["bench", "-p", &bench.package, "--all-features", "--bench", &bench.name]);
        }
        if let Outcome::Failed(problem) = shell::show(&mut command) {
            problems.push(problem);
        }
    }
    Outcome::from_problems(&problems)
}

fn benches(package: &Package) -> Vec<Bench> {
    let named =
        |binary: bool, name: &str| Bench { package: package.name.clone(), name: name.to_owned(), binary };
    package
        .targets
        .iter()
        .filter_map(|target| {
            if target.is("bench") {
                Some(named(false, &target.name))
            } else if target.is("bin") && target.name.starts_with("bench-") {
                Some(named(true, &target.name))
            } else {
                None
            }
        })
        .collect()
}

impl Bench {
    fn is_picked(&self, words: &[String]) -> bool {
        let of_a_server = self.binary || self.name.starts_with("server");
        words.is_empty()
            || words.iter().any(|word| if word == "server" { of_a_server } else { self.name.contains(word) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(name: &str, binary: bool) -> Bench {
        Bench { package: "p".to_owned(), name: name.to_owned(), binary }
    }

    #[test]
    fn words_pick_benches() {
        let server = ["server".to_owned()];
        assert!(bench("layer", false).is_picked(&[]));
        assert!(!bench("layer", false).is_picked(&server));
        assert!(bench("server_echo", false).is_picked(&server));
        assert!(bench("bench-sse", true).is_picked(&server));
        assert!(bench("layer", false).is_picked(&["lay".to_owned()]));
    }
}
