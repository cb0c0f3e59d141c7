//! What the environment says of a test run.

/// Whether races and crashes take many more rounds.
pub(super) fn is_long() -> bool {
    read("MCP_LONG").is_some_and(|value| value == "1")
}

#[expect(clippy::disallowed_methods, reason = "a test run, and each of its processes, is told so what to do")]
pub(super) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
