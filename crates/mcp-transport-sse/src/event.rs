//! The event stream format: how an event becomes bytes.
//!
//! Grammar: <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.

use bytes::{BufMut, Bytes, BytesMut};

/// A comment: keeps proxies from closing a silent stream, and is ignored by clients.
pub(crate) const KEEP_ALIVE: Bytes = Bytes::from_static(b":\n\n");

/// One event with a name and data.
///
/// A line break in the data begins a new `data:` line, which is how the format carries it: data can never end the
/// event early or start another field.
pub(crate) fn encode(name: &str, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(name.len() + data.len() + 18);
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    for line in lines(data) {
        out.put_slice(b"\ndata: ");
        out.put_slice(line);
    }
    out.put_slice(b"\n\n");
    out.freeze()
}

/// Splits at LF, CR LF and CR, the three line ends of the format.
fn lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            done = true;
            return Some(rest);
        };
        let (line, tail) = rest.split_at(end);
        rest = tail.strip_prefix(b"\r\n").unwrap_or_else(|| tail.get(1..).unwrap_or_default());
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(data: &str, wire: &str) {
        assert_eq!(encode("message", data.as_bytes()), wire.as_bytes());
    }

    #[test]
    fn data_is_carried_line_by_line() {
        check("{}", "event: message\ndata: {}\n\n");
        check("", "event: message\ndata: \n\n");
        check("{\n}", "event: message\ndata: {\ndata: }\n\n");
        check("a\r\nb\rc", "event: message\ndata: a\ndata: b\ndata: c\n\n");
        check("x\n\nevent: evil", "event: message\ndata: x\ndata: \ndata: event: evil\n\n");
    }

    proptest! {
        /// Whatever the data, there is one event, and it says what was sent.
        #[test]
        fn an_event_is_one_event(data in "[a-z:\r\n ]{0,40}") {
            let wire = String::from_utf8(encode("message", data.as_bytes()).to_vec()).unwrap();
            let body = wire.strip_prefix("event: message\n").unwrap().strip_suffix("\n\n").unwrap();
            let read: Vec<&str> = body.split('\n').map(|line| line.strip_prefix("data: ").unwrap()).collect();
            prop_assert_eq!(read.join("\n"), data.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }
}
