//! What the suite wrote down.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// How one check ended, the better the smaller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// It was not judged: left out by the suite, or only a note.
    Noted,
    /// It is right.
    Passed,
    /// It is wrong; the text is the suite's.
    Failed(String),
}

/// Names a check: revision, scenario, id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Check {
    /// The revision of the specification.
    pub(crate) revision: String,
    /// The scenario of the suite.
    pub(crate) scenario: String,
    /// The id of the check within it.
    pub(crate) id: String,
}

/// All checks of one run.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) BTreeMap<Check, End>);

/// One entry of `checks.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    status: String,
    error_message: Option<String>,
}

impl Findings {
    /// Adds what the suite wrote to `results`: a folder `MODE-SCENARIO-TIME` for each scenario.
    ///
    /// # Errors
    /// A sentence when something is not there or cannot be read.
    pub(crate) fn read(&mut self, revision: &str, results: &Path) -> Result<(), String> {
        let unreadable = |error| format!("{} cannot be read: {error}", results.display());
        for folder in fs::read_dir(results).map_err(unreadable)? {
            let folder = folder.map_err(unreadable)?.path();
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(scenario) = scenario(&name) else { continue };
            let text = fs::read_to_string(folder.join("checks.json")).map_err(unreadable)?;
            self.add(revision, scenario, &text)?;
        }
        Ok(())
    }

    fn add(&mut self, revision: &str, scenario: &str, checks: &str) -> Result<(), String> {
        let entries: Vec<Entry> = serde_json::from_str(checks)
            .map_err(|error| format!("the checks of {scenario} are not what they were: {error}"))?;
        for entry in entries {
            let end = match entry.status.as_str() {
                "SUCCESS" => End::Passed,
                "INFO" | "SKIPPED" => End::Noted,
                other => End::Failed(format!("{other}: {}", entry.error_message.unwrap_or_default())),
            };
            let check = Check { revision: revision.to_owned(), scenario: scenario.to_owned(), id: entry.id };
            // An id may come more than once; its worst end counts.
            let known = self.0.entry(check).or_insert(End::Noted);
            if end > *known {
                *known = end;
            }
        }
        Ok(())
    }

    /// Right and wrong checks of a scenario.
    pub(crate) fn count(&self, revision: &str, scenario: &str) -> (usize, usize) {
        let of = self.0.iter().filter(|(check, _)| check.revision == revision && check.scenario == scenario);
        of.fold((0, 0), |(passed, failed), (_, end)| match end {
            End::Noted => (passed, failed),
            End::Passed => (passed + 1, failed),
            End::Failed(_) => (passed, failed + 1),
        })
    }
}

/// The scenario in `server-SCENARIO-2026-11-23T11-31-59-036Z`; the mode for authorization servers says so before.
fn scenario(folder: &str) -> Option<&str> {
    let named = folder.strip_prefix("authorization-").unwrap_or(folder).strip_prefix("server-")?;
    let (name, time) = named.split_at_checked(named.len().checked_sub(25)?)?;
    (time.starts_with('-') && time.ends_with('Z')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenario_is_read_from_the_name_of_its_folder() {
        assert_eq!(
            scenario("server-json-schema-2020-12-2026-11-23T11-31-59-036Z"),
            Some("json-schema-2020-12")
        );
        assert_eq!(
            scenario("authorization-server-authorization-code-grant-2026-11-25T14-02-22-230Z"),
            Some("authorization-code-grant")
        );
        assert_eq!(scenario("server-ping"), None);
        assert_eq!(scenario("client-ping-2026-11-23T11-31-59-036Z"), None);
    }

    #[test]
    fn the_worst_end_of_an_id_counts_and_a_warning_is_no_success() {
        let mut findings = Findings::default();
        let checks = r#"[{"id": "a", "status": "SUCCESS"}, {"id": "a", "status": "WARNING", "errorMessage": "late"},
            {"id": "a", "status": "SUCCESS"}, {"id": "b", "status": "SKIPPED"}, {"id": "c", "status": "SUCCESS"}]"#;
        findings.add("r", "s", checks).unwrap();
        assert_eq!(findings.count("r", "s"), (1, 1));
        assert!(findings.0.values().any(|end| *end == End::Failed("WARNING: late".to_owned())));
    }
}
