//! A rule for a resource holds whatever the resource is called, and an opening for one spelling only.

use mcp_core::policy::{Item, Policy};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Tokens, caller, mirror, serve};

/// Whether a signed-in caller with these scopes gets to see the resource.
fn sees(policy: &Policy, scopes: &str, uri: &str) -> bool {
    policy.visible(&caller("ada", scopes), Item::Resource(uri))
}

/// A policy that asks for `x`, and for something else elsewhere: who needs `x` alone is not taken for what may be anything.
fn guarding(guard: impl FnOnce(Policy) -> Policy) -> Policy {
    guard(Policy::new()).resource("other:thing", "other")
}

#[track_caller]
fn check(policy: &Policy, rule: &str, spellings: &[&str]) {
    for uri in spellings {
        assert!(!sees(policy, "other", uri), "{uri:?} is not seen as {rule}");
        assert!(sees(policy, "x", uri), "{uri:?} is not seen as {rule} alone");
    }
}

#[test]
fn a_rule_holds_for_every_spelling() {
    let check = |rule: &str, spellings: &[&str]| {
        check(&guarding(|policy| policy.resource(rule, "x")), rule, spellings);
    };
    check(
        "file:///a",
        &[
            // Parts that name no resource.
            "file:///a",
            "file:///a#",
            "file:///a?",
            "file:///a?q#f",
            "file:///a#f?q",
            "file:///a;v=1",
            "file:///a;",
            "file:///a\0.txt",
            "file:///a%00.txt",
            "file:///\0a",
            "file:///a%3fq",
            "file:///a ?q",
            // Slashes.
            "file:////a",
            "file:/a",
            "file:a",
            "file:///a/",
            r"file:\\\a",
            "file://///a//",
            // Names that mean this machine, or nothing to whoever opens files.
            "file://localhost/a",
            "file://anywhere/a",
            // Dots.
            "file:///a/.",
            "file:///./a",
            "file:///b/../a",
            "file:///b%2f..%2fa",
            "file:///b/%2e%2e/a",
            "file:///../a",
            r"file:///b\..\a",
            "file:///b?/../a",
            "file:///b?/../../a",
            "file:///b//../../a",
            "file:///b/..;/a",
            "file:///a/b/..",
            // Encodings.
            "file:///%61",
            "file:///%2561",
            "file:///%252561",
            "file%3a///a",
            "%66ile:///a",
            // Letter case, and what parsers drop.
            "FILE:///A",
            " file:///a ",
            "fi\tle:///a\n",
            "\u{feff}file:///a".trim_start_matches('\u{feff}'),
            // No URIs, which some take for paths.
            "/a",
            "a",
            "//a",
            "./a",
        ],
    );
    check(
        "https://example.com/a",
        &[
            "https://user@example.com/a",
            "https://user:pw@example.com/a",
            "https://x@y@example.com/a",
            "https://EXAMPLE.com/a",
            "https://example.com./a",
            "https://example.com:443/a",
            "https:example.com/a",
            "https:example.com./a",
            r"https:\\example.com\a",
            "https://example.com//a",
            "https://ex\tample.com/a",
            r"https://other.test\@example.com/a",
            "https://%65xample.com/a",
            "https://user%40example.com/a",
            "https://example.com;x/a",
            "https://b/../example.com/a",
            "https://u@example.com.:443/b/../a/?q",
        ],
    );
    check(
        "note://closed",
        &[
            "note:///closed",
            "note:closed",
            "note://Closed",
            "note://closed:1",
            "note://me@closed/",
            "note://a/../closed",
        ],
    );
    check("https://b\u{fc}cher.test/a", &["https://xn--bcher-kva.test/a", "https://B\u{dc}CHER.test/a"]);
    check("file:///my%20notes/a", &["file:///my notes/a", "file:///my%20notes/a", "file:///my%2520notes/a"]);
    check("file:///b/../a", &["file:///a", "file:///b/../a"]);
    check("db://t?id=1", &["db://t?id=1", "db://t?id=%31", "db://t?id=1#x"]);
}

