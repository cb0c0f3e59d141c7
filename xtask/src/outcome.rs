//! How a phase of `cargo xtask test` can end.

/// The end of one phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything the phase looks at is right.
    Passed,
    /// Something is wrong; the text says what, for a person.
    Failed(String),
    /// The phase could not run here, for this reason. With `CI` set this counts as a failure.
    Skipped(String),
}

impl Outcome {
    /// `Passed` when there is nothing in `problems`, else one failure that lists them all.
    pub(crate) fn from_problems(problems: &[String]) -> Self {
        if problems.is_empty() {
            return Self::Passed;
        }
        let mut text = format!("{} problem(s)", problems.len());
        for problem in problems {
            text.push_str("\n  - ");
            text.push_str(problem);
        }
        Self::Failed(text)
    }

    /// What a machine that must run everything makes of it: there, skipped is failed.
    pub(crate) fn strict(self, ci: bool) -> Self {
        match self {
            Self::Skipped(reason) if ci => Self::Failed(format!("could not run: {reason}")),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_phase_fails_only_where_everything_must_run() {
        let skipped = Outcome::Skipped("no node".to_owned());
        assert_eq!(skipped.clone().strict(false), skipped);
        assert_eq!(skipped.strict(true), Outcome::Failed("could not run: no node".to_owned()));
    }

    #[test]
    fn problems_become_one_failure_that_names_each() {
        assert_eq!(Outcome::from_problems(&[]), Outcome::Passed);
        let Outcome::Failed(text) = Outcome::from_problems(&["a".to_owned(), "b".to_owned()]) else {
            panic!("two problems must fail");
        };
        assert!(text.contains("- a") && text.contains("- b"));
    }
}
