//! What the command line said.

use std::path::{Path, PathBuf};

/// The switches shared by the verbs, and where the workspace is.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The workspace root: the folder of the virtual `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Run what takes long, too: more rounds, more cases, more connections.
    pub(crate) long: bool,
    /// Phases to run; all when empty.
    pub(crate) only: Vec<String>,
    /// Phases to leave out.
    pub(crate) skip: Vec<String>,
    /// The environment variable `CI` is `true`: what is missing is a failure, not a skip.
    pub(crate) ci: bool,
    /// What followed the verb and is no switch (`bench server`, for one).
    pub(crate) rest: Vec<String>,
    /// `requirements --write`: write the table instead of comparing it.
    pub(crate) write: bool,
    /// `requirements --lenient`: uncovered rows are listed and do not fail. For local use only.
    pub(crate) lenient: bool,
}

impl Options {
    /// The defaults for a workspace root.
    pub(crate) fn new(root: &Path, ci: bool) -> Self {
        Self {
            root: root.to_path_buf(),
            long: false,
            only: Vec::new(),
            skip: Vec::new(),
            ci,
            rest: Vec::new(),
            write: false,
            lenient: false,
        }
    }

    /// Reads the arguments that follow the verb.
    ///
    /// # Errors
    /// A switch nobody knows, or one without its value.
    pub(crate) fn read(mut self, parser: &mut lexopt::Parser) -> Result<Self, lexopt::Error> {
        use lexopt::prelude::{Long, Value, ValueExt as _};
        while let Some(argument) = parser.next()? {
            match argument {
                Long("long") => self.long = true,
                Long("write") => self.write = true,
                Long("lenient") => self.lenient = true,
                Long("only") => self.only.extend(names(&parser.value()?.string()?)),
                Long("skip") => self.skip.extend(names(&parser.value()?.string()?)),
                Value(value) => self.rest.push(value.string()?),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(self)
    }

    /// Whether a phase of this name is asked for.
    pub(crate) fn wants(&self, phase: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == phase);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

fn names(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Options {
        let mut parser = lexopt::Parser::from_args(arguments);
        Options::new(Path::new("/w"), false).read(&mut parser).unwrap()
    }

    #[test]
    fn only_and_skip_take_lists_and_may_repeat() {
        let options = read(&["--only", "fmt,clippy", "--only", "tidy", "--skip", "clippy"]);
        assert!(options.wants("fmt") && options.wants("tidy"));
        assert!(!options.wants("clippy") && !options.wants("tests"));
    }

    #[test]
    fn an_unknown_switch_is_an_error() {
        let mut parser = lexopt::Parser::from_args(["--frob"]);
        assert!(Options::new(Path::new("/w"), false).read(&mut parser).is_err());
    }

    #[test]
    fn what_is_no_switch_is_kept_in_order() {
        let options = read(&["server", "--long", "x"]);
        assert!(options.long);
        assert_eq!(options.rest, ["server", "x"]);
    }
}
