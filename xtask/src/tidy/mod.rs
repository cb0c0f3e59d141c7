//! The checks no compiler makes: shape of the tree, of the files, of the manifests and of the graph.

mod crates;
mod dependencies;
mod licences;
mod links;
mod manifests;
mod markers;
mod size;
mod text;
mod toplevel;
mod workspace;

use std::path::Path;

use crate::files;
use crate::metadata::Metadata;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::requirements;

/// Runs every check and lists everything that is wrong at once.
pub(crate) fn run(options: &Options) -> Outcome {
    let root = &options.root;
    let checks = [of_files(root), of_packages(root), requirements::stale(root)];
    let problems: Vec<String> = checks.into_iter().flat_map(named).collect();
    Outcome::from_problems(&problems)
}

fn of_files(root: &Path) -> Result<Vec<String>, String> {
    let mut problems = toplevel::check(&files::paths(root)?);
    let rust = files::read(root, &["rs"])?;
    problems.extend(named(size::check(root, &rust)));
    problems.extend(markers::check(&rust));
    problems.extend(text::check(&files::read(root, text::EXTENSIONS)?));
    problems.extend(links::check(root, &files::read(root, &["md"])?));
    Ok(problems)
}

fn of_packages(root: &Path) -> Result<Vec<String>, String> {
    let metadata = Metadata::load(root)?;
    let mut problems = licences::check(&metadata);
    problems.extend(dependencies::check(&metadata));
    problems.extend(named(manifests::check(root, &metadata)));
    problems.extend(named(crates::check(root, &metadata)));
    problems.extend(named(workspace::check(root, &metadata)));
    Ok(problems)
}

/// A check that could not be made is one more problem, and hides no other.
fn named(check: Result<Vec<String>, String>) -> Vec<String> {
    check.unwrap_or_else(|error| vec![error])
}
