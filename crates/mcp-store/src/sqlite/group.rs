//! Many commits in one transaction, and what each of them is told.

use std::slice;
use std::sync::Arc;

use rusqlite::Connection;

use super::apply::{self, Commit, Portion, Sweep};
use super::failure::Trouble;
use super::link::Link;
use super::schema;
use super::ticket::Ticket;
use super::writer::Job;
use crate::{Committed, StoreError};

/// Does the jobs and answers them. Gives about how many pages were written.
pub(super) fn write(link: &mut Link, jobs: &[Job]) -> usize {
    let mut begun: Vec<Begun> = jobs.iter().filter_map(Begun::from_job).collect();
    match attempt(link, &begun) {
        Ok(gave) => begun.iter().zip(gave).for_each(|(job, gave)| job.answer(gave)),
        // Nobody let us write. Alone, each would only wait as long once more.
        Err(Failure { stage: Stage::Begin, trouble }) => begun.iter().for_each(|job| job.fail(&trouble)),
        Err(failure) => {
            // One batch that does not fit the disk must not take the others along. And after a COMMIT that failed, the next
            // one that succeeds overwrites what may have reached the disk: only then is it certain what happened.
            for job in &mut begun {
                job.note(&failure);
                match attempt(link, slice::from_ref(job)) {
                    Ok(gave) => gave.into_iter().for_each(|gave| job.answer(gave)),
                    Err(failure) => {
                        job.note(&failure);
                        job.fail(&failure.trouble);
                    }
                }
            }
        }
    }
    begun.iter().map(Begun::pages).sum()
}

/// A job that was begun.
enum Begun {
    Commit {
        ticket: Arc<Ticket<Commit, Committed>>,
        commit: Commit,
        /// Whether an attempt failed in such a way that it may yet turn out to have happened.
        in_doubt: bool,
    },
    Sweep {
        ticket: Arc<Ticket<Sweep, Portion>>,
        sweep: Sweep,
    },
}

/// What a job gave.
enum Gave {
    Committed(Committed),
    Swept(Portion),
    /// Refused, perhaps because of what an attempt in doubt has written.
    Doubt,
}

/// Where a transaction failed, and how.
struct Failure {
    stage: Stage,
    trouble: Trouble,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Inside,
    Commit,
}

fn attempt(link: &mut Link, jobs: &[Begun]) -> Result<Vec<Gave>, Failure> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let connection = match link.get() {
        Ok(connection) => connection,
        Err(trouble) => {
            link.note(Some(&trouble));
            return Err(Failure { stage: Stage::Begin, trouble });
        }
    };
    let result = transact(connection, jobs);
    let trouble = result.as_ref().err().map(|failure| failure.trouble.clone());
    if let Some(trouble) = &trouble {
        // Most errors have rolled back already, and then this fails.
        let rolled_back = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        if !rolled_back || !trouble.spares_the_connection() {
            link.discard();
        }
    }
    link.note(trouble.as_ref());
    result
}

const BEGIN: &str = "begin a transaction";

fn transact(connection: &Connection, jobs: &[Begun]) -> Result<Vec<Gave>, Failure> {
    let run = |sql, stage, doing| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map_err(|error| Failure { stage, trouble: Trouble::new(doing, &error) })
    };
    run("BEGIN IMMEDIATE", Stage::Begin, BEGIN)?;
    let current = schema::is_current(connection).map_err(|error| Trouble::new(BEGIN, &error));
    let migrated = "a newer version has migrated it: update this server";
    current
        .and_then(|current| if current { Ok(()) } else { Err(Trouble::other(BEGIN, migrated)) })
        .map_err(|trouble| Failure { stage: Stage::Begin, trouble })?;
    let gave =
        jobs.iter().map(|job| job.act(connection)).collect::<rusqlite::Result<Vec<Gave>>>().map_err(
            |error| Failure { stage: Stage::Inside, trouble: Trouble::new("write records", &error) },
        )?;
    run("COMMIT", Stage::Commit, "commit")?;
    Ok(gave)
}

impl Begun {
    fn from_job(job: &Job) -> Option<Self> {
        Some(match job {
            Job::Commit(ticket) => {
                Self::Commit { commit: ticket.begin()?, ticket: Arc::clone(ticket), in_doubt: false }
            }
            Job::Sweep(ticket) => Self::Sweep { sweep: ticket.begin()?, ticket: Arc::clone(ticket) },
            #[cfg(test)]
            Job::Defect => panic!("a defect"),
        })
    }

    fn act(&self, connection: &Connection) -> rusqlite::Result<Gave> {
        let (commit, in_doubt) = match self {
            Self::Sweep { sweep, .. } => return apply::sweep(connection, *sweep).map(Gave::Swept),
            Self::Commit { commit, in_doubt, .. } => (commit, *in_doubt),
        };
        let was_done = if in_doubt { apply::was_done(connection, commit)? } else { Some(false) };
        if was_done == Some(true) {
            return Ok(Gave::Committed(Committed::Done(commit.batch.revision())));
        }
        match apply::commit(connection, commit)? {
            Committed::Refused(_) if was_done.is_none() => Ok(Gave::Doubt),
            committed => Ok(Gave::Committed(committed)),
        }
    }

    /// About how many pages of 4 KiB it writes: a record takes part of one, and its place in the index is anywhere.
    fn pages(&self) -> usize {
        match self {
            Self::Sweep { sweep, .. } => sweep.limit,
            Self::Commit { commit, .. } => commit.batch.operations().len() + commit.size / 2048,
        }
    }

    /// Remembers what a failed attempt may have left behind.
    fn note(&mut self, failure: &Failure) {
        if let Self::Commit { in_doubt, .. } = self {
            *in_doubt |= failure.stage == Stage::Commit && !failure.trouble.is_full();
        }
    }

    fn answer(&self, gave: Gave) {
        match (self, gave) {
            (Self::Commit { ticket, .. }, Gave::Committed(committed)) => ticket.answer(Ok(committed)),
            (Self::Sweep { ticket, .. }, Gave::Swept(portion)) => ticket.answer(Ok(portion)),
            (Self::Commit { ticket, .. }, _) => {
                ticket.answer(Err(StoreError::unknown("the disk failed and came back")));
            }
            (Self::Sweep { ticket, .. }, _) => {
                ticket.answer(Err(StoreError::unavailable("nothing was swept")))
            }
        }
    }

    fn fail(&self, trouble: &Trouble) {
        let trouble = trouble.clone();
        match self {
            Self::Commit { ticket, in_doubt: true, .. } => ticket.answer(Err(trouble.unknown())),
            Self::Commit { ticket, .. } => ticket.answer(Err(trouble.unavailable())),
            Self::Sweep { ticket, .. } => ticket.answer(Err(trouble.unavailable())),
        }
    }
}

#[cfg(test)]
mod tests;
