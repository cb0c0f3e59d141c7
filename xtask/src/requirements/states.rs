//! What is wrong with the answers to the rows.

use std::collections::BTreeSet;

use super::covers::Coverage;
use super::rows::{Row, Section};

/// The judgement over all rows.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Contradictions; each is a sentence.
    pub(crate) errors: Vec<String>,
    /// Ids that have neither a test nor a reason.
    pub(crate) uncovered: Vec<String>,
    covered: usize,
    explained: usize,
}

impl Verdict {
    /// One line for a person.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} rows: {} covered by tests, {} with a reason, {} open",
            self.covered + self.explained + self.uncovered.len(),
            self.covered,
            self.explained,
            self.uncovered.len()
        )
    }
}

/// Compares the list with the comments in the tests.
pub(crate) fn judge(sections: &[Section], coverage: &Coverage) -> Verdict {
    let mut verdict = Verdict { errors: coverage.errors.clone(), ..Verdict::default() };
    let rows: Vec<&Row> = sections.iter().flat_map(|section| &section.rows).collect();
    for row in &rows {
        let instead =
            row.status.as_ref().map(|(status, _)| *status).filter(|status| status.replaces_a_test());
        match (coverage.rows.get(&row.id), instead) {
            (Some(_), None) => verdict.covered += 1,
            (Some(files), Some(status)) => {
                verdict.covered += 1;
                let place = list(files);
                let label = status.label();
                verdict.errors.push(format!(
                    "{} is listed as {label} and named by {place}: strike the status off",
                    row.id
                ));
            }
            (None, None) => verdict.uncovered.push(row.id.clone()),
            (None, Some(_)) => verdict.explained += 1,
        }
    }
    let known: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    for (id, files) in &coverage.rows {
        if !known.contains(id.as_str()) {
            verdict.errors.push(format!("{} names the row `{id}`, which does not exist", list(files)));
        }
    }
    verdict
}

fn list(files: &BTreeSet<String>) -> String {
    files.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::File;
    use crate::requirements::{covers, rows};

    fn check(list: &str, test: &str) -> Verdict {
        let sections = rows::parse(&format!("## S\n{list}")).unwrap();
        let text = if test.is_empty() {
            String::new()
        } else {
            format!("// covers: {test}\n#[test]\nfn t() {{}}\n")
        };
        judge(&sections, &covers::scan(&[File { path: "t.rs".to_owned(), text }]))
    }

    #[test]
    fn a_row_needs_a_test_or_a_reason() {
        let verdict = check("A-1 | x\nA-2 | y | later | soon\nA-3 | z", "A-1");
        assert_eq!(verdict.uncovered, ["A-3"]);
        assert!(verdict.errors.is_empty(), "{:?}", verdict.errors);
        assert_eq!(verdict.summary(), "3 rows: 1 covered by tests, 1 with a reason, 1 open");
    }

    #[test]
    fn a_remark_replaces_no_test() {
        for status in ["note", "partly"] {
            let row = format!("A-1 | x | {status} | n");
            assert_eq!(check(&row, "").uncovered, ["A-1"]);
            let verdict = check(&row, "A-1");
            assert!(verdict.uncovered.is_empty() && verdict.errors.is_empty(), "{status}");
        }
    }

    #[test]
    fn covered_and_explained_at_once_is_an_error() {
        for status in ["later", "not-applicable", "decided"] {
            let verdict = check(&format!("A-1 | x | {status} | r"), "A-1");
            assert!(verdict.errors[0].contains("strike the status off"), "{:?}", verdict.errors);
        }
    }

    #[test]
    fn a_row_that_does_not_exist_is_an_error() {
        let verdict = check("A-1 | x", "A-1, A-9");
        assert_eq!(verdict.errors, ["t.rs names the row `A-9`, which does not exist"]);
    }
}
