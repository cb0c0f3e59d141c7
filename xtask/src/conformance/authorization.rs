//! The suite's mode for authorization servers, against `examples/provider`, with its owner at a browser.

use std::path::Path;

use super::findings::{End, Findings};
use crate::e2e::node::Node;
use crate::e2e::server::{self, Server};
use crate::outcome::Outcome;

/// What must have been judged.
const SCENARIOS: [&str; 2] = ["authorization-server-metadata-endpoint", "authorization-code-grant"];

/// The password that the script types.
const PASSWORD: &str = "correct horse battery staple";

/// What the script ends with where there is no browser.
const NO_BROWSER: i32 = 3;

// covers: AUTH-46, AUTH-50, AUTH-61
/// Runs it.
///
/// # Errors
/// A sentence when something could not be started or read.
pub(crate) fn run(root: &Path, node: &Node) -> Result<Outcome, String> {
    let port = server::free_port()?;
    let mut command = server::example(root, "provider");
    for name in ["MCP_PUBLIC_URL", "MCP_ROOT_KEY_FILE", "MCP_ALLOW_ORIGINS"] {
        command.env_remove(name);
    }
    command.env("MCP_BIND", format!("127.0.0.1:{port}")).env("STORE", "memory");
    command.env("OWNER_PASSWORD", PASSWORD);
    let _server = Server::start(root, "conformance-provider", &mut command)?;
    let results = server::target(root).join("e2e/conformance/authorization");
    // What an earlier run left there is not this run's.
    let _ = std::fs::remove_dir_all(&results);
    let mut script = node.command();
    script.arg("authorization-conformance.mjs").arg(format!("http://127.0.0.1:{port}"));
    script.arg(server::free_port()?.to_string()).arg(&results);
    let ended = script.output().map_err(|error| format!("the suite could not be started: {error}"))?;
    if ended.status.code() == Some(NO_BROWSER) {
        return Ok(Outcome::Skipped(
            "there is no Chromium for its authorization mode; everything else passed".to_owned(),
        ));
    }
    if !ended.status.success() {
        return Err(format!("the authorization mode broke: {}", String::from_utf8_lossy(&ended.stderr)));
    }
    let mut findings = Findings::default();
    findings.read("authorization", &results)?;
    Ok(Outcome::from_problems(&problems(&findings)))
}

/// What is wrong: a scenario that did not run, and every check that failed.
fn problems(findings: &Findings) -> Vec<String> {
    let mut problems = Vec::new();
    for scenario in SCENARIOS {
        let (passed, failed) = findings.count("authorization", scenario);
        println!("authorization {scenario:<46}{:>8}", format!("{passed}/{}", passed + failed));
        if (passed, failed) == (0, 0) {
            problems.push(format!("authorization: {scenario} did not run"));
        }
    }
    for (check, end) in &findings.0 {
        if let End::Failed(text) = end {
            problems.push(format!("authorization: {} {}: {text}", check.scenario, check.id));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::findings::Check;
    use super::*;

    #[test]
    fn a_scenario_that_did_not_run_and_a_warning_are_told() {
        let mut findings = Findings::default();
        let check = Check {
            revision: "authorization".to_owned(),
            scenario: SCENARIOS[0].to_owned(),
            id: "authorization-server-metadata-cimd".to_owned(),
        };
        findings.0.insert(check, End::Failed("WARNING: not offered".to_owned()));
        let told = problems(&findings);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("did not run") && told[1].contains("not offered"), "{told:?}");
    }
}
