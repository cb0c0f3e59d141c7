//! The comments by which tests name their rows.
//!
//! In Rust the comment must stand above a test, in the same block of comments and attributes: one on
//! a helper would claim what nothing checks. The end-to-end scripts have no such form, so there a
//! comment counts wherever it stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::File;

/// Which rows are named where, and comments that name nothing properly.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    /// Row id to the files whose tests name it.
    pub(crate) rows: BTreeMap<String, BTreeSet<String>>,
    /// Comments that are not above a test or name no row, with their place.
    pub(crate) errors: Vec<String>,
}

/// Finds every comment in the given files.
pub(crate) fn scan(files: &[File]) -> Coverage {
    let mut coverage = Coverage::default();
    for file in files {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(first) = line.strip_prefix(MARK) else {
                continue;
            };
            let place = format!("{}:{}", file.path, index + 1);
            if file.is("rs") && !is_chore(&file.path) && !above_a_test(&lines, index) {
                coverage.errors.push(format!("{place}: the comment is not above a test"));
            }
            let ids = ids(first, &lines[index + 1..]);
            if ids.is_empty() {
                coverage.errors.push(format!("{place}: the comment names no row"));
            }
            for id in ids {
                coverage.rows.entry(id).or_default().insert(file.path.clone());
            }
        }
    }
    coverage
}

/// The ids on the line of the mark, and on further comment lines while a line ends in a comma.
fn ids(first: &str, following: &[&str]) -> Vec<String> {
    let mut text = first.trim().to_owned();
    for line in following {
        let Some(more) = line.strip_prefix("//").filter(|_| text.ends_with(',')) else {
            break;
        };
        text.push_str(more.trim());
    }
    text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// The phases that start clients and suites are checks themselves, though no `#[test]`.
fn is_chore(path: &str) -> bool {
    path.starts_with("xtask/src/e2e") || path.starts_with("xtask/src/conformance")
}

fn above_a_test(lines: &[&str], index: usize) -> bool {
    let attached = |line: &&&str| line.starts_with("//") || line.starts_with("#[");
    let before = lines[..index].iter().rev().take_while(attached);
    let after = lines[index + 1..].iter().take_while(attached);
    before.chain(after).any(|line| is_test_attribute(line))
}

fn is_test_attribute(line: &str) -> bool {
    let Some(attribute) = line.strip_prefix("#[") else {
        return false;
    };
    let path = attribute.split(['(', ']']).next().unwrap_or_default();
    path.rsplit("::").next().is_some_and(|name| name == "test")
}

const MARK: &str = "// covers:";

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_one(path: &str, text: &str) -> Coverage {
        scan(&[File { path: path.to_owned(), text: text.to_owned() }])
    }

    fn found(coverage: &Coverage) -> Vec<&str> {
        coverage.rows.keys().map(String::as_str).collect()
    }

    #[test]
    fn ids_are_separated_by_commas_and_go_on_over_lines() {
        let text = "    // covers: AUTH-1, RS11,\n    // EXT-DP-01\n    #[tokio::test(flavor = \"x\")]\n    async fn a() {}\n";
        let coverage = scan_one("crates/a/src/lib.rs", text);
        assert_eq!(found(&coverage), ["AUTH-1", "EXT-DP-01", "RS11"]);
        assert!(coverage.errors.is_empty(), "{:?}", coverage.errors);
    }

    #[test]
    fn another_comment_below_is_no_id() {
        let coverage = scan_one("a.rs", "// covers: A-1\n// Why: because.\n#[test]\nfn a() {}\n");
        assert_eq!(found(&coverage), ["A-1"]);
    }

    #[test]
    fn the_comment_may_stand_between_attributes() {
        let coverage = scan_one("a.rs", "#[test]\n// covers: A-1\n#[cfg(unix)]\nfn a() {}\n");
        assert!(coverage.errors.is_empty());
    }

    #[test]
    fn a_comment_away_from_a_test_is_an_error() {
        let coverage = scan_one("a.rs", "// covers: A-1\nfn helper() {}\n#[test]\nfn a() {}\n");
        assert_eq!(coverage.errors, ["a.rs:1: the comment is not above a test"]);
        for attribute in ["#[cfg(test)]", "#[test_data(1)]"] {
            let coverage = scan_one("a.rs", &format!("// covers: A-1\n{attribute}\nmod tests {{}}\n"));
            assert_eq!(coverage.errors.len(), 1, "{attribute}");
        }
    }

    #[test]
    fn an_empty_comment_is_an_error() {
        let coverage = scan_one("a.rs", "// covers:\n#[test]\nfn a() {}\n");
        assert_eq!(coverage.errors, ["a.rs:1: the comment names no row"]);
    }

    #[test]
    fn scripts_may_name_rows_anywhere() {
        let coverage = scan_one("xtask/e2e/a.mjs", "// covers: A-1\nconst x = 1;\n");
        assert_eq!(found(&coverage), ["A-1"]);
        assert!(coverage.errors.is_empty());
    }

    #[test]
    fn a_mark_inside_a_string_is_none() {
        assert!(found(&scan_one("a.rs", "let x = \"// covers: A-1\";\n")).is_empty());
    }
}
