//! `cargo xtask test`: the one test command, phase by phase.

use std::time::{Duration, Instant};

use crate::features::{self, Depth};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::{conformance, e2e, requirements, shell, tidy};

/// A part of the test command: its name on the command line, and what it does.
type Phase = (&'static str, fn(&Options) -> Outcome);

const PHASES: [Phase; 10] = [
    ("fmt", fmt),
    ("clippy", clippy),
    ("tests", tests),
    ("doctests", doctests),
    ("docs", docs),
    ("tidy", tidy::run),
    ("requirements", requirements::run),
    ("features", features),
    ("e2e", e2e::run),
    ("conformance", conformance::run),
];

/// Runs the phases that were asked for and prints the summary; `true` when nothing failed.
pub(crate) fn run(options: &Options) -> Result<bool, String> {
    known(&options.only)?;
    known(&options.skip)?;
    let mut results = Vec::new();
    for (name, phase) in PHASES.iter().filter(|(name, _)| options.wants(name)) {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = phase(options).strict(options.ci);
        let time = start.elapsed();
        println!("--- {name}: {} min{}", minutes(time), report(&outcome));
        results.push((*name, time, outcome));
    }
    println!("\n{}", summary(&results));
    Ok(!results.iter().any(|(_, _, outcome)| matches!(outcome, Outcome::Failed(_))))
}

fn known(names: &[String]) -> Result<(), String> {
    let unknown = names.iter().find(|name| !PHASES.iter().any(|(phase, _)| phase == name));
    unknown.map_or(Ok(()), |name| {
        let phases: Vec<&str> = PHASES.iter().map(|(phase, _)| *phase).collect();
        Err(format!("there is no phase `{name}`; there are {}", phases.join(", ")))
    })
}

fn fmt(options: &Options) -> Outcome {
    shell::show(shell::cargo(&options.root).args(["fmt", "--all", "--check"]))
}

fn clippy(options: &Options) -> Outcome {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    shell::show(shell::cargo(&options.root).args(arguments))
}

fn tests(options: &Options) -> Outcome {
    let mut command = shell::cargo(&options.root);
    if options.long {
        command.env("PROPTEST_CASES", "4096").env("MCP_LONG", "1");
    }
    if shell::works("cargo", &["nextest", "--version"]) {
        let configuration = options.root.join("xtask/nextest.toml");
        command.args(["nextest", "run", "--workspace", "--all-features", "--config-file"]).arg(configuration);
    } else {
        command.args(["test", "--workspace", "--all-features", "--lib", "--bins", "--tests"]);
    }
    shell::show(&mut command)
}

fn doctests(options: &Options) -> Outcome {
    shell::show(shell::cargo(&options.root).args(["test", "--doc", "--workspace", "--all-features"]))
}

fn docs(options: &Options) -> Outcome {
    let mut command = shell::cargo(&options.root);
    command.env("RUSTDOCFLAGS", "-D warnings");
    shell::show(command.args(["doc", "--no-deps", "--workspace", "--all-features"]))
}

fn features(options: &Options) -> Outcome {
    features::run(options, if options.long { Depth::Pairs } else { Depth::Each })
}

/// What is printed behind a phase's time.
pub(crate) fn report(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => ", passed".to_owned(),
        Outcome::Failed(text) => format!(", FAILED: {text}"),
        Outcome::Skipped(reason) => format!(", skipped: {reason}"),
    }
}

/// The table of all phases, closed by the one line that counts them.
fn summary(results: &[(&str, Duration, Outcome)]) -> String {
    let mut lines = Vec::new();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, time, outcome) in results {
        let word = match outcome {
            Outcome::Passed => {
                passed += 1;
                "passed".to_owned()
            }
            Outcome::Failed(text) => {
                failed += 1;
                format!("FAILED: {}", text.lines().next().unwrap_or_default())
            }
            Outcome::Skipped(reason) => {
                skipped += 1;
                format!("skipped: {reason}")
            }
        };
        lines.push(format!("{name:<14}{:>6} min  {word}", minutes(*time)));
    }
    let total: Duration = results.iter().map(|(_, time, _)| *time).sum();
    lines.push(format!("{:<14}{:>6} min", "all", minutes(total)));
    lines.push(format!("{passed} passed, {failed} failed, {skipped} skipped"));
    lines.join("\n")
}

fn minutes(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_the_phases() {
        let second = Duration::from_secs(6);
        let results = [
            ("fmt", second, Outcome::Passed),
            ("tests", second, Outcome::Failed("first line\nsecond".to_owned())),
            ("e2e", second, Outcome::Skipped("no node".to_owned())),
        ];
        let text = summary(&results);
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed, 1 skipped"));
        assert!(text.contains("FAILED: first line") && !text.contains("second"), "{text}");
        assert!(text.contains("all              0.3 min"), "{text}");
    }

    #[test]
    fn a_phase_that_does_not_exist_is_an_error() {
        assert!(known(&["fmt".to_owned()]).is_ok());
        assert!(known(&["format".to_owned()]).unwrap_err().contains("there is no phase `format`"));
    }
}
