//! What the environment says of a test run.

/// Whether races and crashes take many more rounds.
#[expect(clippy::disallowed_methods, reason = "a test run is configured by its environment")]
pub(super) fn is_long() -> bool {
    std::env::var_os("MCP_LONG").is_some_and(|value| value == "1")
}
