//! Connections that are lost.

use std::time::Duration;

use super::*;

pub(super) async fn a_lost_connection_is_told(nodes: Nodes) -> Outcome {
    let (partition, a) = (Partition::random(), name("a")?);
    if !nodes.database().disconnect().await {
        return Ok(());
    }
    let mut last = None;
    for round in 0..rounds(30) {
        let node = nodes.pick(round);
        let batch = Batch::new().put(a.clone(), round.to_string(), None);
        let (committing, batch_of_it, place) = (node.clone(), batch.clone(), partition.clone());
        let commit = tokio::spawn(async move { committing.commit(&place, batch_of_it, NOW).await });
        nodes.database().disconnect().await;
        let tried = commit.await?;
        let revision = recovered(&*node, &partition, &a).await?.map(|record| record.revision());
        let was_done = revision == Some(batch.revision());
        match tried {
            Ok(Committed::Done(_)) => {
                ensure!(was_done, "a commit that was done is not there after a lost connection")
            }
            Ok(Committed::Refused(_)) => {
                return Err(Broken::new("a commit that requires nothing was refused"));
            }
            Err(error) if error.is_unknown() => {
                ensure!(
                    was_done || revision == last,
                    "after a lost answer there is {revision:?} of long ago"
                );
            }
            Err(error) => {
                ensure!(error.is_transient(), "a lost connection is told as `{error}`");
                ensure!(!was_done, "a commit happened of which the error said that it did not: `{error}`");
                ensure!(revision == last, "what was there is not there after a lost connection");
            }
        }
        last = revision;
    }
    Ok(())
}

/// What is there, as soon as the store can say it again: by itself, and soon.
async fn recovered(node: &dyn Store, partition: &Partition, name: &Name) -> Result<Option<Record>, Broken> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match node.get(partition, std::slice::from_ref(name), NOW).await {
            Ok(mut found) => return Ok(found.pop().flatten()),
            Err(error) => last = Some(error),
        }
        // The network is real, and so is the time that it needs.
        tokio::time::sleep(PAUSE).await;
    }
    Err(Broken::new(format!("ten seconds after a lost connection the store says {last:?}")))
}

const ATTEMPTS: usize = 500;
const PAUSE: Duration = Duration::from_millis(20);
