//! Reading public keys in PEM, by way of jsonwebtoken.

use jsonwebtoken::DecodingKey;
use mcp_core::ConfigError;

use super::{Curve, Material, RawKey};

pub(super) fn read(text: &str) -> Result<Vec<RawKey>, ConfigError> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let block = rest.get(begin..).unwrap_or_default();
        let label = block
            .get(BEGIN.len()..)
            .and_then(|after| after.split_once("-----"))
            .map_or("", |(label, _)| label);
        let foot = format!("-----END {label}-----");
        let Some(end) = block.find(&foot) else {
            return Err(ConfigError::new(format!(
                "the PEM text has a block {label:?} without its {foot} line: paste the whole file"
            )));
        };
        let (one, after) = block.split_at(end + foot.len());
        keys.push(key(label, one)?);
        rest = after;
    }
    if keys.is_empty() {
        return Err(ConfigError::new(
            "there is no -----BEGIN PUBLIC KEY----- in the PEM text: pass the contents of the file, not its name",
        ));
    }
    Ok(keys)
}

fn key(label: &str, block: &str) -> Result<RawKey, ConfigError> {
    if label.ends_with("PRIVATE KEY") {
        return Err(ConfigError::new(
            "the PEM text is a private key, which belongs to the issuer alone: pass the public one, made by \
             `openssl pkey -in private.pem -pubout`",
        ));
    }
    if label == "CERTIFICATE" {
        return Err(ConfigError::new(
            "the PEM text is a certificate: pass the key in it, made by `openssl x509 -in cert.pem -pubkey -noout`",
        ));
    }
    let block = block.as_bytes();
    let material = if let Some(der) = bytes(DecodingKey::from_rsa_pem(block)) {
        let bits = aws_lc_rs::rsa::PublicKey::from_der(&der).map_or(0, |key| key.modulus_len() * 8);
        if !(2048..=8192).contains(&bits) {
            return Err(ConfigError::new(
                "the PEM text is an RSA key of less than 2048 or more than 8192 bits: use one of 3072",
            ));
        }
        Some(Material::RsaDer(der))
    } else if let Some(point) = bytes(DecodingKey::from_ec_pem(block)) {
        [Curve::P256, Curve::P384, Curve::P521]
            .into_iter()
            .find(|curve| point.len() == 1 + 2 * curve.coordinate())
            .map(|curve| Material::Ec { curve, point })
    } else {
        bytes(DecodingKey::from_ed_pem(block)).map(Material::Ed25519)
    };
    match material {
        Some(material) => Ok(RawKey { id: None, declared: None, material }),
        None => Err(ConfigError::new(format!(
            "the PEM block {label:?} is no public key of RSA, P-256, P-384, P-521 or Ed25519"
        ))),
    }
}

fn bytes(key: jsonwebtoken::errors::Result<DecodingKey>) -> Option<Vec<u8>> {
    key.ok()?.try_get_as_bytes().ok().map(<[u8]>::to_vec)
}

const BEGIN: &str = "-----BEGIN ";
