//! JSON-RPC messages, read as far as a policy needs them and no further.
//!
//! A member that decides something may stand there once, and by its name: a parser behind this one might take the other
//! of two, or count positions in an array otherwise.

use std::borrow::Cow;

use base64ct::{Base64, Encoding};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::few::Few;

/// One message of a body.
#[derive(Deserialize)]
pub(crate) struct Message<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// The parameters that decide something.
#[derive(Default, Deserialize)]
pub(crate) struct Params<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) uri: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "taskId")]
    task_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "ref")]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default)]
    notifications: Option<&'a RawValue>,
}

/// What a `completion/complete` completes.
#[derive(Deserialize)]
pub(crate) struct Reference<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) uri: Option<Cow<'a, str>>,
}

/// What a `subscriptions/listen` listens to.
#[derive(Deserialize)]
struct Notifications<'a> {
    #[serde(borrow, default, rename = "resourceSubscriptions")]
    resources: Option<Few<Cow<'a, str>>>,
}

/// Why a body cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contradiction {
    /// It is not JSON-RPC: answered with 400 and this code.
    NotJsonRpc(i32),
    /// Headers and body say different things: 400 and `-32020` (spec TR-10).
    Headers,
}

impl Contradiction {
    /// It asks for more than a body may ask for.
    pub(super) const TOO_MUCH: Self = Self::NotJsonRpc(INVALID_PARAMS);
}

impl<'a> Message<'a> {
    /// Reads the parameters.
    pub(crate) fn params(&self) -> Result<Params<'a>, Contradiction> {
        match self.params {
            None => Ok(Params::default()),
            Some(raw) => named(raw).ok_or(Contradiction::NotJsonRpc(INVALID_PARAMS)),
        }
    }

    /// Whether this answers a request of the server's: it asks for nothing.
    pub(crate) fn is_response(&self) -> bool {
        self.method.is_none() && (self.result.is_some() || self.error.is_some())
    }
}

impl<'a> Params<'a> {
    /// What a `completion/complete` completes.
    pub(crate) fn reference(&self) -> Result<Option<Reference<'a>>, Contradiction> {
        let read = |raw| named(raw).ok_or(Contradiction::NotJsonRpc(INVALID_PARAMS));
        self.reference.map(read).transpose()
    }

    /// The resources a `subscriptions/listen` listens to.
    pub(crate) fn listened(&self) -> Result<Vec<Cow<'a, str>>, Contradiction> {
        let Some(raw) = self.notifications else { return Ok(Vec::new()) };
        let wanted: Notifications<'a> = named(raw).ok_or(Contradiction::NotJsonRpc(INVALID_PARAMS))?;
        wanted.resources.map_or(Ok(Vec::new()), |few| few.items().ok_or(Contradiction::TOO_MUCH))
    }

    /// The arguments of a tool, `null` if there are none.
    pub(crate) fn arguments(&self) -> Result<Value, Contradiction> {
        let Some(raw) = self.arguments else { return Ok(Value::Null) };
        serde_json::from_str(raw.get()).map_err(|_| Contradiction::NotJsonRpc(INVALID_PARAMS))
    }
}

/// Reads an object. An array would do for serde, which then goes by positions.
fn named<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()
}

