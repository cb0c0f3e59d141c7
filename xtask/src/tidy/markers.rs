//! Words that mean "not finished", and lints that are switched off without saying why.

use crate::files::File;

/// Names every line that holds such a word.
pub(crate) fn check(files: &[File]) -> Vec<String> {
    // Put together here, so that this file does not find itself.
    let words = [["to", "do!("], ["unimple", "mented!("], ["FIX", "ME"], ["TO", "DO"], ["XX", "X"]]
        .map(|parts| parts.concat());
    let attributes = [["#[igno", "re"], ["#[should_", "panic"]].map(|parts| parts.concat());
    let mut problems = Vec::new();
    for file in files {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let place = format!("{}:{}", file.path, index + 1);
            for word in &words {
                if line.contains(word.as_str()) {
                    problems.push(format!("{place}: `{word}` means it is not finished"));
                }
            }
            let code = line.trim_start();
            for attribute in &attributes {
                if code.starts_with(attribute.as_str()) {
                    problems.push(format!("{place}: `{attribute}` hides a test that is not understood"));
                }
            }
            if is_allow(code) && !attribute(&lines[index..]).contains("reason") {
                problems.push(format!("{place}: an `allow` without a reason"));
            }
        }
    }
    problems
}

fn is_allow(code: &str) -> bool {
    code.starts_with("#[allow(") || code.starts_with("#![allow(")
}

/// The whole attribute that begins on the first line.
fn attribute(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        if line.trim_end().ends_with(")]") {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str) -> Vec<String> {
        check(&[File { path: "a.rs".to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn unfinished_code_is_named() {
        assert_eq!(check_one(&["fn a() {\n    to", "do!()\n}\n"].concat()).len(), 1);
        assert_eq!(check_one(&["// FIX", "ME later\n"].concat()).len(), 1);
        assert_eq!(check_one(&["#[igno", "re = \"slow\"]\n#[test]\n"].concat()).len(), 1);
    }

    #[test]
    fn an_allow_needs_a_reason_even_over_several_lines() {
        assert_eq!(check_one("#[allow(dead_code)]\n"), ["a.rs:1: an `allow` without a reason"]);
        assert!(check_one("#[allow(\n    dead_code,\n    reason = \"x\"\n)]\n").is_empty());
        assert!(check_one("#[expect(dead_code, reason = \"x\")]\n").is_empty());
    }
}
