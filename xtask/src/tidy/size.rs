//! One idea per file: each opens by saying what it is, and its body stays below a ceiling.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::files::File;

const CEILING: usize = 500;
const EXCEPTIONS: &str = "xtask/size-exceptions.txt";

/// Checks the opening and the size of every Rust file.
///
/// # Errors
/// The list of exceptions cannot be read.
pub(crate) fn check(root: &Path, files: &[File]) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(root.join(EXCEPTIONS)).map_err(|error| format!("{EXCEPTIONS}: {error}"))?;
    let exceptions = exceptions(&text)?;
    let mut problems = Vec::new();
    for file in files {
        if !opens_with_docs(&file.text) {
            problems.push(format!("{}: does not begin with `//!` docs", file.path));
        }
        let lines = body(&file.text);
        match (lines > CEILING, exceptions.contains_key(file.path.as_str())) {
            (true, false) => {
                problems.push(format!("{}: a body of {lines} lines, the ceiling is {CEILING}", file.path))
            }
            (false, true) => {
                problems.push(format!("{EXCEPTIONS}: {} needs no exception any more", file.path))
            }
            _ => {}
        }
    }
    for path in exceptions.keys() {
        if !files.iter().any(|file| file.path == *path) {
            problems.push(format!("{EXCEPTIONS}: {path} does not exist"));
        }
    }
    Ok(problems)
}

fn exceptions(text: &str) -> Result<BTreeMap<&str, &str>, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| match line.split_once(" | ") {
            Some((path, reason)) if !reason.trim().is_empty() => Ok((path.trim(), reason.trim())),
            _ => Err(format!("{EXCEPTIONS}: `{line}` has no reason (`path | reason`)")),
        })
        .collect()
}

/// Inner attributes may come first: rustfmt leaves them where a crate root puts them.
fn opens_with_docs(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.starts_with("#![cfg_attr("));
    lines.next().is_some_and(|line| line.starts_with("//!") || line.starts_with("#![doc = include_str!("))
}

/// Code lines: no comments, no blank lines, no inline test module.
///
/// Goes by lines and indentation, which is enough for code that is formatted by rustfmt.
fn body(text: &str) -> usize {
    let mut count = 0;
    let mut in_comment = false;
    let mut test_module: Option<usize> = None;
    let mut after_cfg_test = false;
    for line in text.lines() {
        let code = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(depth) = test_module {
            if code == "}" && indent == depth {
                test_module = None;
            }
            continue;
        }
        if in_comment || code.starts_with("/*") {
            in_comment = !code.contains("*/");
            continue;
        }
        if code.is_empty() || code.starts_with("//") {
            continue;
        }
        if code == "#[cfg(test)]" {
            after_cfg_test = true;
            count += 1;
            continue;
        }
        if after_cfg_test && code.starts_with("#[") {
            count += 1;
            continue;
        }
        if after_cfg_test && is_inline_module(code) {
            // The attribute was counted before it was known what it is for.
            count -= 1;
            test_module = Some(indent);
        } else {
            count += 1;
        }
        after_cfg_test = false;
    }
    count
}

fn is_inline_module(code: &str) -> bool {
    let code = code.strip_prefix("pub(crate) ").unwrap_or(code);
    code.starts_with("mod ") && code.ends_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_test_modules_do_not_count() {
        let text = "//! Docs.\n\n/// More.\nfn a() {\n    // why\n    b();\n}\n/* one\n two */\n#[cfg(test)]\nmod tests {\n    fn c() {\n    }\n}\nfn d() {}\n";
        assert_eq!(body(text), 4);
    }

    #[test]
    fn a_test_only_item_that_is_no_module_counts() {
        assert_eq!(body("#[cfg(test)]\nfn a() {}\n"), 2);
        assert_eq!(body("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 3);
    }

    #[test]
    fn an_inline_module_without_the_attribute_counts() {
        assert_eq!(body("mod a {\n    fn b() {}\n}\n"), 3);
    }

    #[test]
    fn an_exception_needs_a_reason() {
        assert!(exceptions("a.rs | a state machine\n").is_ok());
        assert!(exceptions("a.rs\n").is_err());
        assert!(exceptions("a.rs |  \n").is_err());
    }

    #[test]
    fn the_first_line_is_docs() {
        assert!(opens_with_docs("//! x\n"));
        assert!(opens_with_docs("#![doc = include_str!(\"../README.md\")]\n"));
        assert!(opens_with_docs("#![cfg_attr(docsrs, feature(doc_cfg))]\n//! x\n"));
        assert!(!opens_with_docs("\n//! x\n") && !opens_with_docs("use a;\n"));
    }
}
