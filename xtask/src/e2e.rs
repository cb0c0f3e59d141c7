//! The end-to-end phase: real clients and a real browser against the examples.
//!
//! The scripts are in `xtask/e2e` and are plain `node:test` files; this builds what they start.

pub(crate) mod node;
pub(crate) mod server;

use node::Node;

use crate::options::Options;
use crate::outcome::Outcome;
use crate::shell;

/// The examples the scripts start.
const EXAMPLES: [&str; 3] = ["no-auth", "provider", "token"];

/// Runs the scripts of `xtask/e2e` against the example servers.
pub(crate) fn run(options: &Options) -> Outcome {
    let node = match Node::find(&options.root) {
        Ok(node) => node,
        Err(reason) => return Outcome::Skipped(reason),
    };
    let mut build = shell::cargo(&options.root);
    build.args(["build", "--quiet"]);
    for example in EXAMPLES {
        build.args(["-p", example]);
    }
    // Beside them a client on the official Rust SDK.
    build.args(["--bins", "--example", "rmcp_client"]);
    let built = shell::show(&mut build);
    if built != Outcome::Passed {
        return built;
    }
    let mut command = node.command();
    command.args(["--test", "--test-reporter=spec", "--test-timeout=120000"]);
    command.env("E2E_BIN_DIR", server::target(&options.root).join("debug"));
    command.env("E2E_LONG", if options.long { "true" } else { "" });
    command.env("E2E_OUT", server::target(&options.root).join("e2e"));
    // What is missing is a failure there and a skip here; the scripts ask the same variable.
    command.env("CI", if options.ci { "true" } else { "" });
    command.arg("*.test.mjs");
    shell::show(&mut command)
}
