//! Pre-registered clients in a file.

use std::fs;
use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_core::ConfigError;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::PreRegistered;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Members of RFC 7591 §2 that mean something here. A file with another has a slip of the pen in it.
const KNOWN: [&str; 18] = [
    "application_type",
    "client_name",
    "client_uri",
    "contacts",
    "dpop_bound_access_tokens",
    "grant_types",
    "jwks",
    "jwks_uri",
    "logo_uri",
    "policy_uri",
    "redirect_uris",
    "require_pushed_authorization_requests",
    "scope",
    "software_id",
    "software_version",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "tos_uri",
];

/// Reads a file in TOML, or in JSON if its name ends so.
///
/// # Errors
/// When it cannot be read, may be written by others, or has a mistake; which, and where.
pub(super) fn read(path: &Path) -> Result<Vec<PreRegistered>, ConfigError> {
    let wrong = |what: &str| ConfigError::new(format!("the file of clients {} {what}", path.display()));
    let about = fs::metadata(path).map_err(|error| {
        wrong("cannot be read: make it, and let the server's user read it").because(error)
    })?;
    if about.len() > LARGEST {
        return Err(wrong("is larger than 4 MiB"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if about.permissions().mode() & 0o022 != 0 {
            return Err(wrong(
                "can be written by its group or by others, who could make clients: run chmod go-w on it",
            ));
        }
    }
    let text = fs::read_to_string(path).map_err(|error| wrong("cannot be read as text").because(error))?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let document: Map<String, Value> = if is_json {
        mcp_auth_jwt::strict_json_object(text.as_bytes())
            .ok_or_else(|| wrong("is no JSON object, or has a member twice"))?
    } else {
        toml::from_str(&text).map_err(|error| wrong("is no TOML").because(error))?
    };
    let entries = match document.get("client") {
        Some(Value::Array(entries)) if document.len() == 1 => entries,
        _ => return Err(wrong("must have a list named client, [[client]], and nothing beside it")),
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut clients = Vec::with_capacity(entries.len());
    for (number, entry) in entries.iter().enumerate() {
        let client = entry
            .as_object()
            .ok_or_else(|| ConfigError::new("it is no table"))
            .and_then(|entry| client(entry, folder))
            .map_err(|error| wrong(&format!("has a mistake in its client {}: {error}", number + 1)))?;
        clients.push(client);
    }
    Ok(clients)
}

fn client(entry: &Map<String, Value>, folder: &Path) -> Result<PreRegistered, ConfigError> {
    let text = |name: &str| match entry.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(ConfigError::new(format!("{name} must be a text"))),
    };
    let id = text("client_id")?.ok_or_else(|| ConfigError::new("it has no client_id"))?;
    let mut client = PreRegistered::new(id.to_owned());
    match (text("secret_file")?, text("secret_sha256")?) {
        (None, None) => {}
        (Some(file), None) => {
            let file: PathBuf = folder.join(file);
            let secret = fs::read_to_string(&file).map(Zeroizing::new).map_err(|error| {
                client.wrong(&format!("its secret_file {} cannot be read", file.display())).because(error)
            })?;
            client.set_secret(secret.trim_end_matches(['\r', '\n']))?;
        }
        (None, Some(hash)) => {
            client.secret = Some(sha256(hash).ok_or_else(|| {
                client.wrong("its secret_sha256 is no SHA-256: write 64 hexadecimal digits, or base64url")
            })?)
        }
        (Some(_), Some(_)) => return Err(client.wrong("it has secret_file and secret_sha256: keep one")),
    }
    for (name, value) in entry {
        match name.as_str() {
            "client_id" | "secret_file" | "secret_sha256" => {}
            "client_secret" => {
                return Err(client.wrong(
                    "its secret stands in the file: write it to another file that only the server may read, and \
                     name that in secret_file",
                ));
            }
            "resources" => {
                let list = value.as_array().and_then(|list| {
                    list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
                });
                client.resources =
                    Some(list.ok_or_else(|| client.wrong("its resources must be a list of texts"))?);
            }
            known if KNOWN.contains(&known) => client = client.member(known, value.clone()),
            unknown => return Err(client.wrong(&format!("{unknown:?} means nothing here"))),
        }
    }
    if !client.members.contains_key("token_endpoint_auth_method") {
        let method = match (&client.secret, entry.contains_key("jwks") || entry.contains_key("jwks_uri")) {
            (Some(_), _) => "client_secret_basic",
            (None, true) => "private_key_jwt",
            (None, false) => "none",
        };
        client = client.member("token_endpoint_auth_method", method);
    }
    Ok(client)
}

fn sha256(text: &str) -> Option<Vec<u8>> {
    let bytes = match text.len() {
        64 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => text
            .as_bytes()
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()?,
        _ => Base64UrlUnpadded::decode_vec(text).ok()?,
    };
    (bytes.len() == 32).then_some(bytes)
}
