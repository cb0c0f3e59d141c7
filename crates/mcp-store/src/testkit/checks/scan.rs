//! Scans, page by page.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;

use super::*;
use crate::Entry;

async fn fill(store: &dyn Store, partition: &Partition, names: &[&str]) -> Outcome {
    for text in names {
        put(store, partition, &name(text)?, (*text).to_string()).await?;
    }
    Ok(())
}

fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

pub(super) async fn a_scan_is_in_order_of_bytes(nodes: Nodes) -> Outcome {
    let partition = Partition::random();
    // Neither the order of a language, nor that of numbers, nor of insertion.
    let mut names = [
        "b", "a", "B", "A", "10", "9", "_", "~", "-", ".", "a.b", "ab", "a-b", "a_b", "a~b", "aa", "Zz", "zz",
    ];
    fill(nodes.one(), &partition, &names).await?;
    fill(nodes.one(), &Partition::random(), &["other"]).await?;
    names.sort_unstable();
    let found = nodes.one().scan(&partition, "", None, 1000, NOW).await?;
    ensure!(texts(&found) == names, "the order is {:?} and should be {names:?}", texts(&found));
    for entry in &found {
        ensure!(entry.record.value() == entry.name.as_str(), "{:?} has the record of another", entry.name);
    }
    let none = nodes.one().scan(&Partition::random(), "", None, 1000, NOW).await?;
    ensure!(none.is_empty(), "an empty partition has {:?}", texts(&none));
    Ok(())
}

pub(super) async fn a_scan_keeps_to_its_prefix(nodes: Nodes) -> Outcome {
    let partition = Partition::random();
    let names =
        ["a", "a-", "a.", "a.x", "a0", "aX", "a_", "a_b", "ab", "a~", "a~~", "b", "A_", "~", "~~", "~~x"];
    fill(nodes.one(), &partition, &names).await?;
    // `_` and `.` are wildcards to some, `~` is the last character that there is.
    for prefix in ["", "a", "a_", "a.", "a~", "a~~", "~", "~~", "~~~", "A", "c", "a_b", "a_bc", "."] {
        let mut expected: Vec<_> = names.into_iter().filter(|text| text.starts_with(prefix)).collect();
        expected.sort_unstable();
        let found = nodes.one().scan(&partition, prefix, None, 1000, NOW).await?;
        ensure!(
            texts(&found) == expected,
            "under `{prefix}` there is {:?} and should be {expected:?}",
            texts(&found)
        );
    }
    Ok(())
}

pub(super) async fn pages_follow_each_other(nodes: Nodes) -> Outcome {
    let partition = Partition::random();
    let mut batch = ["a", "p", "p.", "q"]
        .into_iter()
        .try_fold(Batch::new(), |batch, text| name(text).map(|name| batch.put(name, "x", None)))?;
    for number in 0..100 {
        // Every other one has expired and takes no room on a page.
        let end = (number % 2 == 1).then_some(NOW);
        batch = batch.put(name(format!("p.{number:02}"))?, "x", end);
    }
    done(nodes.one(), &partition, batch, NOW - Duration::from_millis(1)).await?;
    let numbered = (0..100).step_by(2).map(|number| format!("p.{number:02}"));
    let expected: Vec<String> = std::iter::once("p.".to_string()).chain(numbered).collect();
    for limit in [1, 7, 50, 51, 52, 1000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = nodes.one().scan(&partition, "p.", after.as_ref(), limit, NOW).await?;
            ensure!(page.len() <= limit, "a page of at most {limit} has {} records", page.len());
            found.extend(page.iter().map(|entry| entry.name.to_string()));
            ensure!(found.len() <= expected.len(), "pages of {limit} give {found:?}");
            if page.len() < limit {
                break;
            }
            after = page.last().map(|entry| entry.name.clone());
        }
        ensure!(found == expected, "pages of {limit} give {found:?} and not {expected:?}");
    }
    // After a name that is not there, before the prefix, within it and beyond it.
    for (after, first) in [
        ("a", Some("p.")),
        ("p.", Some("p.00")),
        ("p.00", Some("p.02")),
        ("p.010", Some("p.02")),
        ("p.01", Some("p.02")),
        ("p.98", None),
        ("p.~", None),
        ("z", None),
        ("A", Some("p.")),
        ("p", Some("p.")),
    ] {
        let page = nodes.one().scan(&partition, "p.", Some(&name(after)?), 1, NOW).await?;
        ensure!(
            texts(&page).first().copied() == first,
            "after {after} comes {:?} and not {first:?}",
            texts(&page)
        );
    }
    Ok(())
}

pub(super) async fn pages_miss_nothing_that_stays(nodes: Nodes) -> Outcome {
    const STAYS: usize = 60;
    let partition = Partition::random();
    let mut batch = Batch::new();
    for number in 0..STAYS {
        batch = batch.put(name(format!("s{number:03}.stays"))?, "0", None);
    }
    done(nodes.one(), &partition, batch, NOW).await?;
    let running = Running::new();
    let mut writers = JoinSet::new();
    for writer in 0..3 {
        let (node, partition, watch) = (nodes.pick(writer), partition.clone(), running.watch());
        writers.spawn(async move {
            let mut round = 0;
            while watch.is_running().await {
                // Come and go among those that stay, and write those anew.
                let place = (round * 7 + writer * 13) % STAYS;
                let (stays, goes) =
                    (name(format!("s{place:03}.stays"))?, name(format!("s{place:03}.goes{writer}"))?);
                let batch = Batch::new().put(stays, round.to_string(), None).put(goes.clone(), "x", None);
                settled(node.commit(&partition, batch, NOW).await)?;
                settled(node.commit(&partition, Batch::new().delete(goes), NOW).await)?;
                round += 1;
            }
            Ok(())
        });
    }
    for round in 0..rounds(20) {
        let node = nodes.pick(round);
        let (mut seen, mut after) = (BTreeMap::<String, usize>::new(), None::<Name>);
        loop {
            let page = node.scan(&partition, "s", after.as_ref(), 1 + round % 9, NOW).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            for text in texts(&page).into_iter().filter(|text| text.ends_with(".stays")) {
                *seen.entry(text.to_string()).or_default() += 1;
            }
        }
        let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
        ensure!(twice.is_empty(), "on two pages: {twice:?}");
        ensure!(seen.len() == STAYS, "{} of {STAYS} records that stay were seen", seen.len());
    }
    drop(running);
    join(writers).await?;
    Ok(())
}
