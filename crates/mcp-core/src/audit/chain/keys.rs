//! The keys of a log, and lines that end in their own MAC.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64ct::{Base64UrlUnpadded, Encoding};

use crate::SecretKey;

pub(super) type Mac = [u8; 32];

/// One key for rows and one for heads, so that neither can be passed off as the other.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) rows: SealKey,
    pub(super) heads: SealKey,
}

impl Keys {
    pub(super) fn new(secret: &SecretKey) -> Self {
        let root = Key::new(HMAC_SHA256, secret.expose());
        let derive = |label: &[u8]| SealKey(Key::new(HMAC_SHA256, sign(&root, label).as_ref()));
        Self { rows: derive(b"mcp-core audit row v1"), heads: derive(b"mcp-core audit head v1") }
    }
}

/// Makes and checks JSON objects whose last member is the MAC over all bytes before it. No byte of such a line can be
/// changed, however insignificant it is to JSON.
#[derive(Clone)]
pub(super) struct SealKey(Key);

impl SealKey {
    /// Adds the MAC to a non-empty JSON object, and a line end.
    pub(super) fn seal(&self, object: &str) -> (String, Mac) {
        let body = object.strip_suffix('}').unwrap_or(object);
        let mut mac = Mac::default();
        mac.copy_from_slice(sign(&self.0, body.as_bytes()).as_ref());
        (format!("{body}{OPENING}{}{CLOSING}\n", write_mac(&mac)), mac)
    }

    /// The MAC of a line without its end, if it is right.
    pub(super) fn open(&self, line: &[u8]) -> Option<Mac> {
        let line = line.strip_suffix(CLOSING.as_bytes())?;
        let (rest, mac) = line.split_last_chunk::<MAC_TEXT>()?;
        let body = rest.strip_suffix(OPENING.as_bytes())?;
        let mac = read_mac(mac)?;
        verify(&self.0, body, &mac).ok()?;
        Some(mac)
    }
}

pub(super) fn write_mac(mac: &Mac) -> String {
    Base64UrlUnpadded::encode_string(mac)
}

pub(super) fn read_mac(text: impl AsRef<[u8]>) -> Option<Mac> {
    let mut mac = Mac::default();
    let decoded = Base64UrlUnpadded::decode(text, &mut mac).ok()?;
    (decoded.len() == 32).then_some(mac)
}

const OPENING: &str = r#","mac":""#;
const CLOSING: &str = r#""}"#;
/// 32 bytes in base64url.
const MAC_TEXT: usize = 43;
