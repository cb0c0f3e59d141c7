//! The files of the repository: what git tracks, and what it would if asked.

use std::fs;
use std::path::Path;

use crate::shell;

/// One text file, with its path relative to the workspace root in forward slashes.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether the path ends in `.extension`.
    pub(crate) fn is(&self, extension: &str) -> bool {
        has_extension(&self.path, extension)
    }
}

/// The paths of all files that are tracked or would be, sorted.
///
/// # Errors
/// What git said when the workspace is no repository.
pub(crate) fn paths(root: &Path) -> Result<Vec<String>, String> {
    let mut command = shell::program("git", root);
    // A clone may belong to another user than the one who tests it.
    command.args(["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let listing = shell::output(&mut command)?;
    let mut paths: Vec<String> = listing
        .split('\0')
        .filter(|path| !path.is_empty() && root.join(path).is_file())
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Reads every file whose name ends in one of `extensions`.
///
/// # Errors
/// A file that cannot be read or is not UTF-8.
pub(crate) fn read(root: &Path, extensions: &[&str]) -> Result<Vec<File>, String> {
    paths(root)?
        .into_iter()
        .filter(|path| extensions.iter().any(|extension| has_extension(path, extension)))
        .map(|path| {
            let text = fs::read_to_string(root.join(&path)).map_err(|error| format!("{path}: {error}"))?;
            Ok(File { path, text })
        })
        .collect()
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|own| own == extension)
}
