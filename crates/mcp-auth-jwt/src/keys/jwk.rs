//! Reading one JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2), from JSON that may be anybody's.
//!
//! What does not concern us (`x5c` and its kin) is not looked at, so that a mistake there costs nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_core::SecretKey;
use serde_json::{Map, Value};

use super::{Curve, Material, RawKey};
use crate::Algorithm;
use crate::jws::MAX_KEY_ID;

/// Who says that this is a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jwk {
    /// Whoever starts the server.
    FromOperator,
    /// A URL or a token's header: never a secret.
    FromElsewhere,
}

/// Reads a JWK that can verify signatures. The error continues a sentence that begins with "it".
pub(crate) fn read(key: &Value, whose: Jwk) -> Result<RawKey, &'static str> {
    let Value::Object(key) = key else {
        return Err("is no object");
    };
    let material = match text(key, "kty")? {
        Some("RSA") => rsa(key)?,
        Some("EC") => ec(key)?,
        Some("OKP") => okp(key)?,
        Some("oct") if whose == Jwk::FromOperator => secret(key)?,
        Some("oct") => return Err("is a secret, which nobody may publish"),
        Some(_) => return Err("is of an unknown type"),
        None => return Err("has no kty"),
    };
    if PRIVATE.iter().any(|name| key.contains_key(*name)) && !material.is_secret() {
        return Err("has private members: keep only the public ones");
    }
    if !matches!(text(key, "use")?, None | Some("sig")) {
        return Err("is not for signatures, says its use");
    }
    match key.get("key_ops") {
        None => {}
        Some(Value::Array(uses)) if uses.iter().any(|one| one == "verify") => {}
        Some(_) => return Err("is not for verifying, say its key_ops"),
    }
    let declared = match text(key, "alg")? {
        None => None,
        Some(name) => match Algorithm::from_name(name) {
            Some(algorithm) if material.fits(algorithm) => Some(algorithm),
            _ => return Err("is for an alg that is unknown or of another type of key"),
        },
    };
    let id = match text(key, "kid")? {
        Some(id) if id.len() > MAX_KEY_ID => return Err("has a kid that is too long"),
        id => id.map(Box::from),
    };
    Ok(RawKey { id, declared, material })
}

fn rsa(key: &Map<String, Value>) -> Result<Material, &'static str> {
    let n = without_zeros(bytes(key, "n")?);
    let e = without_zeros(bytes(key, "e")?);
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err("is an RSA key of less than 2048 or more than 8192 bits");
    }
    if e.len() > 4 || e.last().is_none_or(|byte| byte % 2 == 0) || e == [1] {
        return Err("has an exponent that no RSA key should have");
    }
    Ok(Material::Rsa { n, e })
}

fn ec(key: &Map<String, Value>) -> Result<Material, &'static str> {
    let curve = match text(key, "crv")? {
        Some("P-256") => Curve::P256,
        Some("P-384") => Curve::P384,
        Some("P-521") => Curve::P521,
        _ => return Err("is on an unknown curve"),
    };
    let (x, y) = (bytes(key, "x")?, bytes(key, "y")?);
    if x.len() != curve.coordinate() || y.len() != curve.coordinate() {
        return Err("has coordinates of the wrong length for its curve");
    }
    let mut point = Vec::with_capacity(1 + x.len() + y.len());
    point.push(4);
    point.extend(x);
    point.extend(y);
    Ok(Material::Ec { curve, point })
}

fn okp(key: &Map<String, Value>) -> Result<Material, &'static str> {
    if text(key, "crv")? != Some("Ed25519") {
        return Err("is on an unknown curve");
    }
    let x = bytes(key, "x")?;
    if x.len() != 32 {
        return Err("has a coordinate of the wrong length for its curve");
    }
    Ok(Material::Ed25519(x))
}

fn secret(key: &Map<String, Value>) -> Result<Material, &'static str> {
    SecretKey::new(bytes(key, "k")?)
        .map(Material::Secret)
        .map_err(|_| "is a secret of less than 256 bits, or all zeros")
}

fn text<'a>(key: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, &'static str> {
    match key.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("has a member that should be a text and is not"),
    }
}

fn bytes(key: &Map<String, Value>, name: &str) -> Result<Vec<u8>, &'static str> {
    let Some(text) = text(key, name)? else {
        return Err("lacks a member of its type");
    };
    // Some issuers pad, which RFC 7515 §2 forbids and nobody is harmed by.
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| "has a member that is no base64url")
}

fn without_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

/// The private members of RSA, EC and OKP keys, and the secret of `oct`.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_key_only_when_the_operator_says_so() {
        let key = serde_json::json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0"});
        assert!(read(&key, Jwk::FromOperator).is_ok());
        assert!(read(&key, Jwk::FromElsewhere).is_err());
    }
}
