//! Browsers that stay signed in.
//!
//! A session is one record in a partition of its own, named by the hash of the cookie. Who the user is stands in it sealed by the
//! cookie itself, so that the database and its keys do not give it away. It ends by itself when it is not used, and at the
//! latest after its whole time; by signing out; by an operator; and when the sign-in says so.

use mcp_core::Timestamp;
use mcp_core::audit::Outcome;
use mcp_store::{Batch, Name, Opened, Partition, StoreError};
use serde::{Deserialize, Serialize};

use crate::as_text;
use crate::engine::Engine;
use crate::grant::{open_answer, seal_answer};
use crate::sign_in::{Resumed, User};
use crate::wire::{TokenKind, TokenText};

use super::cookies::CookieName;
use super::flow::CannotTell;
use super::signed_out::{self, Marks, SignedOut};
use super::visit::Visit;

/// A browser that stayed signed in, found by its cookie.
pub(crate) struct Session {
    pub(crate) user: User,
    /// The name of its record.
    pub(super) name: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct SessionRecord {
    #[serde(with = "as_text::bytes")]
    user: Vec<u8>,
    #[serde(with = "as_text::millis")]
    created_at: Timestamp,
    #[serde(with = "as_text::millis")]
    used_at: Timestamp,
}

impl Session {
    /// The session of a browser, if it has one that is alive and whose user may still come in.
    pub(crate) async fn find(engine: &Engine, visit: &Visit) -> Result<Option<Self>, CannotTell> {
        for token in tokens(engine, visit) {
            if let Some(session) = one(engine, &token).await? {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// The names of the records that a browser's cookies lead to, alive or not.
    pub(super) fn names(engine: &Engine, visit: &Visit) -> Vec<String> {
        tokens(engine, visit).iter().map(|token| token.name().to_string()).collect()
    }

    /// Begins a session and gives the browser its cookie. One that it had before ends: an id from before the sign-in must not be
    /// worth anything after it (attack LG16). There is none if the user was signed out since there were these marks.
    pub(super) async fn begin(
        engine: &Engine,
        visit: &mut Visit,
        user: &User,
        marks: &Marks,
    ) -> Result<(), StoreError> {
        for old in tokens(engine, visit) {
            delete(engine, &old).await?;
        }
        let now = engine.now();
        let token = TokenText::new(TokenKind::Session, &Partition::random());
        let clear =
            serde_json::to_vec(user).map_err(|_| StoreError::invalid("a user that has no JSON form"))?;
        let record = SessionRecord {
            user: seal_answer(token.expose(), token.partition(), &clear),
            created_at: now,
            used_at: now,
        };
        // Its entry in the user's list first: a crash in between leaves an entry that leads nowhere.
        let entry =
            Batch::new().put_json(entry(token.partition()), &(), Some(now + engine.lifetimes.session))?;
        let _ = engine.vault.commit(&list_of(engine, &user.subject), entry).await?;
        let batch = Batch::new().put_json(token.name(), &record, Some(ends(engine, &record)))?;
        let _ = engine.vault.commit(token.partition(), batch).await?;
        // Who ends the sessions of a user at this moment may have missed this one, but left a mark before.
        if !marks.hold(&Marks::read(engine, &user.subject, None).await?) {
            delete(engine, &token).await?;
            return Ok(());
        }
        let age = Some(engine.lifetimes.session);
        visit.set(engine, CookieName::Session, token.expose(), age);
        Ok(())
    }

    /// Ends the session of a browser and every sign-in for a transaction in it, and takes the cookies away.
    pub(crate) async fn end(engine: &Engine, visit: &mut Visit) -> Result<(), StoreError> {
        visit.remove_transactions(engine);
        for token in tokens(engine, visit) {
            if delete(engine, &token).await? {
                let event = engine.event("session_ended", Outcome::Allowed).from_address(visit.address);
                engine.audit.record(event.because("signed_out"));
            }
        }
        visit.remove(engine, CookieName::Session);
        // For copies of the cookies, and for what another window signs in meanwhile. Counted, because anybody can have a mark
        // written; whoever is over the limit is signed out as far as cookies go.
        if engine.browser.begin(engine.now(), visit.address).is_ok() {
            for secret in visit.cookies(engine, CookieName::Browser) {
                signed_out::mark(engine, SignedOut::Browser(secret)).await?;
            }
        }
        Ok(())
    }
}

/// Ends all sessions of a user, and every sign-in for a transaction that is under way. Gives how many sessions there were.
///
/// # Errors
/// When the store does not answer; then some may have ended.
pub(crate) async fn end_of_user(engine: &Engine, subject: &str) -> Result<usize, StoreError> {
    signed_out::mark(engine, SignedOut::User(subject)).await?;
    let list = list_of(engine, subject);
    let (mut ended, mut after) = (0, None);
    loop {
        let entries = engine.vault.scan(&list, ENTRY, after.as_ref(), PORTION).await?;
        for (name, _) in &entries {
            let Some(Ok(partition)) = name.as_str().strip_prefix(ENTRY).map(Partition::new) else { continue };
            // An entry without a session stays: it may be of one that begins at this moment.
            for (session, _) in engine.vault.scan(&partition, TokenKind::Session.record(), None, 2).await? {
                let _ = engine.vault.commit(&partition, Batch::new().delete(session)).await?;
                let _ = engine.vault.commit(&list, Batch::new().delete(name.clone())).await?;
                ended += 1;
            }
        }
        after = (entries.len() == PORTION).then(|| entries.last().map(|(name, _)| name.clone())).flatten();
        if after.is_none() {
            return Ok(ended);
        }
    }
}

fn tokens(engine: &Engine, visit: &Visit) -> Vec<TokenText> {
    let values = visit.cookies(engine, CookieName::Session);
    values.into_iter().filter_map(|value| TokenText::parse(TokenKind::Session, value)).collect()
}

async fn one(engine: &Engine, token: &TokenText) -> Result<Option<Session>, CannotTell> {
    let Some(found) = engine.vault.get_one(token.partition(), &token.name()).await? else { return Ok(None) };
    let record: SessionRecord = found.json()?;
    let clear = open_answer(token.expose(), token.partition(), &record.user)
        .ok_or(StoreError::corrupt("a session does not open with its cookie"))?;
    let mut user: User = serde_json::from_slice(&clear)
        .map_err(|_| StoreError::corrupt("a session has another shape than expected"))?;
    match engine.sign_in.resume(&user).await {
        Resumed::Keep => {}
        Resumed::Changed(now) if now.subject == user.subject => {
            // It is the same sign-in, whatever else has changed.
            user = User { authenticated_at: user.authenticated_at, ..now };
        }
        Resumed::Changed(_) | Resumed::Ended => {
            delete(engine, token).await?;
            return Ok(None);
        }
        Resumed::Unavailable => return Err(CannotTell),
    }
    touch(engine, token, &found, record).await;
    Ok(Some(Session { user, name: token.name().to_string() }))
}

/// Notes that it was used, not more often than it matters. Whether that succeeds decides nothing.
async fn touch(engine: &Engine, token: &TokenText, found: &Opened, record: SessionRecord) {
    let now = engine.now();
    if now.since(record.used_at) < engine.lifetimes.session_idle / 16 {
        return;
    }
    let record = SessionRecord { used_at: now, ..record };
    let batch = Batch::new().require(token.name(), found.revision());
    if let Ok(batch) = batch.put_json(token.name(), &record, Some(ends(engine, &record))) {
        let _ = engine.vault.commit(token.partition(), batch).await;
    }
}

fn ends(engine: &Engine, record: &SessionRecord) -> Timestamp {
    (record.used_at + engine.lifetimes.session_idle).min(record.created_at + engine.lifetimes.session)
}

/// `false` if there was none.
async fn delete(engine: &Engine, token: &TokenText) -> Result<bool, StoreError> {
    let name: Name = token.name();
    let Some(found) = engine.vault.get_one(token.partition(), &name).await? else { return Ok(false) };
    let batch = Batch::new().require(name.clone(), found.revision()).delete(name);
    let ended = engine.vault.commit(token.partition(), batch).await?.is_done();
    if !ended {
        // Somebody used it at this moment: once more, whatever it is now.
        let _ = engine.vault.commit(token.partition(), Batch::new().delete(token.name())).await?;
    }
    Ok(true)
}

fn list_of(engine: &Engine, subject: &str) -> Partition {
    let hash = engine.vault.keyed_name("sessions", &[subject.as_bytes()]);
    #[expect(clippy::expect_used, reason = "43 characters of base64url are a partition")]
    Partition::new(hash).expect("a digest is a partition")
}

fn entry(partition: &Partition) -> Name {
    #[expect(clippy::expect_used, reason = "a prefix and a partition of 22 characters are a name")]
    Name::new(format!("{ENTRY}{partition}")).expect("an entry is a name")
}

const ENTRY: &str = "session.";
const PORTION: usize = 200;
