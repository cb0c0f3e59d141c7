//! The list of rows: `ID | statement | status | reason`, in sections.

use std::collections::{BTreeMap, BTreeSet};

/// A heading and the rows below it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
}

/// One row of the specification or of the attack list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) statement: String,
    /// What stands in the place of a test, or beside it.
    pub(crate) status: Option<(Status, String)>,
}

/// How a row is answered when not (only) by a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Later,
    NotApplicable,
    Decided,
    /// A remark; the row needs its test all the same.
    Note,
    /// One half has its test, the other comes later; the reason says which.
    Partly,
}

impl Status {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "later" => Self::Later,
            "not-applicable" => Self::NotApplicable,
            "decided" => Self::Decided,
            "note" => Self::Note,
            "partly" => Self::Partly,
            _ => return None,
        })
    }

    /// How the table calls it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Later => "later",
            Self::NotApplicable => "not applicable",
            Self::Decided => "decided",
            Self::Note => "note",
            Self::Partly => "partly",
        }
    }

    /// Whether the status takes the place of a test.
    pub(crate) fn replaces_a_test(self) -> bool {
        !matches!(self, Self::Note | Self::Partly)
    }
}

/// Reads the whole list.
///
/// # Errors
/// The line number and what is wrong with the line.
pub(crate) fn parse(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    let mut reasons = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let at = |message: &str| format!("{}: {message}", number + 1);
        let line = line.trim();
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section { title: title.to_owned(), rows: Vec::new() });
        } else if line.is_empty() || line.starts_with('#') {
            continue;
        } else if line.starts_with('@') {
            let (name, reason) =
                line.split_once('=').ok_or_else(|| at("a named reason is written `@name = text`"))?;
            reasons.insert(name.trim(), reason.trim());
        } else {
            let row = row(line, &reasons).map_err(|message| at(&message))?;
            if !seen.insert(row.id.clone()) {
                return Err(at(&format!("{} is listed twice", row.id)));
            }
            let section = sections.last_mut().ok_or_else(|| at("a row before the first heading"))?;
            section.rows.push(row);
        }
    }
    Ok(sections)
}

fn row(line: &str, reasons: &BTreeMap<&str, &str>) -> Result<Row, String> {
    let fields: Vec<&str> = line.split(" | ").map(str::trim).collect();
    let (id, statement, status) = match *fields.as_slice() {
        [id, statement] => (id, statement, None),
        [id, statement, status, reason] => {
            let status = Status::parse(status).ok_or_else(|| format!("`{status}` is no status"))?;
            let text = if reason.starts_with('@') {
                reasons.get(reason).copied().ok_or_else(|| format!("`{reason}` is not defined above"))?
            } else {
                reason
            };
            (id, statement, Some((status, text.to_owned())))
        }
        _ => return Err("a row is `ID | statement` or `ID | statement | status | reason`".to_owned()),
    };
    if statement.is_empty() || status.as_ref().is_some_and(|(_, reason)| reason.is_empty()) {
        return Err(format!("{id} has an empty field"));
    }
    Ok(Row { id: id.to_owned(), statement: statement.to_owned(), status })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        parse(text).unwrap_err()
    }

    #[test]
    fn rows_sections_and_named_reasons() {
        let sections = parse("# c\n@e = the engine\n\n## One\nA-1 | says\nA-2 | says | later | @e\n## Two\nB1 | x | note | y\n").unwrap();
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].rows[0].status, None);
        assert_eq!(sections[0].rows[1].status, Some((Status::Later, "the engine".to_owned())));
        assert_eq!(sections[1].title, "Two");
        assert_eq!(sections[1].rows[0].status, Some((Status::Note, "y".to_owned())));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert!(error_of("## S\nA-1 | x\nA-1 | y\n").starts_with("3: A-1 is listed twice"));
        assert!(error_of("## S\nA-1 | x | soon | y\n").contains("`soon` is no status"));
        assert!(error_of("## S\nA-1 | x | later | @gone\n").contains("@gone"));
        assert!(error_of("## S\nA-1 | x | later\n").starts_with("2: a row is"));
        assert!(error_of("A-1 | x\n").contains("before the first heading"));
    }
}
