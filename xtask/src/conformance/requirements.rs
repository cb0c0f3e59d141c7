//! Which scenarios count: the suite's own list for a revision.

use std::fs;
use std::path::Path;

/// The scenarios that a server must pass to conform to `revision`.
///
/// # Errors
/// A sentence when the suite has no such list.
pub(crate) fn scored(folder: &Path, revision: &str) -> Result<Vec<String>, String> {
    let list =
        folder.join(format!("node_modules/@modelcontextprotocol/conformance/requirements/{revision}.yaml"));
    let text =
        fs::read_to_string(&list).map_err(|error| format!("{} cannot be read: {error}", list.display()))?;
    let names = server(&text);
    if names.is_empty() { Err(format!("{} names no server scenario", list.display())) } else { Ok(names) }
}

/// The items under `server:`, one a line.
fn server(text: &str) -> Vec<String> {
    let section = text.lines().skip_while(|line| line.trim_end() != "server:").skip(1);
    let items = section.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    items.filter_map(|line| line.trim().strip_prefix("- ")).map(|name| name.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_list_counts() {
        let text = "# text\nserver:\n  - ping\n  - tools-list\n\nclient:\n  - initialize\nnot_scored:\n  - scenario: x\n";
        assert_eq!(server(text), ["ping", "tools-list"]);
    }
}
