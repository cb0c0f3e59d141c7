//! What the findings mean.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::findings::{Check, End, Findings};

/// A check that the SDK alone fails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    revision: String,
    scenario: String,
    check: String,
    reason: String,
}

impl Expected {
    /// Reads the list.
    ///
    /// # Errors
    /// A sentence when it is not there, is no such list, or an entry has no reason.
    pub(crate) fn read(file: &Path) -> Result<Vec<Self>, String> {
        let text = fs::read_to_string(file)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let list: Vec<Self> = serde_json::from_str(&text)
            .map_err(|error| format!("{} is no such list: {error}", file.display()))?;
        match list.iter().find(|entry| entry.reason.trim().is_empty()) {
            Some(entry) => Err(format!("{} of {} has no reason", entry.check, entry.scenario)),
            None => Ok(list),
        }
    }

    fn names(&self, check: &Check) -> bool {
        self.revision == check.revision && self.scenario == check.scenario && self.check == check.id
    }
}

/// A run by its name. The first of several is the bare SDK.
pub(crate) type Run = (&'static str, Findings);

/// What is wrong: a scored scenario that did not run, a failure nobody expects, an expected one that passes,
/// and a check that the bare SDK passes and a later run does not have.
pub(crate) fn problems(runs: &[Run], scored: &[(&str, String)], expected: &[Expected]) -> Vec<String> {
    let mut problems = Vec::new();
    for (run, findings) in runs {
        for (revision, scenario) in scored {
            if findings.count(revision, scenario) == (0, 0) {
                problems.push(format!("{run}: {revision} {scenario} did not run"));
            }
        }
        for (check, end) in &findings.0 {
            let End::Failed(text) = end else { continue };
            if !expected.iter().any(|entry| entry.names(check)) {
                problems.push(format!("{run}: {} {} {}: {text}", check.revision, check.scenario, check.id));
            }
        }
    }
    let Some(((_, bare), ours)) = runs.split_first() else {
        return problems;
    };
    for entry in expected {
        let fails = bare.0.iter().any(|(check, end)| entry.names(check) && matches!(end, End::Failed(_)));
        if !fails {
            let Expected { revision, scenario, check, .. } = entry;
            problems.push(format!("bare: {revision} {scenario} {check} passes now: strike it from the list"));
        }
    }
    for (run, findings) in ours {
        let passed = bare.0.iter().filter(|(_, end)| **end == End::Passed).map(|(check, _)| check);
        for check in passed.filter(|check| findings.0.get(check).is_none_or(|end| *end == End::Noted)) {
            problems
                .push(format!("{run}: {} {} {} was not judged", check.revision, check.scenario, check.id));
        }
    }
    problems
}

/// A line for each scenario: right checks of all, for each run; a star marks what is scored.
pub(crate) fn table(runs: &[Run], scored: &[(&str, String)]) -> String {
    let checks = runs.iter().flat_map(|(_, findings)| findings.0.keys());
    let scenarios: BTreeSet<_> =
        checks.map(|check| (check.revision.as_str(), check.scenario.as_str())).collect();
    let mut table = format!("{:<58}", "revision, scenario (* scored)");
    for (run, _) in runs {
        let _ = write!(table, "{run:>8}");
    }
    for (revision, scenario) in scenarios {
        let counts = scored.iter().any(|(other, name)| *other == revision && name == scenario);
        let _ = write!(table, "\n{revision} {}{scenario:<46}", if counts { '*' } else { ' ' });
        for (_, findings) in runs {
            let (passed, failed) = findings.count(revision, scenario);
            let _ = write!(table, "{:>8}", format!("{passed}/{}", passed + failed));
        }
    }
    table.push('\n');
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn findings(ends: &[(&str, End)]) -> Findings {
        let check =
            |id: &str| Check { revision: "r".to_owned(), scenario: "s".to_owned(), id: id.to_owned() };
        Findings(ends.iter().map(|(id, end)| (check(id), end.clone())).collect::<BTreeMap<_, _>>())
    }

    fn failed() -> End {
        End::Failed("FAILURE: no".to_owned())
    }

    fn judged(bare: &[(&str, End)], open: &[(&str, End)], expected: &[&str]) -> Vec<String> {
        let entry = |check: &&str| Expected {
            revision: "r".to_owned(),
            scenario: "s".to_owned(),
            check: (*check).to_owned(),
            reason: "because".to_owned(),
        };
        let expected: Vec<_> = expected.iter().map(entry).collect();
        problems(&[("bare", findings(bare)), ("open", findings(open))], &[("r", "s".to_owned())], &expected)
    }

    #[test]
    fn only_listed_failures_are_right() {
        let ends = [("a", End::Passed), ("b", failed())];
        assert_eq!(judged(&ends, &ends, &["b"]), Vec::<String>::new());
        assert_eq!(judged(&ends, &ends, &[]).len(), 2);
    }

    #[test]
    fn a_failure_of_our_own_is_told() {
        let told = judged(&[("a", End::Passed)], &[("a", failed())], &[]);
        assert_eq!(told, ["open: r s a: FAILURE: no"]);
    }

    #[test]
    fn a_listed_failure_that_passes_is_told() {
        let told = judged(&[("a", End::Passed)], &[("a", End::Passed)], &["a"]);
        assert_eq!(told, ["bare: r s a passes now: strike it from the list"]);
    }

    #[test]
    fn a_scenario_or_check_that_did_not_run_is_told() {
        let told = judged(&[("a", End::Passed)], &[], &[]);
        assert_eq!(told, ["open: r s did not run", "open: r s a was not judged"]);
    }
}
