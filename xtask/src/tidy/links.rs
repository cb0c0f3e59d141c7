//! Links between the Markdown files of the repository lead somewhere.

use std::fs;
use std::path::Path;

use crate::files::File;

/// Names every link whose file or heading is not there. Addresses of other hosts are not followed.
pub(crate) fn check(root: &Path, files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (line, target) in links(&file.text) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let there = if path.is_empty() { root.join(&file.path) } else { root.join(folder).join(path) };
            let place = format!("{}:{line}", file.path);
            if !there.exists() {
                problems.push(format!("{place}: {path} does not exist"));
            } else if !anchor.is_empty() && path_is_markdown(&there) {
                let text = fs::read_to_string(&there).unwrap_or_default();
                if !headings(&text).any(|heading| heading == anchor) {
                    problems.push(format!("{place}: {target} names no heading"));
                }
            }
        }
    }
    problems
}

fn path_is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The local targets of `[text](target)` and `[name]: target`, with their line numbers.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        let inline =
            line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        let reference =
            line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
        for target in inline.chain(reference) {
            let target = target.split_whitespace().next().unwrap_or_default();
            if !target.is_empty() && !is_foreign(target) {
                links.push((number, target.to_owned()));
            }
        }
    }
    links
}

fn is_foreign(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:") || target.contains("::")
}

/// The lines outside fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("")
}

/// The names by which headings are linked: lower case, words joined by hyphens, no other signs.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        line.trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|sign| match sign {
                ' ' => Some('-'),
                sign if sign.is_alphanumeric() || sign == '-' || sign == '_' => Some(sign),
                _ => None,
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<String> {
        links(text).into_iter().map(|(_, target)| target).collect()
    }

    #[test]
    fn local_targets_are_found_and_foreign_ones_left_alone() {
        let text = "[a](b.md) and [c](https://c.test/d) [e](../f.md#g)\n";
        assert_eq!(targets(text), ["b.md", "../f.md#g"]);
        assert_eq!(targets("[name]: h.md \"title\"\n[x]: https://c.test\n"), ["h.md"]);
    }

    #[test]
    fn code_holds_no_links() {
        assert!(targets("```\n[a](b.md)\n```\n`[a](b.md)`\n").is_empty());
    }

    #[test]
    fn headings_are_named_as_on_the_forge() {
        let names: Vec<String> = headings("# What's *new*?\n## `a` b-c\n").collect();
        assert_eq!(names, ["whats-new", "a-b-c"]);
    }

    #[test]
    fn a_dead_link_is_named_with_its_line() {
        let file = File { path: "docs/a.md".to_owned(), text: "x\n[a](gone.md)\n".to_owned() };
        assert_eq!(check(Path::new("/nowhere"), &[file]), ["docs/a.md:2: gone.md does not exist"]);
    }
}
