//! A cluster. Its client follows moved slots, fails over and sends again by itself: so of a command that failed nothing is
//! known, whatever the last answer was.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, ErrorKind, ServerErrorKind, Value, from_redis_value};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use super::link::{Failure, Layout, describe};

pub(super) struct Nodes {
    client: ClusterClient,
    pub(super) timeout: Duration,
    connection: OnceCell<ClusterConnection>,
}

impl Nodes {
    pub(super) fn new(client: ClusterClient, timeout: Duration) -> Self {
        Self { client, timeout, connection: OnceCell::new() }
    }

    pub(super) async fn run(
        &self,
        command: &Cmd,
        slot: Option<u16>,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let connected =
            timeout_at(deadline, self.connection.get_or_try_init(|| self.client.get_async_connection()));
        let mut connection = match connected.await {
            Ok(Ok(connection)) => connection.clone(),
            Ok(Err(error)) => return Err(Failure::Unsent(describe(&error))),
            Err(_) => return Err(Failure::Unsent("no connection in time".to_owned())),
        };
        let route = slot.map(|slot| Route::new(slot, SlotAddr::Master));
        let answer = async {
            match route {
                Some(route) => {
                    let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
                    connection.route_command(command.clone(), routing).await
                }
                None => redis::aio::ConnectionLike::req_packed_command(&mut connection, command).await,
            }
        };
        match timeout_at(deadline, answer).await {
            Ok(Ok(value)) => match value.extract_error() {
                Ok(value) => Ok(value),
                Err(error) => Err(failure(&error)),
            },
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(Failure::Lost("no answer in time".to_owned())),
        }
    }

    /// The first slot of every node, by what `CLUSTER SLOTS` says.
    pub(super) async fn layout(&self) -> Result<Layout, Failure> {
        let mut command = Cmd::new();
        command.arg("CLUSTER").arg("SLOTS");
        let answer = self.run(&command, Some(0), Instant::now() + self.timeout).await?;
        let mut ranges: Vec<(u16, u16, String)> = Vec::new();
        let items = from_redis_value::<Vec<Vec<Value>>>(answer).map_err(|_| unreadable())?;
        for item in items {
            let mut fields = item.into_iter();
            let (Some(first), Some(last), Some(master)) = (fields.next(), fields.next(), fields.next())
            else {
                return Err(unreadable());
            };
            let master = from_redis_value::<Vec<Value>>(master).map_err(|_| unreadable())?;
            let id = master.into_iter().nth(2).ok_or_else(unreadable)?;
            ranges.push((number(first)?, number(last)?, from_redis_value(id).map_err(|_| unreadable())?));
        }
        ranges.sort();
        let print = digest(&SHA256, format!("{ranges:?}").as_bytes());
        let print = print.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut nodes: Vec<(String, u16)> = ranges.into_iter().map(|(first, _, id)| (id, first)).collect();
        nodes.sort();
        nodes.dedup_by(|later, kept| later.0 == kept.0);
        Ok(Layout { slots: nodes.into_iter().map(|(_, slot)| slot).collect(), print })
    }
}

fn number(value: Value) -> Result<u16, Failure> {
    from_redis_value(value).map_err(|_| unreadable())
}

fn unreadable() -> Failure {
    Failure::Lost("the answer to CLUSTER SLOTS cannot be read".to_owned())
}

/// The last of several tries may have been refused and the first not.
fn failure(error: &redis::RedisError) -> Failure {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) => Failure::UnknownScript,
        _ => Failure::Lost(describe(error)),
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
