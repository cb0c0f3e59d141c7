//! `cargo xtask requirements`: each row of the specification and of the attack list has an answer.
//!
//! The rows are in `docs/requirements.txt`, the tests name them in comments, and the table made of
//! both is `docs/requirements.md`.

mod covers;
mod rows;
mod states;
mod table;

use std::fs;
use std::path::Path;

use crate::files;
use crate::options::Options;
use crate::outcome::Outcome;
use covers::Coverage;
use rows::Section;

const SOURCE: &str = "docs/requirements.txt";
const TABLE: &str = "docs/requirements.md";

/// Checks every row; with `--write` the table is written as well.
pub(crate) fn run(options: &Options) -> Outcome {
    match check(options) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(error),
    }
}

fn check(options: &Options) -> Result<Outcome, String> {
    let (sections, coverage) = load(&options.root)?;
    if options.write {
        let path = options.root.join(TABLE);
        fs::write(&path, table::render(&sections, &coverage)).map_err(|error| format!("{TABLE}: {error}"))?;
        println!("{TABLE} written");
    }
    let verdict = states::judge(&sections, &coverage);
    println!("{}", verdict.summary());
    let mut problems = verdict.errors;
    if options.lenient {
        for row in &verdict.uncovered {
            println!("  not covered yet: {row}");
        }
    } else {
        problems.extend(
            verdict
                .uncovered
                .iter()
                .map(|row| format!("{row} is named by no test and has no reason in {SOURCE}")),
        );
    }
    Ok(Outcome::from_problems(&problems))
}

/// What is wrong with the table that users read: missing, or older than its sources.
///
/// # Errors
/// A source that cannot be read.
pub(crate) fn stale(root: &Path) -> Result<Vec<String>, String> {
    let (sections, coverage) = load(root)?;
    let written = fs::read_to_string(root.join(TABLE)).unwrap_or_default();
    if written == table::render(&sections, &coverage) {
        return Ok(Vec::new());
    }
    Ok(vec![format!("{TABLE} is out of date: run `cargo xtask requirements --write`")])
}

fn load(root: &Path) -> Result<(Vec<Section>, Coverage), String> {
    let text = fs::read_to_string(root.join(SOURCE)).map_err(|error| format!("{SOURCE}: {error}"))?;
    let sections = rows::parse(&text).map_err(|error| format!("{SOURCE}:{error}"))?;
    let coverage = covers::scan(&files::read(root, &["rs", "mjs", "js", "ts"])?);
    Ok((sections, coverage))
}
