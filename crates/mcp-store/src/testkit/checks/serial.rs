//! Commits that each require what the other writes. Databases that lock only the rows which are written let both through.

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;

pub(super) async fn preconditions_on_other_names_are_one_step_with_writes(nodes: Nodes) -> Outcome {
    for round in 0..rounds(60) {
        let (partition, a, b) = (Partition::random(), name("a")?, name("b")?);
        // Records that are there, records that are not, and one of each.
        let there = match round % 3 {
            0 => vec![],
            1 => vec![&a],
            _ => vec![&a, &b],
        };
        let batch = there.iter().fold(Batch::new(), |batch, name| batch.put((*name).clone(), "before", None));
        let revision = done(nodes.one(), &partition, batch, NOW).await?;
        let require = |batch: Batch, name: &Name| match there.contains(&name) {
            true => batch.require(name.clone(), revision),
            false => batch.require_absent(name.clone()),
        };
        let start = Arc::new(Barrier::new(2));
        let mut racers = JoinSet::new();
        for (racer, (required, written)) in [(&a, &b), (&b, &a)].into_iter().enumerate() {
            let batch = require(Batch::new(), required).put(written.clone(), "after", None);
            let (node, partition, start) = (nodes.pick(round + racer), partition.clone(), start.clone());
            racers.spawn(async move {
                start.wait().await;
                Ok(settled(node.commit(&partition, batch, NOW).await)?
                    .is_some_and(|committed| committed.is_done()))
            });
        }
        let winners = join(racers).await?.into_iter().filter(|done| *done).count();
        ensure!(
            winners <= 1,
            "two commits were done of which each required that the other had not been, in round {round}"
        );
        ensure!(
            winners == 1,
            "of two commits both were refused, though nothing stood in the way of the first, in round {round}"
        );
    }
    Ok(())
}