/// Reads a body: one message, or an array of them (allowed up to 2025-03-26, spec TL-02), and compares the first with
/// the headers of 2026-07-28.
pub(crate) fn parse<'a>(body: &'a [u8], headers: &HeaderMap) -> Result<Vec<Message<'a>>, Contradiction> {
    let first = body.iter().find(|b| !b.is_ascii_whitespace());
    let not_json = |_| Contradiction::NotJsonRpc(PARSE_ERROR);
    let messages: Vec<Message<'a>> = if first == Some(&b'[') {
        let elements: Few<&RawValue> = serde_json::from_slice(body).map_err(not_json)?;
        elements
            .items()
            .and_then(|elements| elements.into_iter().map(named).collect())
            .ok_or(Contradiction::NotJsonRpc(INVALID_REQUEST))?
    } else {
        vec![serde_json::from_slice(body).map_err(not_json)?]
    };
    if messages.is_empty() || messages.iter().any(|m| m.method.is_none() && !m.is_response()) {
        return Err(Contradiction::NotJsonRpc(INVALID_REQUEST));
    }
    for (header, of_body) in [("mcp-method", method_of as fn(&Message<'_>) -> _), ("mcp-name", name_of)] {
        if let Some(said) = single(headers, header)?
            && (messages.len() != 1 || messages.first().and_then(of_body).as_deref() != Some(said.as_ref()))
        {
            return Err(Contradiction::Headers);
        }
    }
    Ok(messages)
}

fn method_of(message: &Message<'_>) -> Option<String> {
    message.method.as_deref().map(ToOwned::to_owned)
}

fn name_of(message: &Message<'_>) -> Option<String> {
    let params = message.params().ok()?;
    let name = match message.method.as_deref() {
        // As the tasks extension has it (SEP-2663).
        Some(method) if method.starts_with("tasks/") => params.task_id,
        _ => params.name.or(params.uri),
    };
    name.map(Cow::into_owned)
}

/// A header that may stand there once, its value decoded (spec TR-11).
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<Cow<'h, str>>, Contradiction> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Contradiction::Headers);
    }
    let text = value.to_str().map_err(|_| Contradiction::Headers)?.trim_matches([' ', '\t']);
    match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Ok(Some(Cow::Borrowed(text))),
        Some(encoded) => Base64::decode_vec(encoded)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(|text| Some(Cow::Owned(text)))
            .ok_or(Contradiction::Headers),
    }
}

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, headers: &[(&'static str, &str)], expected: Result<usize, Contradiction>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let outcome = parse(body.as_bytes(), &map).map(|messages| messages.len());
        assert_eq!(outcome, expected, "{body} {headers:?}");
    }

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}"#;
    const BAD: Result<usize, Contradiction> = Err(Contradiction::Headers);

    #[test]
    fn reads_one_message_or_an_array() {
        check(CALL, &[], Ok(1));
        check(&format!(" [{CALL},{CALL}]"), &[], Ok(2));
        check(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, &[], Ok(1));
        check("[]", &[], Err(Contradiction::NotJsonRpc(INVALID_REQUEST)));
        check("{} trailing", &[], Err(Contradiction::NotJsonRpc(PARSE_ERROR)));
        check("\u{feff}{}", &[], Err(Contradiction::NotJsonRpc(PARSE_ERROR)));
    }

    #[test]
    fn refuses_members_that_two_parsers_could_read_differently() {
        check(r#"{"method":"ping","method":"tools/call"}"#, &[], Err(Contradiction::NotJsonRpc(PARSE_ERROR)));
        check(r#"{"Method":"tools/call"}"#, &[], Err(Contradiction::NotJsonRpc(INVALID_REQUEST)));
        let twice = r#"{"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#;
        let messages = parse(twice.as_bytes(), &HeaderMap::new()).unwrap();
        assert_eq!(messages[0].params().err(), Some(Contradiction::NotJsonRpc(INVALID_PARAMS)));
    }

    // covers: TR-10, TR-11, TR-13
    #[test]
    fn compares_headers_with_the_body() {
        check(CALL, &[("mcp-method", "tools/call"), ("mcp-name", "add")], Ok(1));
        check(CALL, &[("mcp-name", "=?base64?YWRk?=")], Ok(1));
        check(CALL, &[("mcp-name", " add ")], Ok(1));
        // The tasks extension names tasks by their id.
        let task = r#"{"method":"tasks/get","params":{"taskId":"t1"}}"#;
        check(task, &[("mcp-method", "tasks/get"), ("mcp-name", "t1")], Ok(1));
        check(task, &[("mcp-name", "t2")], BAD);
        check(CALL, &[("mcp-method", "tools/list")], BAD);
        check(CALL, &[("mcp-method", "Tools/Call")], BAD);
        check(CALL, &[("mcp-name", "other")], BAD);
        check(CALL, &[("mcp-name", "=?base64?!!?=")], BAD);
        check(CALL, &[("mcp-name", "add"), ("mcp-name", "add")], BAD);
        check(&format!("[{CALL},{CALL}]"), &[("mcp-method", "tools/call")], BAD);
    }

    proptest::proptest! {
        #[test]
        fn reads_any_bytes(body: Vec<u8>) {
            if let Ok(messages) = parse(&body, &HeaderMap::new()) {
                for message in messages {
                    let _ = message.params();
                }
            }
        }
    }
}