#[test]
fn a_rule_for_a_folder_holds_for_all_that_is_in_it() {
    let check = |prefix: &str, spellings: &[&str]| {
        check(&guarding(|policy| policy.resources_under(prefix, "x")), prefix, spellings);
    };
    check(
        "file:///srv/private/",
        &[
            "file:///srv/private/x",
            "file:////srv/private/x",
            "file:///srv//private/x",
            "file:///srv/private",
            "file:///srv/private?x",
            "file:///srv/./private/x",
            "file:///srv/public/../private/x",
            "file://srv/private/x",
            "file:///srv/public//../../srv/private/x",
            "file:///srv;a/private;b/x",
            "file:///SRV/PRIVATE/x",
            "file:///srv%2fprivate%2fx",
            "/srv/private/x",
            "srv/private/x",
            "file:///srv/private/../private/y",
            "file:///srv/private/\0/../../..",
            "file:///srv/private/x?/../../..",
            "file:///pub//../srv/private/x?/../../..",
        ],
    );
    check("vault://", &["vault://x", "VAULT:x", "vault:/x", "vault%3a//x", "vault:"]);
    check("https://Example.com:443/a/", &["https://example.com/a/b", "https://u@example.com./a//b"]);
    check(
        "file:///home/ada/.",
        &["file:///home/ada/.ssh", "file:///home/ada/%2essh", "file:///home//ada/.ssh/id"],
    );
    let everything = Policy::new().resources_under("", "x");
    assert!(["", "a", "file:///a"].iter().all(|uri| !sees(&everything, "", uri)));
}

#[test]
fn a_rule_holds_for_nothing_else() {
    for (rule, uri) in [
        ("file:///a", "file:///b"),
        ("file:///a", "file:///ab"),
        ("file:///a", "file:///a/b"),
        ("file:///a", "note:///a"),
        ("note://closed", "note://open"),
        ("note://closed", "note://open?closed"),
        ("db://t?id=1", "db://t?id=2"),
        ("db://t?id=1", "db://t"),
        ("https://example.com/a", "https://example.com:8443/a"),
        ("https://example.com/a", "https://example.com.evil.test/a"),
        ("mailbox://ada@example.com/in", "mailbox://eve@example.com/in"),
    ] {
        assert!(sees(&guarding(|policy| policy.resource(rule, "x")), "", uri), "{uri} is seen as {rule}");
    }
    for (prefix, uri) in [
        ("file:///srv/private/", "file:///srv/public/x"),
        ("file:///srv/private/", "file:///srv/privateer/x"),
        ("file:///srv/private/", "file:///srv"),
        ("file:///home/ada/.", "file:///home/ada/notes"),
        ("mailbox://ada@example.com/", "mailbox://eve@example.com/in"),
        ("vault://", "note://vault"),
    ] {
        assert!(
            sees(&guarding(|policy| policy.resources_under(prefix, "x")), "", uri),
            "{uri} is seen under {prefix}"
        );
    }
}

#[test]
fn what_may_be_anything_needs_everything() {
    let policy = guarding(|policy| policy.resources_under("note://", "x"));
    let odd = format!("memo:%{}41", "25".repeat(60));
    assert!(!sees(&policy, "x", &odd) && !sees(&policy, "other", &odd) && sees(&policy, "x other", &odd));
}

#[tokio::test]
async fn no_spelling_gets_past_a_rule_or_through_an_opening() {
    let policy = Policy::new()
        .resources_under("file:///srv/private/", "private")
        .resource("file:///srv/motd", "motd")
        .allow_anonymous_resource("file:///srv/motd")
        .allow_anonymous_method("resources/read");
    let served = serve("", |site| {
        site.resource("/mcp", mirror()).auth(Tokens::default().with("t", caller("ada", ""))).policy(policy)
    })
    .await;
    let read = |uri: &str| json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": { "uri": uri } });
    for uri in ["file:///srv/motd", "file:///srv/public"] {
        served.client.post("/mcp").json(&read(uri)).send().await.expect_status(200);
    }
    for uri in [
        "file:////srv/private/x",
        "file:///srv//private/x",
        "file:///srv/public/../private/x",
        "file:///srv/motd#",
        "file:///srv/motd?",
        "file:///srv//motd",
        "file:///srv/%6dotd",
        "FILE:///srv/motd",
        "file:///srv/motd/../motd",
    ] {
        served.client.post("/mcp").json(&read(uri)).send().await.expect_status(401);
        served.client.post("/mcp").bearer("t").json(&read(uri)).send().await.expect_status(403);
    }
}

/// A URI in parts, so that noise stays what it was meant to be: up to the host, the host, and the path.
#[derive(Clone, Debug)]
struct Parts {
    scheme: String,
    host: String,
    path: String,
}

impl Parts {
    fn uri(&self) -> String {
        [&*self.scheme, &*self.host, &*self.path].concat()
    }
}

