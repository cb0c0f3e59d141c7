//! What a server may do to a URI before it knows which resource is meant, one thing at a time.

use std::ops::Range;

use url::Url;

use super::uri::scheme_end;

/// Other ways to write a URI.
pub(super) fn rewritten(text: &str, found: &mut Vec<String>) {
    found.extend(percent_decoded(text));
    // Host names in letters of one kind, default ports, dots, tabs: all of it as browsers do it.
    found.extend(Url::parse(text).ok().map(String::from));
    if text.contains('\\') {
        found.push(text.replace('\\', "/"));
    }
    if text.contains(char::is_control) {
        found.push(text.replace(char::is_control, ""));
    }
    let trimmed = text.trim_matches(|c: char| c.is_control() || c.is_whitespace());
    if trimmed.len() < text.len() {
        found.push(trimmed.to_owned());
    }
    resolved(text, found);
    // The root of all names may be written (RFC 3986 §3.2.2).
    if let Some(Host { name, .. }) = Host::of(text)
        && let dots = text[name.clone()].len() - text[name.clone()].trim_end_matches('.').len()
        && dots > 0
    {
        found.push(without(text, name.end - dots..name.end));
    }
}

/// A URI without what names no resource, or not to every server. Query and fragment are not among it: who compares looks
/// at the text before them anyway.
pub(super) fn shortened(text: &str, found: &mut Vec<String>) {
    // Where C ends a text, it ends.
    if let Some((before, _)) = text.split_once('\0') {
        found.push(before.to_owned());
    }
    found.extend(without_parameters(text));
    let Some(host) = Host::of(text) else { return };
    let Host { authority, name, port } = host;
    // With two signs, parsers disagree which of them ends the user's name.
    for at in [text[authority.clone()].find('@'), text[authority.clone()].rfind('@')].into_iter().flatten() {
        found.push(without(text, authority.start..authority.start + at + 1));
    }
    match text.get(..scheme_end(text)) {
        // Whoever opens files looks at the path only.
        Some(scheme) if scheme.eq_ignore_ascii_case("file:") && !authority.is_empty() => {
            found.push(without(text, authority));
        }
        // Which port is the ordinary one is known of these schemes, and the parser leaves it out.
        Some(scheme) if PORTS_KNOWN.iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {}
        _ if name.end < port.end => found.push(without(text, port)),
        _ => {}
    }
}

/// With dots resolved, if there are any. Servers disagree on where the path begins, since some take the host for its first
/// part; on whether it ends before a `?`; and on whether `..` takes back a part that is empty.
fn resolved(text: &str, found: &mut Vec<String>) {
    let scheme = scheme_end(text);
    let host = Host::of(text).map_or(scheme, |host| host.authority.end);
    for start in [scheme, host] {
        let path = &text[start..];
        if !path.split(['/', '?', '#']).any(|part| part == "." || part == "..") {
            continue;
        }
        for end in [path.find(['?', '#']).unwrap_or(path.len()), path.len()] {
            for keep_empty in [false, true] {
                let mut parts: Vec<&str> = Vec::new();
                for part in path[..end].split('/') {
                    match part {
                        "." => {}
                        ".." => drop(parts.pop()),
                        "" if !keep_empty => {}
                        part => parts.push(part),
                    }
                }
                let slash = if path.starts_with('/') { "/" } else { "" };
                let parts = parts.join("/");
                let parts = parts.strip_prefix(slash).unwrap_or(&parts);
                found.push(format!("{}{slash}{parts}{}", &text[..start], &path[end..]));
            }
        }
    }
}

/// Without what follows a `;` in each part of the path (RFC 3986 §3.3).
fn without_parameters(text: &str) -> Option<String> {
    let (first, rest) = text.split_once(';')?;
    let mut short = first.to_owned();
    for after in rest.split(';') {
        short.push_str(after.find(['/', '?', '#']).map_or("", |end| &after[end..]));
    }
    Some(short)
}

