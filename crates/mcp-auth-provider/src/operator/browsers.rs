//! Browsers that stay signed in, and consent that is remembered.

use crate::browser;

use super::{Operator, OperatorError};

impl Operator {
    /// Signs a user out of every browser, also where a consent page is open that was not answered yet. Grants go on: [`end_grants_of_user`](Self::end_grants_of_user) ends those. Gives how
    /// many browsers had stayed signed in.
    ///
    /// # Errors
    /// When the store does not answer; then some may be signed out.
    pub async fn sign_out_user(&self, subject: &str) -> Result<usize, OperatorError> {
        let ended = browser::end_sessions(&self.engine, subject).await?;
        self.record("sessions_ended", Some(subject), None, format!("signed out of {ended} browsers"));
        Ok(ended)
    }

    /// Forgets what a user said yes to, to one client or to all, so that it is asked again. Grants go on:
    /// [`end_grants_of_user`](Self::end_grants_of_user) ends those. Gives how many consents it were.
    ///
    /// # Errors
    /// When the store does not answer; then some may be forgotten.
    pub async fn forget_consent(&self, subject: &str, client: Option<&str>) -> Result<usize, OperatorError> {
        let forgotten = browser::forget_consent(&self.engine, subject, client).await?;
        self.record("consent_forgotten", Some(subject), client, format!("{forgotten} consents"));
        Ok(forgotten)
    }
}
