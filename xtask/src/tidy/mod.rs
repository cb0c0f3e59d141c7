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

use std::path::Path;

use crate::files;
use crate::metadata::Metadata;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::requirements;

/// Runs every check and lists everything that is wrong at once.
pub(crate) fn run(options: &Options) -> Outcome {
    match problems(&options.root) {
        Ok(problems) => Outcome::from_problems(&problems),
        Err(error) => Outcome::Failed(error),
    }
}

fn problems(root: &Path) -> Result<Vec<String>, String> {
    let mut problems = toplevel::check(&files::paths(root)?);
    let rust = files::read(root, &["rs"])?;
    problems.extend(size::check(root, &rust)?);
    problems.extend(markers::check(&rust));
    problems.extend(text::check(&files::read(root, text::EXTENSIONS)?));
    problems.extend(links::check(root, &files::read(root, &["md"])?));

    let metadata = Metadata::load(root)?;
    problems.extend(licences::check(&metadata));
    problems.extend(dependencies::check(&metadata));
    problems.extend(manifests::check(root, &metadata)?);
    problems.extend(crates::check(root, &metadata)?);
    problems.extend(requirements::stale(root)?);
    Ok(problems)
}
