//! Consent that was given before.
//!
//! It is used only where it cannot be turned against its user:
//!
//! - The browser says that no foreign page sent it here ([`Transaction::unprompted`]): otherwise any page could
//!   have a code made behind its visitor's back.
//! - The client cannot be played by another program: it has to prove itself for the code, or the code goes to an https host. A
//!   public client on a loopback port (with https too) or behind a scheme of its own could be anything on the device (RFC 8252 §8.6).
//! - Nothing about it has changed: the client's [digest](crate::client::Client::digest), the host it sends people to, the resources;
//!   and no scope is asked for that was not among those (attack CO06).
//!
//! It is kept for the user. Where consent comes before the sign-in, the browser's row says whose it is: whoever else comes back
//! from the identity provider is asked again, and what the user withdrew is gone for all browsers.

use mcp_core::{Scopes, Timestamp};
use mcp_store::{Batch, Name, Partition, StoreError};
use serde::{Deserialize, Serialize};

use crate::as_text;
use crate::client::is_loopback_redirect;
use crate::engine::Engine;

use super::transaction::Transaction;

/// Whose consent it is.
#[derive(Clone, Copy)]
pub(super) enum Keeper<'a> {
    User(&'a str),
    /// By its secret.
    Browser(&'a str),
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    subject: String,
    client: String,
    digest: String,
    #[serde(with = "as_text::scopes")]
    scopes: Scopes,
    #[serde(with = "as_text::millis")]
    at: Timestamp,
}

/// Who said yes to all of this before, if somebody did and it may be used.
pub(super) async fn find(
    engine: &Engine,
    transaction: &Transaction,
    keeper: Keeper<'_>,
) -> Result<Option<String>, StoreError> {
    let usable = transaction.unprompted && !transaction.request.prompt.consent && is_certain(transaction);
    if !usable {
        return Ok(None);
    }
    let Some(remembered) = read(engine, transaction, keeper).await? else { return Ok(None) };
    // What a browser remembers is worth only what its user has not withdrawn.
    let of_user = match keeper {
        Keeper::User(_) => true,
        Keeper::Browser(_) => {
            let own = read(engine, transaction, Keeper::User(&remembered.subject)).await?;
            own.is_some_and(|own| own.covers(transaction))
        }
    };
    Ok((of_user && remembered.covers(transaction)).then_some(remembered.subject))
}

/// Keeps what a user said yes to now, beside what it said yes to before.
pub(super) async fn keep(
    engine: &Engine,
    transaction: &Transaction,
    keepers: &[Keeper<'_>],
    subject: &str,
    scopes: &Scopes,
) -> Result<(), StoreError> {
    if !is_certain(transaction) {
        return Ok(());
    }
    for keeper in keepers {
        let before = read(engine, transaction, *keeper).await?;
        let before = before.filter(|old| old.digest == transaction.client.digest && old.subject == subject);
        let now = engine.now();
        let remembered = Remembered {
            subject: subject.to_owned(),
            client: transaction.client.id.to_string(),
            digest: transaction.client.digest.clone(),
            scopes: before.map_or_else(|| scopes.clone(), |old| old.scopes.union(scopes)),
            at: now,
        };
        let (partition, name) = place(engine, transaction, *keeper);
        let batch = Batch::new().put_json(name, &remembered, Some(now + engine.lifetimes.grant))?;
        let _ = engine.vault.commit(&partition, batch).await?;
    }
    Ok(())
}

/// Forgets what a user said yes to: to one client, or to all. Gives how much that was.
///
/// # Errors
/// When the store does not answer; then some may be forgotten.
pub(crate) async fn forget(
    engine: &Engine,
    subject: &str,
    client: Option<&str>,
) -> Result<usize, StoreError> {
    let partition = partition(engine, Keeper::User(subject));
    let (mut forgotten, mut after) = (0, None);
    loop {
        let found = engine.vault.scan(&partition, PREFIX, after.as_ref(), PORTION).await?;
        after = (found.len() == PORTION).then(|| found.last().map(|(name, _)| name.clone())).flatten();
        for (name, record) in found {
            let of_client = match client {
                Some(client) => record.json::<Remembered>()?.client == client,
                None => true,
            };
            if of_client {
                let _ = engine.vault.commit(&partition, Batch::new().delete(name)).await?;
                forgotten += 1;
            }
        }
        if after.is_none() {
            return Ok(forgotten);
        }
    }
}

impl Remembered {
    fn covers(&self, transaction: &Transaction) -> bool {
        self.digest == transaction.client.digest
            && transaction.request.scopes.without(&self.scopes).is_empty()
    }
}

async fn read(
    engine: &Engine,
    transaction: &Transaction,
    keeper: Keeper<'_>,
) -> Result<Option<Remembered>, StoreError> {
    let (partition, name) = place(engine, transaction, keeper);
    match engine.vault.get_one(&partition, &name).await? {
        Some(found) => found.json().map(Some),
        None => Ok(None),
    }
}

/// Whether no other program can play this client.
fn is_certain(transaction: &Transaction) -> bool {
    // Whoever holds a device code could be anywhere.
    let is_device = transaction.request.device.is_some();
    let redirect_uri = &transaction.request.redirect_uri;
    let leads_to_a_host = redirect_uri.starts_with("https://") && !is_loopback_redirect(redirect_uri);
    !is_device && (!transaction.client.is_public() || leads_to_a_host)
}

fn place(engine: &Engine, transaction: &Transaction, keeper: Keeper<'_>) -> (Partition, Name) {
    let request = &transaction.request;
    let host = host_of(&request.redirect_uri);
    let resources = request.resources.join(" ");
    let parts = [transaction.client.id.as_str(), &host, &resources].map(str::as_bytes);
    let name = format!("{PREFIX}{}", engine.vault.keyed_name("consent", &parts));
    #[expect(clippy::expect_used, reason = "a short prefix and 43 characters of base64url are a name")]
    let name = Name::new(name).expect("a digest is a name");
    (partition(engine, keeper), name)
}

fn partition(engine: &Engine, keeper: Keeper<'_>) -> Partition {
    let (purpose, whose) = match keeper {
        Keeper::User(subject) => ("consents", subject),
        Keeper::Browser(secret) => ("consents-of-browser", secret),
    };
    let hash = engine.vault.keyed_name(purpose, &[whose.as_bytes()]);
    #[expect(clippy::expect_used, reason = "43 characters of base64url are a partition")]
    Partition::new(hash).expect("a digest is a partition")
}

const PREFIX: &str = "consent.";
const PORTION: usize = 200;

/// The host people are sent to, for showing and for remembering; the scheme where there is no host.
pub(super) fn host_of(redirect_uri: &str) -> String {
    match url::Url::parse(redirect_uri) {
        Ok(url) => match (url.host_str(), url.port()) {
            (Some(host), Some(port)) if !is_loopback_redirect(redirect_uri) => format!("{host}:{port}"),
            (Some(host), _) => host.to_owned(),
            (None, _) => format!("{}:", url.scheme()),
        },
        Err(_) => String::new(),
    }
}
