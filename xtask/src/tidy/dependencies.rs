//! Who may depend on whom: the arrows of the architecture, as a table.

use crate::metadata::{Dependency, Metadata, Package};

/// A crate and the crates of ours it may be built on; all may stand on `mcp-core`.
const ARROWS: [(&str, &[&str]); 10] = [
    ("mcp-core", &[]),
    ("mcp-store", &[]),
    ("mcp-outbound", &[]),
    ("mcp-transport-sse", &[]),
    ("mcp-auth-jwt", &["mcp-outbound"]),
    ("mcp-auth-rmcp", &["mcp-transport-sse"]),
    ("mcp-auth-provider", &["mcp-store", "mcp-outbound", "mcp-auth-jwt"]),
    ("mcp-auth-oauth-proxy", &["mcp-auth-provider"]),
    ("mcp-auth-testkit", EVERYTHING),
    ("mcp-auth-cli", EVERYTHING),
];

/// What stands on top may use whatever is below.
const EVERYTHING: &[&str] = &[
    "mcp-store",
    "mcp-outbound",
    "mcp-transport-sse",
    "mcp-auth-jwt",
    "mcp-auth-rmcp",
    "mcp-auth-provider",
    "mcp-auth-oauth-proxy",
];

const GROUND: &str = "mcp-core";
const TESTKIT: &str = "mcp-auth-testkit";

/// The crates that may know the official SDK; the examples may, too.
const KNOW_RMCP: [&str; 2] = ["mcp-auth-rmcp", TESTKIT];

/// Never part of a library crate unless a user asks for it by a feature.
const OPTIONAL_ONLY: [&str; 2] = ["axum", "axum-core"];

/// Names every arrow that is not in the table.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    let ours: Vec<&str> = metadata.members().map(|package| package.name.as_str()).collect();
    metadata.members().flat_map(|package| problems(package, &ours)).collect()
}

fn problems(package: &Package, ours: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    let name = package.name.as_str();
    if !package.is_published() {
        // Examples stand on top of everything; xtask stands on nothing of ours.
        if name == "xtask" {
            let dependencies =
                package.dependencies.iter().filter(|dependency| ours.contains(&dependency.name.as_str()));
            problems.extend(
                dependencies.map(|dependency| format!("xtask must not depend on {}", dependency.name)),
            );
        }
        return problems;
    }
    let Some((_, arrows)) = ARROWS.iter().find(|(own, _)| *own == name) else {
        return vec![format!("{name}: not in the table of arrows (xtask/src/tidy/dependencies.rs)")];
    };
    for dependency in &package.dependencies {
        let other = dependency.name.as_str();
        if ours.contains(&other) && !may_use(arrows, name, dependency) {
            problems.push(format!(
                "{name} must not depend on {other}: there is no such arrow in docs/architecture.md"
            ));
        }
        if other == TESTKIT && !dependency.is_normal() && dependency.req != "*" {
            problems.push(format!(
                "{name} names a version of {TESTKIT}, which is published last: see docs/publishing.md"
            ));
        }
        if other == "rmcp" && !KNOW_RMCP.contains(&name) {
            problems.push(format!("{name} must not know rmcp: glue to the SDK is in mcp-auth-rmcp"));
        }
        if OPTIONAL_ONLY.contains(&other) && dependency.is_normal() && !dependency.optional {
            problems.push(format!("{name} may have {other} behind a feature only"));
        }
    }
    problems
}

fn may_use(arrows: &[&str], name: &str, dependency: &Dependency) -> bool {
    let other = dependency.name.as_str();
    if !dependency.is_normal() && (other == TESTKIT || other == name) {
        return true;
    }
    other == GROUND || arrows.contains(&other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [&str; 5] = ["mcp-core", "mcp-outbound", "mcp-auth-jwt", "mcp-auth-testkit", "xtask"];

    fn package(name: &str, publish: &str, dependencies: &[(&str, &str, bool)]) -> Package {
        let dependencies: Vec<String> = dependencies
            .iter()
            .map(|(name, kind, optional)| {
                format!(r#"{{"name":"{name}","kind":{kind},"optional":{optional},"req":"*"}}"#)
            })
            .collect();
        let text = format!(
            r#"{{"id":"x","name":"{name}","version":"1.0.0","license":null,"description":null,"readme":null,
            "rust_version":null,"keywords":[],"metadata":null,"manifest_path":"/x/Cargo.toml","features":{{}},
            "targets":[],"publish":{publish},"dependencies":[{}]}}"#,
            dependencies.join(",")
        );
        serde_json::from_str(&text).unwrap()
    }

    fn check(name: &str, dependencies: &[(&str, &str, bool)]) -> Vec<String> {
        problems(&package(name, "null", dependencies), &OURS)
    }

    #[test]
    fn the_arrows_of_the_table_pass() {
        assert!(
            check("mcp-auth-jwt", &[("mcp-core", "null", false), ("mcp-outbound", "null", true)]).is_empty()
        );
        assert!(check("mcp-core", &[("mcp-auth-testkit", "\"dev\"", false)]).is_empty());
    }

    #[test]
    fn an_arrow_that_points_up_is_named() {
        assert!(
            check("mcp-core", &[("mcp-auth-jwt", "null", false)])[0]
                .contains("mcp-core must not depend on mcp-auth-jwt")
        );
        assert_eq!(check("mcp-core", &[("mcp-auth-testkit", "null", false)]).len(), 1);
        assert_eq!(check("mcp-core", &[("mcp-auth-jwt", "\"dev\"", false)]).len(), 1);
    }

    #[test]
    fn rmcp_and_axum_are_kept_out() {
        assert!(check("mcp-core", &[("rmcp", "\"dev\"", false)])[0].contains("must not know rmcp"));
        assert!(check("mcp-core", &[("axum", "null", false)])[0].contains("behind a feature only"));
        assert!(check("mcp-core", &[("axum", "null", true), ("axum", "\"dev\"", false)]).is_empty());
    }

    #[test]
    fn the_test_kit_is_used_by_path_because_it_is_published_last() {
        let mut core = package("mcp-core", "null", &[("mcp-auth-testkit", "\"dev\"", false)]);
        assert!(problems(&core, &OURS).is_empty());
        core.dependencies[0].req = "^0.1.0".to_owned();
        assert!(problems(&core, &OURS)[0].contains("published last"));
    }

    #[test]
    fn the_chores_stand_on_nothing_of_ours_and_new_crates_need_a_line() {
        let xtask = package("xtask", "[]", &[("mcp-core", "null", false)]);
        assert_eq!(problems(&xtask, &OURS), ["xtask must not depend on mcp-core"]);
        assert!(check("mcp-new", &[])[0].contains("not in the table"));
    }
}
