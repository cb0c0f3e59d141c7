//! Bytes nobody sees: trailing blanks, tabs, a missing last newline.

use crate::files::File;

/// The kinds of files that are looked at.
pub(crate) const EXTENSIONS: &[&str] =
    &["rs", "md", "toml", "txt", "mjs", "js", "ts", "html", "yml", "yaml", "sh"];

/// Names each offending line, and each file without a newline at its end.
pub(crate) fn check(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            let place = format!("{}:{}", file.path, index + 1);
            if line.ends_with([' ', '\t', '\r']) {
                problems.push(format!("{place}: trailing whitespace"));
            }
            if line.contains('\t') {
                problems.push(format!("{place}: a tab"));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            problems.push(format!("{}: no newline at the end", file.path));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str) -> Vec<String> {
        check(&[File { path: "a.md".to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn clean_text_passes() {
        assert!(check_one("a\n\n b\n").is_empty());
    }

    #[test]
    fn blanks_tabs_and_missing_newlines_are_named() {
        assert_eq!(check_one("a \n"), ["a.md:1: trailing whitespace"]);
        assert_eq!(check_one("\ta\n"), ["a.md:1: a tab"]);
        assert_eq!(check_one("a"), ["a.md: no newline at the end"]);
    }
}
