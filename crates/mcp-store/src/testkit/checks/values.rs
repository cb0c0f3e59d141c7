//! What is put is what is read.

use mcp_core::random_bytes;

use super::*;
use crate::{MAX_OPERATIONS, MAX_VALUE};

pub(super) async fn a_record_comes_back_as_it_was_put(nodes: Nodes) -> Outcome {
    let (partition, name) = (Partition::random(), name("record")?);
    ensure!(get(nodes.one(), &partition, &name, NOW).await?.is_none(), "a record is there that nobody put");
    let all_bytes: Vec<u8> = (0..=255).cycle().take(700).collect();
    let largest = vec![0xff; MAX_VALUE];
    let ends =
        [None, Some(NOW + std::time::Duration::from_millis(1)), Some(Timestamp::from_millis((1 << 53) - 1))];
    let values = [&b""[..], b"\0", b"plain", b"\xff\xfe\r\n'\"\\%_", &all_bytes, &largest];
    // Revisions are random: enough of them to have all kinds, those over 2^63 too.
    for (round, value) in values.into_iter().cycle().take(60).enumerate() {
        let end = ends[round % ends.len()];
        let revision =
            done(nodes.one(), &partition, Batch::new().put(name.clone(), value.to_vec(), end), NOW).await?;
        for node in [nodes.one(), nodes.other()] {
            let found = get(node, &partition, &name, NOW).await?;
            let expected = Record::new(value.to_vec(), revision, end);
            ensure!(found.as_ref() == Some(&expected), "{expected:?} was put and {found:?} was read");
        }
    }
    Ok(())
}

pub(super) async fn a_put_replaces_all_of_a_record(nodes: Nodes) -> Outcome {
    let (partition, a, b) = (Partition::random(), name("a")?, name("b")?);
    let end = NOW + std::time::Duration::from_secs(5);
    let first =
        done(nodes.one(), &partition, Batch::new().put(a.clone(), "long value", Some(end)), NOW).await?;
    let second = done(nodes.other(), &partition, Batch::new().put(a.clone(), "x", None), NOW).await?;
    ensure!(first != second, "two commits have the same revision");
    let found = get(nodes.one(), &partition, &a, end).await?;
    ensure!(
        found == Some(Record::new("x", second, None)),
        "an end that was taken off is still there: {found:?}"
    );

    // What is not there can be deleted, and a delete goes with a put.
    done(
        nodes.one(),
        &partition,
        Batch::new().delete(a.clone()).delete(name("never")?).put(b.clone(), "y", None),
        NOW,
    )
    .await?;
    let found = nodes.other().get(&partition, &[b.clone(), a.clone(), b.clone()], NOW).await?;
    let values: Vec<_> =
        found.iter().map(|record| record.as_ref().map(|record| &record.value()[..])).collect();
    ensure!(values == [Some(&b"y"[..]), None, Some(b"y")], "a get in the order b, a, b gave {found:?}");
    ensure!(nodes.one().get(&partition, &[], NOW).await?.is_empty(), "a get of no names gave records");

    // A batch without operations only asks.
    done(nodes.one(), &partition, Batch::new(), NOW).await?;
    done(nodes.one(), &partition, Batch::new().require_absent(a.clone()), NOW).await?;
    refused(nodes.one(), &partition, Batch::new().require_absent(b.clone()), NOW, &[&b]).await
}

pub(super) async fn a_batch_may_be_large(nodes: Nodes) -> Outcome {
    let partition = Partition::random();
    let names =
        (0..MAX_OPERATIONS).map(|number| name(format!("r{number:03}"))).collect::<Result<Vec<_>, _>>()?;
    let block: [u8; 1024] = random_bytes();
    let value = |number: usize| {
        let mut value = block.repeat(MAX_VALUE / 1024);
        value[..8].copy_from_slice(&(number as u64).to_be_bytes());
        value
    };
    let batch = names
        .iter()
        .enumerate()
        .fold(Batch::new(), |batch, (number, name)| batch.put(name.clone(), value(number), None));
    let revision = done(nodes.one(), &partition, batch, NOW).await?;
    let found = nodes.other().get(&partition, &names, NOW).await?;
    ensure!(found.len() == names.len(), "a get of {} names gave {}", names.len(), found.len());
    for (number, record) in found.into_iter().enumerate() {
        ensure!(
            record == Some(Record::new(value(number), revision, None)),
            "record {number} is not as it was put"
        );
    }
    let some = names.iter().take(MAX_OPERATIONS / 2);
    let batch =
        some.fold(Batch::new(), |batch, name| batch.require(name.clone(), revision).delete(name.clone()));
    done(nodes.other(), &partition, batch, NOW).await?;
    let left = nodes.one().scan(&partition, "", None, 1000, NOW).await?.len();
    ensure!(left == MAX_OPERATIONS / 2, "{left} records are left of {MAX_OPERATIONS} when half are deleted");
    Ok(())
}

pub(super) async fn what_no_store_can_do_is_refused(nodes: Nodes) -> Outcome {
    let (partition, a) = (Partition::random(), name("a")?);
    let too_many =
        (0..MAX_OPERATIONS).map(|number| name(format!("r{number}"))).collect::<Result<Vec<_>, _>>()?;
    let too_many = too_many
        .into_iter()
        .fold(Batch::new().require_absent(a.clone()), |batch, name| batch.put(name, "x", None));
    let batches = [
        too_many,
        Batch::new().put(name("b")?, "x", None).put(a.clone(), vec![0; MAX_VALUE + 1], None),
        Batch::new().put(a.clone(), "x", None).delete(name("b")?).delete(a.clone()),
        Batch::new().put(a.clone(), "x", None).put(a.clone(), "x", None),
    ];
    for batch in batches {
        match nodes.one().commit(&partition, batch, NOW).await {
            Err(error) => {
                ensure!(!error.is_transient(), "a batch that no store can carry out is refused by `{error}`")
            }
            Ok(_) => return Err(Broken::new("a batch that no store can carry out was accepted")),
        }
        let left = nodes.one().scan(&partition, "", None, 1, NOW).await?;
        ensure!(left.is_empty(), "a batch that no store can carry out has written {left:?}");
    }
    Ok(())
}

pub(super) async fn what_was_written_is_there_after_a_restart(mut nodes: Nodes) -> Outcome {
    let (partition, a) = (Partition::random(), name("a")?);
    let revision = put(nodes.other(), &partition, &a, "x").await?;
    nodes.restart().await?;
    let found = get(nodes.one(), &partition, &a, NOW).await?;
    ensure!(found == Some(Record::new("x", revision, None)), "after a restart there is {found:?}");
    // Starting twice is no harm.
    nodes.one().start().await?;
    ensure!(
        get(nodes.one(), &partition, &a, NOW).await? == found,
        "a second start has changed what is stored"
    );
    Ok(())
}

pub(super) async fn servers_that_start_at_once_all_work(nodes: Nodes) -> Outcome {
    let partition = Partition::random();
    for node in 0..nodes.len() {
        put(&*nodes.pick(node), &partition, &name(format!("node{node}"))?, "x").await?;
    }
    for node in 0..nodes.len() {
        let found = nodes.pick(node).scan(&partition, "node", None, 100, NOW).await?.len();
        ensure!(
            found == nodes.len(),
            "one server sees {found} of {} records of as many servers",
            nodes.len()
        );
    }
    Ok(())
}
