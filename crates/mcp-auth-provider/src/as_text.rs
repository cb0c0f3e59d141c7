//! How protocol types of `mcp-core` are written in records.

/// Milliseconds since the epoch.
pub(crate) mod millis {
    use mcp_core::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.as_millis())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

/// Scopes as the one text of RFC 6749 §3.3.
pub(crate) mod scopes {
    use std::borrow::Cow;

    use mcp_core::Scopes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(scopes: &Scopes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(scopes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scopes, D::Error> {
        Cow::<str>::deserialize(deserializer).map(|text| Scopes::parse(&text))
    }
}

/// Scopes that may be absent.
pub(crate) mod optional_scopes {
    use mcp_core::Scopes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        scopes: &Option<Scopes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match scopes {
            Some(scopes) => serializer.collect_str(scopes),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Scopes>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(|text| Scopes::parse(&text)))
    }
}

/// A client's identifier.
pub(crate) mod client_id {
    use mcp_core::ClientId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(id: &ClientId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(id.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientId, D::Error> {
        String::deserialize(deserializer).map(ClientId::from)
    }
}

/// Bytes as base64url.
pub(crate) mod bytes {
    use std::borrow::Cow;

    use base64ct::{Base64UrlUnpadded, Encoding};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64UrlUnpadded::encode_string(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Base64UrlUnpadded::decode_vec(&text).map_err(serde::de::Error::custom)
    }
}
