//! Connections, and what is known when a statement fails.

use std::error::Error;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use mcp_core::ConfigError;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::setup::Setup;
use super::tls;
use crate::StoreError;

pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Why there is no answer, and what that says about the statement.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not sent.
    Unsent(String),
    /// It was perhaps sent, and perhaps carried out, or will be.
    Lost(String),
    /// The server answered that it did not do it.
    Refused(String),
}

impl Failure {
    pub(super) fn text(self) -> String {
        match self {
            Self::Unsent(text) | Self::Lost(text) | Self::Refused(text) => text,
        }
    }
}

/// What it means for whoever may ask again.
impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::unavailable(failure.text())
    }
}

/// The connections of one store, made when they are first needed.
#[derive(Default)]
pub(super) struct Connections {
    pool: OnceCell<Pool>,
}

impl Connections {
    /// Runs a statement once; the answer comes before `deadline`, or a failure.
    pub(super) async fn run(
        &self,
        setup: &Setup,
        statement: &str,
        parameters: Parameters<'_>,
        deadline: Instant,
    ) -> Result<Vec<Row>, Failure> {
        let connection = match timeout_at(deadline, self.get(setup)).await {
            Ok(connection) => connection.map_err(Failure::Unsent)?,
            Err(_) => return Err(Failure::Unsent("no connection in time".to_owned())),
        };
        let prepared = match timeout_at(deadline, connection.prepare_cached(statement)).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => {
                self.discard(connection, &error);
                return Err(Failure::Unsent(describe(&error)));
            }
            Err(_) => return Err(Failure::Unsent(self.give_up(connection))),
        };
        match timeout_at(deadline, connection.query(&prepared, parameters)).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                let lost = is_lost(&error);
                self.discard(connection, &error);
                let text = describe(&error);
                Err(if lost { Failure::Lost(text) } else { Failure::Refused(text) })
            }
            Err(_) => Err(Failure::Lost(self.give_up(connection))),
        }
    }

    /// Runs a statement that may run twice, and again if the connection breaks: it may have been closed by the other side
    /// since it was last used.
    pub(super) async fn read(
        &self,
        setup: &Setup,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let deadline = Instant::now() + setup.timeout;
        let answer = match self.run(setup, statement, parameters, deadline).await {
            Err(Failure::Lost(_) | Failure::Unsent(_)) if Instant::now() < deadline => {
                self.run(setup, statement, parameters, deadline).await
            }
            answer => answer,
        };
        Ok(answer?)
    }

    /// A connection, to do more with than one statement.
    pub(super) async fn get(&self, setup: &Setup) -> Result<Object, String> {
        let pool =
            self.pool.get_or_try_init(async || make(setup)).await.map_err(|error| error.to_string())?;
        pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => describe(&error),
            PoolError::Timeout(_) => "no connection is free".to_owned(),
            PoolError::PostCreateHook(HookError::Backend(error)) => describe(&error),
            _ => "the connections are closed".to_owned(),
        })
    }

    /// Throws a connection away on which nothing is answered: the answer may still come, and nobody shall wait behind it.
    fn give_up(&self, connection: Object) -> String {
        drop(Object::take(connection));
        self.forget_idle();
        "no answer in time".to_owned()
    }

    /// Keeps a connection only if the server still uses it and still takes writes.
    fn discard(&self, connection: Object, error: &tokio_postgres::Error) {
        let is_standby = error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION);
        if is_lost(error) || is_standby || connection.is_closed() {
            drop(Object::take(connection));
            self.forget_idle();
        }
    }

    /// Where one connection is dead, those that lie idle most likely are too.
    fn forget_idle(&self) {
        if let Some(pool) = self.pool.get() {
            pool.retain(|_, _| false);
        }
    }
}

fn make(setup: &Setup) -> Result<Pool, ConfigError> {
    let connector = tls::connector(setup.root.as_deref(), setup.config.get_ssl_mode())?;
    let mut config = setup.config.clone();
    config.connect_timeout(setup.timeout);
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, connector, manager);
    let session = session(setup.timeout);
    let prepare = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
        let session = session.clone();
        Box::pin(async move { client.batch_execute(&session).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(setup.connections)
        .runtime(Runtime::Tokio1)
        .post_create(prepare)
        .build()
        .map_err(|_| ConfigError::new("the connections to PostgreSQL cannot be set up"))
}

/// A statement whose sender has given up must end by itself, or it would hold its locks.
fn session(timeout: Duration) -> String {
    let limit = timeout.as_millis();
    format!(
        "SET statement_timeout = {limit}; SET lock_timeout = {limit}; SET client_connection_check_interval = 1000; \
         SET default_transaction_isolation = 'read committed'; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
}

/// Whether the server's words, if there are any, leave open what became of the statement.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        None => true,
        // It is shutting down, or crashed beside us, or does not know itself.
        Some(code) => {
            *code == SqlState::ADMIN_SHUTDOWN
                || *code == SqlState::CRASH_SHUTDOWN
                || *code == SqlState::CANNOT_CONNECT_NOW
                || *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
                || code.code().starts_with("08")
        }
    }
}

/// The server's code and message, but no details: they may repeat what is stored.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("PostgreSQL answers {}: {}", error.code().code(), error.message());
    }
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}
