//! The decision: a caller, messages, yes or no.

use crate::{Identity, Scopes};

use super::few::MAX_ITEMS;
use super::message::{Contradiction, Message};
use super::rules::{Item, Policy};

/// What a request asks for, in the words of audit records.
pub(crate) struct Asked(pub(crate) String);

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody is signed in, and this needs it; the scopes it would need.
    SignIn(Scopes),
    /// The caller lacks scopes; all that the request needs.
    Scopes(Scopes),
    /// The body cannot be judged.
    Body(Contradiction),
}

impl Policy {
    /// May this caller ask for these? Every message is judged; what they need together is said at once.
    pub(crate) fn decide(&self, identity: &Identity, messages: &[Message<'_>]) -> Result<(), Refusal> {
        let mut needed = Scopes::none();
        let mut lacking = false;
        let mut must_sign_in = false;
        let mut room = MAX_ITEMS;
        for message in messages {
            let (needs, open) = self.judge(message, &mut room).map_err(Refusal::Body)?;
            if open {
                continue;
            }
            must_sign_in |= identity.is_anonymous() && self.allows_anonymous();
            lacking |= !self.missing(identity, &needs).is_empty();
            needed = needed.union(&needs);
        }
        match (must_sign_in, lacking) {
            (true, _) => Err(Refusal::SignIn(needed)),
            (false, true) => Err(Refusal::Scopes(needed)),
            (false, false) => Ok(()),
        }
    }

    /// The scopes a message needs, and whether it is open to callers who did not sign in. Takes what it asks for off the
    /// room that all messages of a body have together.
    fn judge(&self, message: &Message<'_>, room: &mut usize) -> Result<(Scopes, bool), Contradiction> {
        let Some(method) = message.method.as_deref() else {
            // An answer to a question of the server's own: as open as the conversation it belongs to.
            return Ok((self.required().clone(), self.allows_anonymous()));
        };
        let params = message.params()?;
        let (reference, listened);
        let mut items: Vec<Item<'_>> = Vec::new();
        match method {
            "tools/call" => items.extend(params.name.as_deref().map(Item::Tool)),
            "prompts/get" => items.extend(params.name.as_deref().map(Item::Prompt)),
            "completion/complete" => {
                reference = params.reference()?;
                if let Some(reference) = &reference {
                    items.extend(reference.name.as_deref().map(Item::Prompt));
                    items.extend(reference.uri.as_deref().map(Item::Resource));
                }
            }
            "subscriptions/listen" => {
                listened = params.listened()?;
                items.extend(listened.iter().map(|uri| Item::Resource(uri)));
            }
            _ if method.starts_with("resources/") => {
                items.extend(params.uri.as_deref().map(Item::Resource));
            }
            _ => {}
        }
        *room = room.checked_sub(items.len().max(1)).ok_or(Contradiction::TOO_MUCH)?;
        let mut needed = self.required().union(&self.method_needs(method));
        let mut by_arguments = Scopes::none();
        for item in &items {
            needed = needed.union(&self.needs(*item));
            if let Item::Tool(name) = item {
                by_arguments = self.argument_needs(name, || params.arguments())?;
            }
        }
        // Skills and what else may come: another way to a resource needs what the resource needs, and opens nothing.
        let elsewhere = if items.is_empty() { params.uri.as_deref() } else { None };
        let by_resource = elsewhere.and_then(|uri| self.resource_needs(uri));
        needed = needed.union(by_resource.as_ref().unwrap_or(&Scopes::none()));
        // What arguments need is said of this very call, so it counts for a tool that is open otherwise, too.
        needed = needed.union(&by_arguments);
        let open = self.allows_anonymous()
            && by_arguments.is_empty()
            && by_resource.is_none()
            && (self.opens_method(method) || self.opens_by_the_way(method, &items))
            && items.iter().all(|item| self.opens(*item));
        Ok((needed, open))
    }

    /// Whether a method is open because something else is: as a way to what is open, or as a part of meeting the server. A
    /// rule of its own closes it, unless it is the very method that what is open is for.
    fn opens_by_the_way(&self, method: &str, items: &[Item<'_>]) -> bool {
        if items.is_empty() {
            is_lifecycle(method) && !self.rules_method(method)
        } else {
            items.iter().all(|item| item.method() == method) || !self.rules_method(method)
        }
    }
}

/// What a client must be able to do before it can know that it should sign in: meet the server and read its lists.
fn is_lifecycle(method: &str) -> bool {
    matches!(
        method,
        "initialize"
            | "ping"
            | "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "subscriptions/listen"
    ) || method.starts_with("notifications/")
}

impl Asked {
    /// Methods and names, shortened: they are the caller's text. What is left out is counted, so that nobody hides a call
    /// behind others unseen.
    pub(crate) fn of(messages: &[Message<'_>]) -> Self {
        let mut asked = messages.iter().filter_map(|message| Some((message, message.method.as_deref()?)));
        let mut words: Vec<String> = Vec::new();
        for (message, method) in asked.by_ref().take(MOST_WORDS) {
            let name = message.params().ok().and_then(|params| params.name.or(params.uri));
            let word = match name {
                Some(name) => format!("{method} {name}"),
                None => method.to_owned(),
            };
            words.push(word.chars().take(200).collect());
        }
        let more = asked.count();
        words.extend((more > 0).then(|| format!("and {more} more")));
        Self(words.join(", "))
    }
}

/// How many messages of a body are named in a record.
const MOST_WORDS: usize = 32;

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::super::message::parse;
    use super::*;

    fn caller(scopes: &str) -> Identity {
        Identity::new("https://idp.example.com", "1").scopes(Scopes::parse(scopes)).build()
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    fn check(policy: &Policy, identity: &Identity, body: &str, expected: Result<(), Refusal>) {
        let messages = parse(body.as_bytes(), &HeaderMap::new()).unwrap();
        assert_eq!(policy.decide(identity, &messages), expected, "{body}");
    }

    fn call(tool: &str) -> String {
        format!(r#"{{"method":"tools/call","params":{{"name":"{tool}","arguments":{{"to":"ops"}}}}}}"#)
    }

    // covers: AUTH-25, AUTH-26, SEC-12
    #[test]
    fn names_all_scopes_of_all_messages_at_once() {
        let policy = Policy::new().require("mcp").tool("a", "x").tool("b", ["y", "z"]);
        let both = format!("[{},{}]", call("a"), call("b"));
        check(&policy, &caller("mcp x y z"), &both, Ok(()));
        check(&policy, &caller("mcp x"), &both, Err(Refusal::Scopes(Scopes::from(["mcp", "x", "y", "z"]))));
        check(&policy, &caller("mcp"), &call("unruled"), Ok(()));
    }

    // covers: AUTH-28
    #[test]
    fn honours_a_hierarchy() {
        let policy = Policy::new()
            .tool("a", "repo:read")
            .implies(|held, needed| held.as_str() == "repo" && needed.as_str().starts_with("repo:"));
        check(&policy, &caller("repo"), &call("a"), Ok(()));
        check(&policy, &caller("rep"), &call("a"), Err(Refusal::Scopes(Scopes::from("repo:read"))));
    }

    #[test]
    fn asks_by_arguments() {
        let policy = Policy::new().tool_arguments("send", |arguments| match arguments["to"].as_str() {
            Some("ops") => Scopes::from("send:ops"),
            _ => Scopes::none(),
        });
        check(&policy, &caller(""), &call("send"), Err(Refusal::Scopes(Scopes::from("send:ops"))));
        check(&policy, &caller("send:ops"), &call("send"), Ok(()));
    }

    #[test]
    fn guards_a_resource_in_every_spelling_and_on_every_way_to_it() {
        let policy = Policy::new().resources_under("file:///secret/", "secret").prompt("plan", "plan");
        for uri in ["file:///secret/a", "file:///%73ecret/a", "file:///x/../secret/a"] {
            for body in [
                format!(r#"{{"method":"resources/read","params":{{"uri":"{uri}"}}}}"#),
                format!(r#"{{"method":"resources/subscribe","params":{{"uri":"{uri}"}}}}"#),
                format!(r#"{{"method":"skills/get","params":{{"uri":"{uri}"}}}}"#),
                format!(r#"{{"method":"completion/complete","params":{{"ref":{{"uri":"{uri}"}}}}}}"#),
                format!(
                    r#"{{"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":["{uri}"]}}}}}}"#
                ),
            ] {
                check(&policy, &caller(""), &body, Err(Refusal::Scopes(Scopes::from("secret"))));
            }
        }
        check(
            &policy,
            &caller(""),
            r#"{"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"plan"}}}"#,
            Err(Refusal::Scopes(Scopes::from("plan"))),
        );
    }

    #[test]
    fn lets_anybody_call_what_is_open_and_nothing_else() {
        let policy = Policy::new().require("mcp").tool("admin", "admin").allow_anonymous_tool("search");
        let nobody = Identity::anonymous();
        check(&policy, &nobody, &call("search"), Ok(()));
        check(&policy, &nobody, r#"{"method":"initialize"}"#, Ok(()));
        check(&policy, &nobody, r#"{"method":"tools/list"}"#, Ok(()));
        check(&policy, &nobody, &call("other"), Err(Refusal::SignIn(Scopes::from("mcp"))));
        check(&policy, &nobody, &call("admin"), Err(Refusal::SignIn(Scopes::from(["mcp", "admin"]))));
        let batch = format!("[{},{}]", call("search"), call("admin"));
        check(&policy, &nobody, &batch, Err(Refusal::SignIn(Scopes::from(["mcp", "admin"]))));
        // Signed in without the scope: what is open to everybody is open to it as well.
        check(&policy, &caller(""), &call("search"), Ok(()));
    }

    #[test]
    fn lists_show_a_stranger_what_is_open_and_no_more() {
        let policy = Policy::new().require("mcp").allow_anonymous_tool("search");
        assert!(policy.filters());
        let (stranger, user) = (caller(""), caller("mcp"));
        assert!(policy.visible(&stranger, Item::Tool("search")));
        assert!(!policy.visible(&stranger, Item::Tool("other")));
        assert!(policy.visible(&user, Item::Tool("other")));
        assert!(!Policy::new().require("mcp").filters());
        assert!(!Policy::new().allow_anonymous_tool("search").filters());
    }

    // A parser behind this one counts positions otherwise, if it takes them at all.
    // covers: TR-13
    #[test]
    fn reads_names_and_never_positions() {
        let policy = Policy::new().tool("drop", "admin").allow_anonymous_tool("search");
        for body in [
            r#"[["1","tools/call",{"name":"drop"}]]"#,
            r#"{"method":"tools/call","params":["search","drop"]}"#,
            r#"{"method":"completion/complete","params":{"ref":["search","drop"]}}"#,
            r#"{"method":"subscriptions/listen","params":{"notifications":[["file:///a"]]}}"#,
        ] {
            for identity in [caller(""), Identity::anonymous()] {
                let outcome = parse(body.as_bytes(), &HeaderMap::new())
                    .map_err(Refusal::Body)
                    .and_then(|messages| policy.decide(&identity, &messages));
                assert!(matches!(outcome, Err(Refusal::Body(_))), "{body} {outcome:?}");
            }
        }
    }

    #[test]
    fn arguments_that_cannot_be_read_are_not_taken_for_none() {
        let policy = Policy::new().tool_arguments("send", |arguments| match arguments["to"].as_str() {
            Some("ops") => Scopes::from("send:ops"),
            _ => Scopes::none(),
        });
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for more in ["1e999", r#""\ud800""#, &deep] {
            let body = format!(
                r#"{{"method":"tools/call","params":{{"name":"send","arguments":{{"to":"ops","x":{more}}}}}}}"#
            );
            let messages = parse(body.as_bytes(), &HeaderMap::new()).unwrap();
            let outcome = policy.decide(&caller(""), &messages);
            assert!(matches!(outcome, Err(Refusal::Body(_))), "{body} {outcome:?}");
        }
    }

    #[test]
    fn adds_up_the_rules_by_arguments_and_opens_no_call_that_they_close() {
        let policy = Policy::new()
            .tool_arguments("send", |a| if a["to"] == "ops" { Scopes::from("x") } else { Scopes::none() })
            .tool_arguments("send", |a| if a["to"] == "ops" { Scopes::from("y") } else { Scopes::none() });
        check(&policy, &caller(""), &call("send"), Err(Refusal::Scopes(Scopes::from(["x", "y"]))));
        let policy = policy.allow_anonymous_tool("send");
        let nobody = Identity::anonymous();
        check(&policy, &nobody, &call("send"), Err(Refusal::SignIn(Scopes::from(["x", "y"]))));
        check(&policy, &nobody, r#"{"method":"tools/call","params":{"name":"send"}}"#, Ok(()));
    }

    #[test]
    fn a_body_cannot_ask_for_work_without_end() {
        let policy = Policy::new().resources_under("file:///secret/", "secret");
        let uris = vec![r#""file:///a""#; 5000].join(",");
        let body = format!(
            r#"{{"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
        );
        let messages = parse(body.as_bytes(), &HeaderMap::new()).unwrap();
        assert!(matches!(policy.decide(&caller(""), &messages), Err(Refusal::Body(_))));
        let batch = format!("[{}]", vec![r#"{"method":"ping"}"#; 5000].join(","));
        assert!(parse(batch.as_bytes(), &HeaderMap::new()).is_err());
    }

    #[test]
    fn a_record_says_how_much_it_leaves_out() {
        let asked = |messages: &[String]| {
            let body = format!("[{}]", messages.join(","));
            Asked::of(&parse(body.as_bytes(), &HeaderMap::new()).unwrap()).0
        };
        let answer = || r#"{"id":1,"result":{}}"#.to_owned();
        assert_eq!(asked(&[call("look"), answer(), call("drop")]), "tools/call look, tools/call drop");
        let mut many = vec![call("look"); 32];
        many.extend([answer(), call("drop"), call("drop")]);
        assert!(asked(&many).ends_with("tools/call look, and 2 more"));
    }

    // The messages of a body share what it may ask for.
    #[test]
    fn many_messages_cannot_ask_for_more_work_than_one() {
        let policy = Policy::new().resources_under("file:///secret/", "secret");
        let listen = |uris: usize| {
            let uris = vec![r#""file:///a""#; uris].join(",");
            format!(
                r#"{{"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
            )
        };
        let ping = || r#"{"method":"ping"}"#.to_owned();
        for (messages, fits) in [
            (vec![listen(1000)], true),
            (vec![listen(1001)], false),
            (vec![listen(500), listen(500)], true),
            (vec![listen(500), listen(501)], false),
            (vec![listen(2); 500], true),
            (vec![listen(2); 501], false),
            (vec![ping(); 1000], true),
            (vec![listen(999), ping()], true),
            (vec![ping(), listen(1000)], false),
            (vec![listen(1000); 1000], false),
        ] {
            let body = format!("[{}]", messages.join(","));
            let messages = parse(body.as_bytes(), &HeaderMap::new()).unwrap();
            let outcome = policy.decide(&caller(""), &messages);
            let as_expected = if fits { outcome.is_ok() } else { matches!(outcome, Err(Refusal::Body(_))) };
            assert!(as_expected, "{} messages, {} bytes: {outcome:?}", messages.len(), body.len());
        }
    }

    #[test]
    fn nothing_that_has_a_rule_is_opened_by_the_way() {
        let policy = Policy::new()
            .method("resources/list", "list")
            .method("resources/subscribe", "watch")
            .method("subscriptions/listen", "watch")
            .method("notifications/initialized", "init")
            .resource("file:///secret", "secret")
            .resource("file:///members", Scopes::none())
            .allow_anonymous_resource("file:///motd")
            .allow_anonymous_method("skills/get")
            .allow_anonymous_method("resources/read");
        let nobody = Identity::anonymous();
        let closed = |body: &str, scopes: Scopes| {
            check(&policy, &nobody, body, Err(Refusal::SignIn(scopes.clone())));
            if !scopes.is_empty() {
                check(&policy, &caller(""), body, Err(Refusal::Scopes(scopes)));
            }
        };
        let of = |method: &str, uri: &str| format!(r#"{{"method":"{method}","params":{{"uri":"{uri}"}}}}"#);
        closed(r#"{"method":"resources/list"}"#, Scopes::from("list"));
        closed(r#"{"method":"subscriptions/listen"}"#, Scopes::from("watch"));
        closed(r#"{"method":"notifications/initialized"}"#, Scopes::from("init"));
        closed(&of("resources/subscribe", "file:///motd"), Scopes::from("watch"));
        closed(&of("skills/get", "file:///secret"), Scopes::from("secret"));
        closed(&of("resources/read", "file:///secret"), Scopes::from("secret"));
        // A rule that asks for no scope asks to sign in.
        closed(&of("resources/read", "file:///members"), Scopes::none());
        closed(&of("skills/get", "file:///members"), Scopes::none());
        for (method, uri) in [
            ("resources/read", "file:///motd"),
            ("resources/read", "file:///other"),
            ("resources/unsubscribe", "file:///motd"),
            ("skills/get", "file:///other"),
        ] {
            check(&policy, &nobody, &of(method, uri), Ok(()));
        }
        check(&policy, &nobody, r#"{"method":"tools/list"}"#, Ok(()));
        let both = Policy::new().method("ping", "p").allow_anonymous_method("ping");
        check(&both, &nobody, r#"{"method":"ping"}"#, Ok(()));
    }

    #[test]
    fn opens_a_method_but_not_what_has_a_rule() {
        let policy = Policy::new().tool("admin", "admin").allow_anonymous_method("tools/call");
        check(&policy, &Identity::anonymous(), &call("anything"), Ok(()));
        check(&policy, &Identity::anonymous(), &call("admin"), Err(Refusal::SignIn(Scopes::from("admin"))));
        assert_eq!(
            policy.security_schemes("admin"),
            Some(serde_json::json!([{ "type": "oauth2", "scopes": ["admin"] }]))
        );
    }
}
