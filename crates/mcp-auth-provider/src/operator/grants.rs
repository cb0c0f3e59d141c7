//! Which grants there are, and their end.

use mcp_core::ClientId;
use mcp_store::{Cursor, Name, Partition};

use crate::grant;
use crate::sign_in::GrantView;

use super::{Operator, OperatorError};

/// How many partitions one page looks through.
const PAGE: usize = 200;

/// Some grants, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantPage {
    /// Grants that are alive. A page may have none and yet not be the last.
    pub grants: Vec<GrantView>,
    /// What to ask the next page with; `None` on the last. Means something only to the method that gave it.
    pub next: Option<String>,
}

impl Operator {
    /// The grants of a user: of all clients together, a page at a time.
    ///
    /// # Errors
    /// When the store does not answer, or `after` was not given by a page before.
    pub async fn grants_of_user(
        &self,
        subject: &str,
        after: Option<&str>,
    ) -> Result<GrantPage, OperatorError> {
        let after = name(after)?;
        let (grants, next) = grant::page_of_user(&self.engine, subject, after.as_ref()).await?;
        Ok(GrantPage { grants, next: next.map(|name| name.to_string()) })
    }

    /// The grants of a client: of all users together, a page at a time.
    ///
    /// # Errors
    /// As [`grants_of_user`](Self::grants_of_user).
    pub async fn grants_of_client(
        &self,
        client: &str,
        after: Option<&str>,
    ) -> Result<GrantPage, OperatorError> {
        let after = name(after)?;
        let client = ClientId::from(client);
        let (grants, next) = grant::page_of_client(&self.engine, &client, after.as_ref()).await?;
        Ok(GrantPage { grants, next: next.map(|name| name.to_string()) })
    }

    /// All grants, in no order, some perhaps twice: a walk through the whole store.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn grants(&self, after: Option<&str>) -> Result<GrantPage, OperatorError> {
        let after = after.map(Cursor::new);
        let page = self.engine.vault.partitions(after.as_ref(), PAGE).await?;
        let mut grants = Vec::new();
        for partition in &page.partitions {
            grants.extend(grant::one(&self.engine, partition).await?);
        }
        Ok(GrantPage { grants, next: page.next.map(|cursor| cursor.as_str().to_owned()) })
    }

    /// One grant, by [`GrantView::id`]. `None` if there is none, or it has ended.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn grant(&self, id: &str) -> Result<Option<GrantView>, OperatorError> {
        match Partition::new(id) {
            Ok(partition) => Ok(grant::one(&self.engine, &partition).await?),
            Err(_) => Ok(None),
        }
    }

    /// Ends a grant: every token of it is dead, here at once and at other nodes within
    /// [`Lifetimes::notice_revocations_within`](crate::Lifetimes::notice_revocations_within). Whether there was one.
    ///
    /// # Errors
    /// When the store does not answer; then it may or may not have ended, and ending it again does no harm.
    pub async fn end_grant(&self, id: &str) -> Result<bool, OperatorError> {
        let Ok(partition) = Partition::new(id) else { return Ok(false) };
        let view = grant::one(&self.engine, &partition).await?;
        let ended = grant::end(&self.engine, &partition, ENDED).await?;
        if ended {
            let (subject, client) = view.as_ref().map(|view| (&*view.subject, &*view.client_id)).unzip();
            self.record("operator_ended_grants", subject, client, format!("end grant {id}"));
        }
        Ok(ended)
    }

    /// Ends every grant of a user. Gives how many there were.
    ///
    /// # Errors
    /// When the store does not answer; then some may have ended, and doing it again ends the rest.
    pub async fn end_grants_of_user(&self, subject: &str) -> Result<usize, OperatorError> {
        let ended = grant::end_of_user(&self.engine, subject, ENDED).await?;
        let what = format!("end {ended} grants of a user");
        self.record("operator_ended_grants", Some(subject), None, what);
        Ok(ended)
    }

    /// Ends every grant of a client. Gives how many there were.
    ///
    /// # Errors
    /// As [`end_grants_of_user`](Self::end_grants_of_user).
    pub async fn end_grants_of_client(&self, client: &str) -> Result<usize, OperatorError> {
        let ended = grant::end_of_client(&self.engine, &ClientId::from(client), ENDED).await?;
        let what = format!("end {ended} grants of a client");
        self.record("operator_ended_grants", None, Some(client), what);
        Ok(ended)
    }
}

const ENDED: &str = "ended_by_operator";

fn name(after: Option<&str>) -> Result<Option<Name>, OperatorError> {
    let name = after.map(Name::new).transpose();
    name.map_err(|_| OperatorError::invalid("no page before said to go on there"))
}