/// Decoded once, if anything is encoded.
fn percent_decoded(text: &str) -> Option<String> {
    let (plain, mut rest) = text.split_at(text.find('%')?);
    let mut out = plain.as_bytes().to_vec();
    while let Some(after) = rest.strip_prefix('%') {
        let byte = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = byte.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(b'%'));
        let after = if byte.is_some() { &after[2..] } else { after };
        let (plain, next) = after.split_at(after.find('%').unwrap_or(after.len()));
        out.extend_from_slice(plain.as_bytes());
        rest = next;
    }
    // Bytes that are no text stay encoded: with others that were encoded twice they may become one.
    let mut decoded = String::with_capacity(out.len());
    for chunk in out.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    (decoded != text).then_some(decoded)
}

/// Where the authority of a URI is (RFC 3986 §3.2), the host's name in it, and the port with its colon.
struct Host {
    authority: Range<usize>,
    name: Range<usize>,
    port: Range<usize>,
}

impl Host {
    fn of(text: &str) -> Option<Self> {
        let start = scheme_end(text) + 2;
        let rest = text.get(start - 2..)?.strip_prefix("//")?;
        let end = start + rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &text[start..end];
        let name = start + authority.rfind('@').map_or(0, |at| at + 1);
        let port = text[name..end].rfind(':').map(|colon| name + colon);
        let port =
            port.filter(|colon| text[colon + 1..end].bytes().all(|b| b.is_ascii_digit())).unwrap_or(end);
        Some(Self { authority: start..end, name: name..port, port: port..end })
    }
}

fn without(text: &str, part: Range<usize>) -> String {
    [&text[..part.start], &text[part.end..]].concat()
}

const PORTS_KNOWN: [&str; 5] = ["http:", "https:", "ws:", "wss:", "ftp:"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(step: impl Fn(&str, &mut Vec<String>), text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        step(text, &mut found);
        found.retain(|reading| reading != text);
        found.sort();
        found.dedup();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn rewrites() {
        check(rewritten, "file:///a", &[]);
        check(rewritten, "file:///%61", &["file:///a"]);
        check(rewritten, "file:///a/%2fb%", &["file:///a//b%"]);
        check(rewritten, "note:%25C3%BC%ff", &["note:%C3%BC%FF"]);
        check(rewritten, "note:%C3%BC%FF", &["note:\u{fc}%FF"]);
        check(rewritten, "FILE:/a", &["file:///a"]);
        check(rewritten, "HTTPS:Host:443/a", &["https://host/a"]);
        check(rewritten, "https://host./a", &["https://host/a"]);
        check(rewritten, "note://Host.:1/a", &["note://Host:1/a"]);
        check(rewritten, "note://a\\b", &["note://a/b"]);
        check(rewritten, "note:\ta", &["note:a"]);
        check(rewritten, "note://a\0b", &["note://ab"]);
        check(rewritten, "note://a/b//../c", &["note://a/b/c", "note://a/c", "note:/a/c"]);
        check(
            rewritten,
            "note://a/../b?/../c",
            &["note://a/b?/../c", "note://a/c", "note://b?/../c", "note://c", "note:/b?/../c", "note:/c"],
        );
        check(rewritten, "note:a/./b", &["note:a/b"]);
    }

    #[test]
    fn shortens() {
        check(shortened, "file:///a", &[]);
        check(shortened, "file:///a\0b\0", &["file:///a"]);
        check(shortened, "x:/a;b=1;c/d;e?f;g/h", &["x:/a/d?f/h"]);
        check(shortened, "https://u@h:8/a@b", &["https://h:8/a@b"]);
        check(shortened, "https://u@v@h", &["https://h", "https://v@h"]);
        check(shortened, "note://u:p@h:8/a", &["note://h:8/a", "note://u:p@h/a"]);
        check(shortened, "note://[::1]/a", &[]);
        check(shortened, "note://[::1]:8/a", &["note://[::1]/a"]);
        check(shortened, "file://host/a", &["file:///a"]);
        check(shortened, "mailto:u@h", &[]);
    }
}
