//! One server: a connection that all share, made anew when it breaks.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::link::{Failure, answered, describe};

pub(super) struct Single {
    client: Client,
    pub(super) timeout: Duration,
    current: RwLock<Option<Numbered>>,
    connecting: Mutex<u64>,
}

/// A connection and which it is, so that whoever finds it broken does not throw its successor away.
#[derive(Clone)]
struct Numbered {
    number: u64,
    connection: MultiplexedConnection,
}

impl Single {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, current: RwLock::default(), connecting: Mutex::default() }
    }

    pub(super) async fn run(&self, command: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        let Ok(connected) = timeout_at(deadline, self.connect()).await else {
            return Err(Failure::Unsent("no connection in time".to_owned()));
        };
        let Numbered { number, mut connection } =
            connected.map_err(|error| Failure::Unsent(describe(&error)))?;
        let Ok(answer) = timeout_at(deadline, connection.send_packed_command(command)).await else {
            self.forget(number);
            return Err(Failure::Lost("no answer in time".to_owned()));
        };
        // An error inside an answer is one too.
        answer.and_then(Value::extract_error).map_err(|error| {
            let failure = answered(&error);
            // The server is not the one that decides any more: the name of the host may lead to another by now.
            let demoted = matches!(
                error.kind(),
                ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
            );
            if failure.is_none() || demoted {
                self.forget(number);
            }
            failure.unwrap_or_else(|| Failure::Lost(describe(&error)))
        })
    }

    async fn connect(&self) -> Result<Numbered, RedisError> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        // One connects, the others wait for it.
        let mut number = self.connecting.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        // The time is limited by whoever waits: their deadlines began earlier.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        *number += 1;
        let fresh = Numbered { number: *number, connection };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
        Ok(fresh)
    }

    fn current(&self) -> Option<Numbered> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self, number: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| current.number == number) {
            *current = None;
        }
    }
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
