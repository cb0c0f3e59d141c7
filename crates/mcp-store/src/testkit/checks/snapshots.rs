//! Reads while others write.

use tokio::task::JoinSet;

use super::*;

pub(super) async fn a_read_is_one_moment(nodes: Nodes) -> Outcome {
    const RECORDS: usize = 12;
    let partition = Partition::random();
    let names = (0..RECORDS).map(|number| name(format!("r{number:02}"))).collect::<Result<Vec<_>, _>>()?;
    // Alike in every commit: all have the text of it, or none is there.
    let write = |text: String| {
        // Of different sizes, so that some take longer to write.
        names.iter().enumerate().fold(Batch::new(), move |batch, (number, name)| {
            batch.put(name.clone(), format!("{text}{}", " ".repeat(number * 50)), None)
        })
    };
    let erase = names.iter().fold(Batch::new(), |batch, name| batch.delete(name.clone()));
    done(nodes.one(), &partition, write("start".to_string()), NOW).await?;
    let running = Running::new();
    let mut writers = JoinSet::new();
    for writer in 0..3 {
        let (node, partition, watch) = (nodes.pick(writer), partition.clone(), running.watch());
        let batches: Vec<Batch> =
            (0..50).map(|round| write(format!("{writer}.{round}"))).chain([erase.clone()]).collect();
        writers.spawn(async move {
            for batch in batches.iter().cycle() {
                if !watch.is_running().await {
                    break;
                }
                settled(node.commit(&partition, batch.clone(), NOW).await)?;
            }
            Ok(())
        });
    }
    let mut readers = JoinSet::new();
    for reader in 0..4 {
        let (node, partition, names) = (nodes.pick(reader), partition.clone(), names.clone());
        readers.spawn(async move {
            for round in 0..rounds(100) {
                let records: Vec<Option<Record>> = if (round + reader) % 2 == 0 {
                    node.get(&partition, &names, NOW).await?
                } else {
                    let mut page = node
                        .scan(&partition, "r", None, 100, NOW)
                        .await?
                        .into_iter()
                        .map(|entry| entry.record);
                    let found = page.len();
                    ensure!(
                        found == 0 || found == RECORDS,
                        "a scan found {found} of {RECORDS} records that come together"
                    );
                    names.iter().map(|_| page.next()).collect()
                };
                let text = |record: &Option<Record>| {
                    record.as_ref().map(|record| record.value().trim_ascii_end().to_vec())
                };
                let first = text(&records[0]);
                let torn = records.iter().position(|record| text(record) != first);
                ensure!(
                    torn.is_none(),
                    "one read found two commits: {first:?} and {:?}",
                    torn.map(|at| text(&records[at]))
                );
            }
            Ok(())
        });
    }
    let read = join(readers).await;
    drop(running);
    join(writers).await?;
    read.map(|_| ())
}
