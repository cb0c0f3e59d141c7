//! The table users read, made of the list and the comments in the tests.

use std::fmt::Write as _;

use super::covers::Coverage;
use super::rows::{Row, Section, Status};

/// The whole of `docs/requirements.md`.
pub(crate) fn render(sections: &[Section], coverage: &Coverage) -> String {
    let mut out = String::from(HEAD);
    for section in sections {
        let _ = write!(out, "\n## {}\n\n| row | what is asked | answer |\n|---|---|---|\n", section.title);
        for row in &section.rows {
            let _ =
                writeln!(out, "| {} | {} | {} |", row.id, cell(&row.statement), cell(&answer(row, coverage)));
        }
    }
    out
}

fn answer(row: &Row, coverage: &Coverage) -> String {
    let tests = coverage.rows.get(&row.id).map(|files| {
        let files: Vec<String> = files.iter().map(|file| format!("[{}](../{file})", short(file))).collect();
        files.join(", ")
    });
    match (tests, &row.status) {
        (Some(tests), Some((Status::Note, remark))) => format!("tests: {tests}; {remark}"),
        (Some(tests), Some((Status::Partly, rest))) => format!("partly: {rest}; tests: {tests}"),
        (Some(tests), _) => format!("tests: {tests}"),
        (None, Some((Status::Note | Status::Partly, remark))) => format!("open; {remark}"),
        (None, Some((status, reason))) => format!("{}: {reason}", status.label()),
        (None, None) => "open".to_owned(),
    }
}

/// `crates/mcp-core/tests/it/guard.rs` as `mcp-core/it/guard`: enough to find it, short enough to read.
fn short(file: &str) -> String {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let parts: Vec<&str> =
        stem.split('/').filter(|part| !matches!(*part, "crates" | "examples" | "src" | "tests")).collect();
    parts.join("/")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

const HEAD: &str = "<!-- Made by `cargo xtask requirements --write` from docs/requirements.txt and the tests. Do not edit. -->

# What is asked of an MCP server, and where it is answered

One line for each demand of the MCP specification and for each attack this project knows of. *tests* links the
files whose tests name the row; *partly* says which half is still to come; *later* waits for a part that does not exist yet; *decided* and *not applicable*
say why there is no test. `cargo xtask requirements` fails when a row has no answer.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::File;
    use crate::requirements::{covers, rows};

    #[test]
    fn each_row_shows_its_answer() {
        let sections = rows::parse(
            "## S\nA-1 | x\nA-2 | y | later | soon\nA-3 | z\nA-4 | w | note | why\nA-5 | v | partly | half",
        )
        .unwrap();
        let file = File {
            path: "crates/mcp-core/tests/it/guard.rs".to_owned(),
            text: "// covers: A-1, A-4, A-5\n#[test]\nfn t() {}\n".to_owned(),
        };
        let text = render(&sections, &covers::scan(&[file]));
        let link = "[mcp-core/it/guard](../crates/mcp-core/tests/it/guard.rs)";
        assert!(text.contains(&format!("| A-1 | x | tests: {link} |")), "{text}");
        assert!(text.contains("| A-2 | y | later: soon |"));
        assert!(text.contains("| A-3 | z | open |"));
        assert!(text.contains(&format!("| A-4 | w | tests: {link}; why |")));
        assert!(text.contains(&format!("| A-5 | v | partly: half; tests: {link} |")));
    }
}