/// What a caller can do to a URI that some server takes back.
#[derive(Clone, Debug)]
enum Noise {
    Encode(usize),
    Insert(usize, &'static str),
    Slash(usize, &'static str),
    Capitals,
    User(&'static str),
    RootOfNames,
    After(&'static str),
}

impl Noise {
    fn add_to(&self, mut uri: Parts) -> Parts {
        match *self {
            Self::Encode(n) => {
                at_a_character(&mut uri, n, |c| c.bytes().map(|b| format!("%{b:02X}")).collect())
            }
            Self::Insert(n, text) => at_a_character(&mut uri, n, |c| format!("{text}{c}")),
            Self::Slash(n, text) => {
                let slashes = uri.path.matches('/').count();
                if let Some((at, _)) = uri.path.match_indices('/').nth(n % slashes.max(1)) {
                    uri.path.replace_range(at..=at, text);
                }
            }
            Self::Capitals => {
                uri = Parts {
                    scheme: uri.scheme.to_uppercase(),
                    host: uri.host.to_uppercase(),
                    path: uri.path.to_uppercase(),
                }
            }
            Self::User(name) if !uri.host.is_empty() => uri.host.insert_str(0, name),
            Self::RootOfNames if !uri.host.is_empty() => uri.host.push('.'),
            Self::User(_) | Self::RootOfNames => {}
            Self::After(text) => uri.path.push_str(text),
        }
        uri
    }
}

fn at_a_character(uri: &mut Parts, n: usize, put: impl FnOnce(&str) -> String) {
    let part = match n % 4 {
        0 => &mut uri.scheme,
        1 => &mut uri.host,
        _ => &mut uri.path,
    };
    let characters = part.chars().count();
    if let Some((at, c)) = part.char_indices().nth((n / 4) % characters.max(1)) {
        let with = put(c.encode_utf8(&mut [0; 4]));
        part.replace_range(at..at + c.len_utf8(), &with);
    }
}

fn noise() -> impl Strategy<Value = Noise> {
    let slashes = &["//", "/./", "\\", "/x/../", "/x/y/../../", ";v=1/", "/x/..;/", "//x/../", "/.//"];
    let after = &["?", "#", "?a#b", "\0.txt", "/", ";a", "/.", "/x/..", "?/../..", "#/..", "%00", "\t"];
    prop_oneof![
        4 => any::<usize>().prop_map(Noise::Encode),
        1 => (any::<usize>(), prop::sample::select(&["\t", "\n", "\r", "\u{1}"])).prop_map(|(n, s)| Noise::Insert(n, s)),
        4 => (any::<usize>(), prop::sample::select(slashes)).prop_map(|(n, s)| Noise::Slash(n, s)),
        1 => Just(Noise::Capitals),
        1 => prop::sample::select(&["u@", "u:p@", "u@v@"]).prop_map(Noise::User),
        1 => Just(Noise::RootOfNames),
        2 => prop::sample::select(after).prop_map(Noise::After),
    ]
}

/// A URI, and its folder.
fn uri() -> impl Strategy<Value = (Parts, String)> {
    let start = [
        ("file://", ""),
        ("https://", "example.com"),
        ("note://", "Host.test"),
        ("memo:", ""),
        ("vault://", "x"),
    ];
    let names = prop::collection::vec("[a-zA-Z0-9_ü~-][a-zA-Z0-9 ü]{0,4}[a-z]", 1..3);
    (prop::sample::select(start.to_vec()), names, "[a-zA-Z0-9ü]{1,6}").prop_map(
        |((scheme, host), folders, name)| {
            let folder = folders.iter().fold("/".to_owned(), |folder, name| folder + name + "/");
            let path = format!("{folder}{name}");
            let uri = Parts { scheme: scheme.to_owned(), host: host.to_owned(), path };
            (uri, [scheme, host, &folder].concat())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_noise_drowns_a_rule(
        (uri, folder) in uri(),
        noises in prop::collection::vec(noise(), 0..5),
        space in prop::sample::select(&["", "", " ", "\t", "\0", "\n "]),
    ) {
        let noisy = noises.iter().fold(uri.clone(), |uri, noise| noise.add_to(uri)).uri();
        let noisy = [space, &noisy, space].concat();
        let uri = uri.uri();
        let rule = guarding(|policy| policy.resource(&uri, "x"));
        let folder = guarding(|policy| policy.resources_under(&folder, "x"));
        for policy in [&rule, &folder] {
            prop_assert!(!sees(policy, "other", &noisy), "{uri:?} as {noisy:?}");
            // A little noise does not make it anything.
            prop_assert!(noises.len() > 1 || sees(policy, "x", &noisy), "{uri:?} as {noisy:?}");
        }
        let opened = rule.clone().allow_anonymous_resource(&uri);
        prop_assert_eq!(sees(&opened, "other", &noisy), noisy == uri, "{:?} as {:?}", uri, noisy);
        let open = rule.allow_anonymous_method("resources/read");
        prop_assert!(!sees(&open, "other", &noisy), "{uri:?} as {noisy:?}");
    }
}
