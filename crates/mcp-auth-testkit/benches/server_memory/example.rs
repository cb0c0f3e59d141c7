//! The example, as its users build it.

use std::process::{Command, Stdio};

/// Builds `examples/no-auth` in release mode and returns the command that runs it on a free port.
pub(crate) fn command() -> Command {
    let cargo = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "-p", "no-auth", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "the example cannot be built");
    let messages = String::from_utf8(cargo.stdout).unwrap();
    let program = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "no-auth")
        .find_map(|message| message["executable"].as_str().map(str::to_owned))
        .unwrap();
    // The example's URL has the port in it, so a free one is found here.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(program);
    command.env("MCP_BIND", address.to_string()).stderr(Stdio::null());
    command
}
