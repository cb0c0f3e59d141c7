//! Members of a JSON object, each of the type it should have. `null` counts as absent (RFC 7592 §2.2).

use serde_json::{Map, Value};

use super::MetadataError;

/// The most entries a list may have.
const MAX_LIST: usize = 50;
/// The most bytes a text may have, where nothing narrower is said.
const MAX_TEXT: usize = 4096;

/// The members of a document.
#[derive(Clone, Copy)]
pub(super) struct Members<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Members<'a> {
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, MetadataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_TEXT => Ok(Some(text)),
            Some(_) => Err(MetadataError::invalid("a member that should be a text is none, or is too long")),
        }
    }

    /// A list of texts.
    pub(super) fn texts(self, name: &str) -> Result<Option<Vec<&'a str>>, MetadataError> {
        let wrong =
            || MetadataError::invalid("a member that should be a list of texts is none, or is too long");
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() <= MAX_LIST => {
                list.iter().map(|item| item.as_str().ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(wrong()),
        }
    }

    /// A truth value; `false` if absent.
    pub(super) fn flag(self, name: &str) -> Result<bool, MetadataError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(MetadataError::invalid("a member that should be true or false is neither")),
        }
    }
}
