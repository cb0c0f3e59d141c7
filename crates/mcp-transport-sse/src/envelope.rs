//! Is a body a JSON-RPC message at all? Asked before 202 is said, because afterwards nobody listens.

use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde_json::value::RawValue;

/// What every JSON-RPC 2.0 message has. Names are matched exactly and may appear once: a key in another spelling or a
/// second one could be read differently by the next parser.
#[derive(serde::Deserialize)]
struct Envelope<'a> {
    jsonrpc: &'a str,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(default)]
    result: Option<IgnoredAny>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

/// A member that is there, be it null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Whether the body is one JSON-RPC request, notification or response. 2024-11-05 knows no batches.
pub(crate) fn is_message(json: &[u8]) -> bool {
    // serde also reads a struct from an array of its fields, which no JSON-RPC peer would.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return false;
    }
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(json) else {
        return false;
    };
    let has_id = match envelope.id.map(RawValue::get) {
        None => false,
        Some(id) if id.starts_with('"') || id.parse::<i64>().is_ok() => true,
        // An answer to something unreadable carries the id null; nothing else may.
        Some(_) if envelope.error.is_some() => true,
        Some(_) => return false,
    };
    let answers = usize::from(envelope.result.is_some()) + usize::from(envelope.error.is_some());
    envelope.jsonrpc == "2.0"
        && match envelope.method.map(RawValue::get) {
            Some(method) => method.starts_with('"') && answers == 0,
            None => answers == 1 && (has_id || envelope.error.is_some()),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(json: &str, expected: bool) {
        assert_eq!(is_message(json.as_bytes()), expected, "{json}");
    }

    #[test]
    fn requests_notifications_and_responses_are_messages() {
        check(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, true);
        check(r#"{"id":"a","method":"x","params":{"a":[1]},"jsonrpc":"2.0"}"#, true);
        check(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, true);
        check(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, true);
        check(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}"#, true);
    }

    // covers: SSE-04
    #[test]
    fn nothing_else_is() {
        check("", false);
        check("{", false);
        check("[]", false);
        check("null", false);
        check(r#"["2.0",1,"ping",null,null]"#, false);
        check("{}", false);
        check(r#"{"jsonrpc":"2.0"}"#, false);
        check(r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, false);
        check(r#"{"jsonrpc":"2.0","id":1,"method":7}"#, false);
        check(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, false);
        check(r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, false);
        check(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, false);
        check(r#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#, false);
        check(r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#, false);
        check(r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#, false);
        check(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, false);
        check(r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, false);
        check(r#"{"jsonrpc":"2.0","result":{}}"#, false);
        check(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, false);
        check(r#"{"jsonrpc":"2.0","id":1,"method":"ping"} trailing"#, false);
    }

    #[test]
    fn depth_is_no_danger() {
        check(&format!(r#"{{"jsonrpc":"2.0","method":"x","params":{}"#, "[".repeat(1_000_000)), false);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = is_message(&bytes);
        }

        #[test]
        fn no_json_like_text_panics(text in "[\\[\\]{}\",:a-z0-9. -]{0,80}") {
            let _ = is_message(text.as_bytes());
        }
    }
}
