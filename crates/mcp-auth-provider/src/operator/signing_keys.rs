//! The signing keys, by an operator's hand.

use crate::keys::{SigningKeyView, SigningKeys};

use super::{Operator, OperatorError};

impl Operator {
    /// The keys that others are told of. Empty where tokens are opaque.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyView>, OperatorError> {
        let Some(keys) = &self.engine.keys else { return Ok(Vec::new()) };
        keys.keep_up().await?;
        Ok(keys.view())
    }

    /// Publishes the next key before its time; it signs in an hour. Its id; where one waits already, that one's.
    ///
    /// # Errors
    /// When the store does not answer, tokens are opaque, or too many keys are in use already.
    pub async fn rotate_signing_key(&self) -> Result<String, OperatorError> {
        let id = self.keys()?.rotate(&self.name).await?;
        id.ok_or_else(|| OperatorError::invalid("there are too many keys in use: wait until some have ended"))
    }

    /// Takes a key back that leaked. From now on its tokens are refused here; at other nodes and in the key set they publish
    /// within 15 seconds; at resource servers elsewhere when they fetch that set again, five minutes later at most. If it was
    /// the key that signs, another takes its place at once. Clients get new tokens with their refresh tokens, unnoticed by
    /// their users. Whether there was such a key.
    ///
    /// # Errors
    /// When the store does not answer, and then trying again does no harm; or tokens are opaque.
    pub async fn retire_signing_key(&self, id: &str) -> Result<bool, OperatorError> {
        let found = self.keys()?.retire(id, &self.name).await?;
        self.engine.known.forget_all();
        Ok(found)
    }

    fn keys(&self) -> Result<&SigningKeys, OperatorError> {
        let keys = self.engine.keys.as_ref();
        keys.ok_or_else(|| OperatorError::invalid("tokens are opaque here: there is no key that signs"))
    }
}
