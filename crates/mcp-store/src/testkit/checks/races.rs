//! Many at once.

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;

const RACERS: usize = 64;

/// All racers commit such a batch at the same time; how many got `Done`, and which revision that was.
async fn race(
    nodes: &Nodes,
    partition: &Partition,
    batch: impl Fn(usize) -> Batch,
) -> Result<Vec<(usize, Revision)>, Broken> {
    let start = Arc::new(Barrier::new(RACERS));
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (node, partition, batch, start) =
            (nodes.pick(racer), partition.clone(), batch(racer), start.clone());
        racers.spawn(async move {
            start.wait().await;
            Ok(match settled(node.commit(&partition, batch, NOW).await)? {
                Some(Committed::Done(revision)) => Some((racer, revision)),
                _ => None,
            })
        });
    }
    Ok(join(racers).await?.into_iter().flatten().collect())
}

pub(super) async fn one_racer_wins_each_revision(nodes: Nodes) -> Outcome {
    let (partition, code) = (Partition::random(), name("code")?);
    let mut revision = put(nodes.one(), &partition, &code, "start").await?;
    for round in 0..rounds(15) {
        // Each leaves a record of its own too, so that the loser's other writes would show.
        let winners = race(&nodes, &partition, |racer| {
            let batch =
                Batch::new().require(code.clone(), revision).put(code.clone(), racer.to_string(), None);
            match Name::new(format!("given.{round}.{racer}")) {
                Ok(given) => batch.put(given, "x", None),
                Err(_) => batch,
            }
        })
        .await?;
        let [(winner, next)] = winners[..] else {
            return Err(Broken::new(format!(
                "{} of {RACERS} racers got `Done` for one revision",
                winners.len()
            )));
        };
        let found = get(nodes.other(), &partition, &code, NOW).await?;
        ensure!(
            found == Some(Record::new(winner.to_string(), next, None)),
            "racer {winner} won with {next:?}, and there is {found:?}"
        );
        let given = nodes.one().scan(&partition, &format!("given.{round}."), None, 100, NOW).await?.len();
        ensure!(given == 1, "one racer won and {given} have written");
        revision = next;
    }
    // Taking away has one winner too.
    let taken =
        race(&nodes, &partition, |_| Batch::new().require(code.clone(), revision).delete(code.clone()))
            .await?;
    ensure!(taken.len() == 1, "{} racers took one record away", taken.len());
    Ok(())
}

pub(super) async fn one_racer_creates(nodes: Nodes) -> Outcome {
    for round in 0..rounds(15) {
        let (partition, lot) = (Partition::random(), name("lot")?);
        if round % 3 == 1 {
            // Over a record that has expired.
            done(nodes.one(), &partition, Batch::new().put(lot.clone(), "expired", Some(NOW)), NOW).await?;
        }
        let winners = race(&nodes, &partition, |racer| {
            Batch::new().require_absent(lot.clone()).put(lot.clone(), racer.to_string(), None)
        })
        .await?;
        let [(winner, revision)] = winners[..] else {
            return Err(Broken::new(format!("{} of {RACERS} racers created one record", winners.len())));
        };
        let found = get(nodes.other(), &partition, &lot, NOW).await?;
        let expected = Record::new(winner.to_string(), revision, None);
        ensure!(found.as_ref() == Some(&expected), "{expected:?} won, and there is {found:?}");
    }
    Ok(())
}

pub(super) async fn nothing_counted_is_lost(nodes: Nodes) -> Outcome {
    const COUNTERS: usize = 3;
    let each = rounds(12);
    let partition = Partition::random();
    let counters = ["a", "b", "c"].into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let mut counting = JoinSet::new();
    for task in 0..24 {
        let (node, partition, counter) =
            (nodes.pick(task), partition.clone(), counters[task % COUNTERS].clone());
        counting.spawn(async move {
            let mut left = each;
            while left > 0 {
                let found = get(&*node, &partition, &counter, NOW).await?;
                let count = match &found {
                    Some(record) => {
                        std::str::from_utf8(record.value()).ok().and_then(|text| text.parse().ok())
                    }
                    None => Some(0_usize),
                };
                let count = count.ok_or_else(|| Broken::new("a counter holds what nobody wrote"))?;
                let batch = match found {
                    Some(record) => Batch::new().require(counter.clone(), record.revision()),
                    None => Batch::new().require_absent(counter.clone()),
                };
                let batch = batch.put(counter.clone(), (count + 1).to_string(), None);
                if let Some(Committed::Done(_)) = settled(node.commit(&partition, batch, NOW).await)? {
                    left -= 1;
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        });
    }
    join(counting).await?;
    let expected = (24 / COUNTERS * each).to_string();
    for counter in &counters {
        let found = value(nodes.one(), &partition, counter).await?;
        ensure!(
            found.as_deref() == Some(expected.as_bytes()),
            "{expected} increments were done, and there is {found:?}"
        );
    }
    Ok(())
}

pub(super) async fn what_is_done_is_seen_everywhere(nodes: Nodes) -> Outcome {
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (node, other) = (nodes.pick(writer), nodes.pick(writer + 1));
        let (partition, a) = (Partition::random(), name("a")?);
        writers.spawn(async move {
            for round in 0..rounds(25) {
                let end = (round % 2 == 0).then_some(NOW + std::time::Duration::from_secs(60));
                let batch = Batch::new().put(a.clone(), round.to_string(), end);
                let revision = done(&*node, &partition, batch, NOW).await?;
                let found = get(&*other, &partition, &a, NOW).await?;
                let expected = Record::new(round.to_string(), revision, end);
                ensure!(
                    found.as_ref() == Some(&expected),
                    "{expected:?} was done, and another server reads {found:?}"
                );
                let page = other.scan(&partition, "", None, 10, NOW).await?;
                let [entry] = &page[..] else {
                    return Err(Broken::new(format!("another server scans {} records of one", page.len())));
                };
                ensure!(entry.record == expected, "another server scans {:?}", entry.record);
                if round % 5 == 4 {
                    done(&*node, &partition, Batch::new().delete(a.clone()), NOW).await?;
                    let found = get(&*other, &partition, &a, NOW).await?;
                    ensure!(found.is_none(), "what was deleted is read by another server: {found:?}");
                }
            }
            Ok(())
        });
    }
    join(writers).await?;
    Ok(())
}
