//! The project's chores, as `cargo xtask VERB`.
//!
//! `test` is the one test command; every other verb is a part of it or a measurement. The code uses
//! nothing but the standard library, an argument parser and JSON, so that it is compiled in seconds.
#![expect(clippy::print_stdout, reason = "a chore talks to the person who started it")]

mod bench;
mod conformance;
mod e2e;
mod features;
mod files;
mod metadata;
mod options;
mod outcome;
mod phases;
mod requirements;
mod shell;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use features::Depth;
use options::Options;
use outcome::Outcome;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().unwrap_or(manifest);
    let ci = shell::variable("CI").is_some_and(|value| value == "true" || value == "1");
    let mut parser = lexopt::Parser::from_env();
    let verb = match parser.next().map_err(|error| error.to_string())? {
        Some(lexopt::Arg::Value(verb)) => verb.to_string_lossy().into_owned(),
        _ => return Err("which chore?".to_owned()),
    };
    let options = Options::new(root, ci).read(&mut parser).map_err(|error| error.to_string())?;
    let outcome = match verb.as_str() {
        "test" => return phases::run(&options),
        "tidy" => tidy::run(&options),
        "requirements" => requirements::run(&options),
        "features" => features::run(&options, Depth::Pairs),
        "bench" => bench::run(&options),
        "e2e" => e2e::run(&options),
        "conformance" => conformance::run(&options),
        _ => return Err(format!("there is no chore `{verb}`")),
    };
    let outcome = outcome.strict(options.ci);
    println!("{verb}{}", phases::report(&outcome));
    Ok(!matches!(outcome, Outcome::Failed(_)))
}

const USAGE: &str = "\
cargo xtask test [--long] [--only PHASE,…] [--skip PHASE,…]
                            everything: fmt, clippy, tests, doctests, docs, tidy, requirements,
                            features, e2e, conformance
cargo xtask tidy            what no compiler checks
cargo xtask requirements [--write] [--lenient]
                            every row has a test or a reason; --write makes docs/requirements.md
cargo xtask features        each feature alone and each pair
cargo xtask bench [server | NAME…] [--long]
cargo xtask e2e             real clients against the examples
cargo xtask conformance     the official suite against examples/conformance and examples/provider

With CI=true, what cannot run here is a failure instead of a skip.";
