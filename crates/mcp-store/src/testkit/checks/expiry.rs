//! When records end.

use std::time::Duration;

use super::*;

pub(super) async fn a_record_ends_at_its_millisecond(nodes: Nodes) -> Outcome {
    let (a, b) = (name("a")?, name("b")?);
    for round in 0..10 {
        let partition = Partition::random();
        let end = NOW + Duration::from_millis(1000 + round);
        let (last, node, other) = (end - Duration::from_millis(1), nodes.one(), nodes.other());
        let batch = Batch::new().put(a.clone(), "a", Some(end)).put(b.clone(), "b", None);
        let revision = done(node, &partition, batch, NOW).await?;
        let at = || Batch::new().require(a.clone(), revision);
        let absent = || Batch::new().require_absent(a.clone());

        done(other, &partition, at(), last).await?;
        refused(other, &partition, absent(), last, &[&a]).await?;
        ensure!(get(other, &partition, &a, last).await?.is_some(), "a record ended before its time");
        let found = other.scan(&partition, "", None, 10, last).await?.len();
        ensure!(found == 2, "a scan gave {found} of 2 records in the last millisecond of one");

        for now in [end, end + Duration::from_millis(1), end + Duration::from_secs(86_400 * 365)] {
            ensure!(get(node, &partition, &a, now).await?.is_none(), "a get found a record that has expired");
            let found = node.scan(&partition, "", None, 1, now).await?;
            let names: Vec<_> = found.iter().map(|entry| &entry.name).collect();
            ensure!(
                names == [&b],
                "a scan for one record skips what has expired and finds the next, not {names:?}"
            );
            refused(node, &partition, at(), now, &[&a]).await?;
            done(node, &partition, absent(), now).await?;
        }
        // In its place there is room for another, whose revision alone counts.
        let next = done(other, &partition, absent().put(a.clone(), "next", None), end).await?;
        refused(node, &partition, at(), end, &[&a]).await?;
        let found = get(node, &partition, &a, end + Duration::from_secs(60)).await?;
        ensure!(
            found == Some(Record::new("next", next, None)),
            "in the place of an expired record there is {found:?}"
        );
    }
    // What has ended when it is put is never there.
    let partition = Partition::random();
    for end in [NOW, NOW - Duration::from_millis(1), Timestamp::default()] {
        put(nodes.one(), &partition, &a, "before").await?;
        done(nodes.one(), &partition, Batch::new().put(a.clone(), "never", Some(end)), NOW).await?;
        let found = get(nodes.other(), &partition, &a, NOW).await?;
        ensure!(found.is_none(), "a record that had ended when it was put is there: {found:?}");
        done(nodes.other(), &partition, Batch::new().require_absent(a.clone()), NOW).await?;
    }
    Ok(())
}

pub(super) async fn the_callers_clock_decides(nodes: Nodes) -> Outcome {
    let a = name("a")?;
    // Far before and far after whatever the database's own clock shows.
    for now in [
        Timestamp::from_secs(86_400),
        Timestamp::from_secs(1_000_000_000),
        Timestamp::from_secs(4_000_000_000),
    ] {
        let partition = Partition::random();
        let end = now + Duration::from_secs(30);
        done(nodes.one(), &partition, Batch::new().put(a.clone(), "x", Some(end)), now).await?;
        nodes.one().sweep(now, 1000).await?;
        // A database that deletes by itself does so behind the caller's back, perhaps on the next access.
        for _ in 0..3 {
            let found = get(nodes.other(), &partition, &a, end - Duration::from_millis(1)).await?;
            ensure!(found.is_some(), "at {now:?} a record with 30 seconds to live was not there");
        }
        ensure!(
            get(nodes.other(), &partition, &a, end).await?.is_none(),
            "at {end:?} a record that had expired was there"
        );
    }
    Ok(())
}
