//! What a state was made for.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

/// What a state was made for: the call that asked for more input. It opens only in the same context.
///
/// ```
/// use mcp_core::request_state::StateContext;
/// use serde_json::json;
///
/// let call = StateContext::new("tools/call").name("transfer").arguments(&json!({ "to": "bob", "amount": 5 }));
/// // The order of members is none of a client's promises.
/// let again = StateContext::new("tools/call").name("transfer").arguments(&json!({ "amount": 5, "to": "bob" }));
/// assert_eq!(call, again);
/// assert_ne!(call, StateContext::new("tools/call").name("transfer").arguments(&json!({ "to": "eve", "amount": 5 })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateContext {
    method: String,
    resource: Option<String>,
    name: Option<String>,
    arguments: Option<[u8; 32]>,
}

impl StateContext {
    /// A call of this JSON-RPC method.
    #[must_use]
    pub fn new(method: impl Into<String>) -> Self {
        Self { method: method.into(), resource: None, name: None, arguments: None }
    }

    /// The protected resource that is called. Needed where several share a secret and know methods of the same name.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The tool or prompt by name, or the MCP resource by URI.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The arguments of the call. Only their digest is kept; members of objects may come in any order.
    #[must_use]
    pub fn arguments(mut self, arguments: &Value) -> Self {
        let mut digest = Context::new(&SHA256);
        digest_value(&mut digest, arguments);
        self.arguments = Some(finish(digest));
        self
    }

    /// One value for the whole context. Every part is preceded by its length or its absence.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Context::new(&SHA256);
        digest.update(b"mcp-core state context v1");
        digest_bytes(&mut digest, self.method.as_bytes());
        let arguments = self.arguments.as_ref().map(<[u8; 32]>::as_slice);
        for part in
            [self.resource.as_deref().map(str::as_bytes), self.name.as_deref().map(str::as_bytes), arguments]
        {
            match part {
                Some(part) => {
                    digest.update(&[1]);
                    digest_bytes(&mut digest, part);
                }
                None => digest.update(&[0]),
            }
        }
        finish(digest)
    }
}

/// Each value is preceded by its type and its length, so that no two values give the same bytes. The depth is that which
/// `serde_json` reads, 128.
fn digest_value(digest: &mut Context, value: &Value) {
    match value {
        Value::Null => digest.update(b"n"),
        Value::Bool(true) => digest.update(b"t"),
        Value::Bool(false) => digest.update(b"f"),
        Value::Number(number) => {
            digest.update(b"#");
            digest_bytes(digest, number.to_string().as_bytes());
        }
        Value::String(text) => {
            digest.update(b"s");
            digest_bytes(digest, text.as_bytes());
        }
        Value::Array(items) => {
            digest.update(b"[");
            digest_len(digest, items.len());
            for item in items {
                digest_value(digest, item);
            }
        }
        Value::Object(members) => {
            digest.update(b"{");
            digest_len(digest, members.len());
            // Sorted here: a feature of `serde_json`, switched on by anybody in the graph, keeps the order of arrival.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in members {
                digest_bytes(digest, name.as_bytes());
                digest_value(digest, value);
            }
        }
    }
}

fn digest_bytes(digest: &mut Context, bytes: &[u8]) {
    digest_len(digest, bytes.len());
    digest.update(bytes);
}

fn digest_len(digest: &mut Context, len: usize) {
    digest.update(&u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes());
}

fn finish(digest: Context) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_two_contexts_look_alike() {
        let call = || StateContext::new("tools/call");
        let contexts = [
            StateContext::new("prompts/get"),
            call(),
            call().name(""),
            call().name("a"),
            call().resource("a"),
            call().resource("").name("a"),
            call().name("a").resource("a"),
            call().arguments(&json!(null)),
            call().arguments(&json!({})),
            call().arguments(&json!([])),
            call().arguments(&json!("")),
            call().arguments(&json!([[], []])),
            call().arguments(&json!([[[]]])),
            call().arguments(&json!(["ab", "c"])),
            call().arguments(&json!(["a", "bc"])),
            call().arguments(&json!({ "a": "b" })),
            call().arguments(&json!(["a", "b"])),
            call().arguments(&json!({ "a": 1, "b": 2 })),
            call().arguments(&json!({ "a": 2, "b": 1 })),
            call().arguments(&json!(1)),
            call().arguments(&json!("1")),
            call().arguments(&json!(true)),
            call().arguments(&json!(false)),
        ];
        for (n, one) in contexts.iter().enumerate() {
            for other in &contexts[n + 1..] {
                assert_ne!(one.digest(), other.digest(), "{one:?} {other:?}");
            }
        }
    }
}
