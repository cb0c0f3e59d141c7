//! What a commit requires.

use super::*;

pub(super) async fn absent_holds_where_nothing_is(nodes: Nodes) -> Outcome {
    let (partition, a) = (Partition::random(), name("a")?);
    let create = || Batch::new().require_absent(a.clone()).put(a.clone(), "x", None);
    done(nodes.one(), &partition, create(), NOW).await?;
    refused(nodes.other(), &partition, create(), NOW, &[&a]).await?;
    // In another partition there is still nothing.
    done(nodes.other(), &Partition::random(), create(), NOW).await?;
    done(nodes.one(), &partition, Batch::new().delete(a.clone()), NOW).await?;
    done(nodes.other(), &partition, create(), NOW).await?;
    Ok(())
}

pub(super) async fn at_holds_for_one_revision(nodes: Nodes) -> Outcome {
    let (partition, a) = (Partition::random(), name("a")?);
    let at = |revision| Batch::new().require(a.clone(), revision).put(a.clone(), "same", None);
    refused(nodes.one(), &partition, at(Revision::random()), NOW, &[&a]).await?;
    let first = put(nodes.one(), &partition, &a, "same").await?;
    refused(nodes.one(), &partition, at(Revision::random()), NOW, &[&a]).await?;
    for near in [first.as_u64() ^ 1, first.as_u64() ^ (1 << 63), first.as_u64() ^ (1 << 11)] {
        refused(nodes.other(), &partition, at(Revision::from_u64(near)), NOW, &[&a]).await?;
    }
    let second = done(nodes.other(), &partition, at(first), NOW).await?;
    // The same value again, and yet another commit.
    refused(nodes.one(), &partition, at(first), NOW, &[&a]).await?;
    done(nodes.one(), &partition, Batch::new().delete(a.clone()), NOW).await?;
    refused(nodes.other(), &partition, at(second), NOW, &[&a]).await?;
    // Deleted and put again.
    put(nodes.one(), &partition, &a, "same").await?;
    for gone in [first, second] {
        refused(nodes.other(), &partition, at(gone), NOW, &[&a]).await?;
    }
    Ok(())
}

pub(super) async fn all_of_them_must_hold(nodes: Nodes) -> Outcome {
    let (partition, a, b, c) = (Partition::random(), name("a")?, name("b")?, name("c")?);
    let revision =
        done(nodes.one(), &partition, Batch::new().put(a.clone(), "a", None).put(b.clone(), "b", None), NOW)
            .await?;
    // One revision for all that a commit puts.
    let all =
        Batch::new().require(a.clone(), revision).require(b.clone(), revision).require_absent(c.clone());
    done(nodes.other(), &partition, all.put(c.clone(), "c", None), NOW).await?;
    // The name that fails stands first, last, and is not written at all.
    let put_a = || Batch::new().put(a.clone(), "no", None);
    refused(
        nodes.one(),
        &partition,
        put_a().require_absent(c.clone()).require(a.clone(), revision),
        NOW,
        &[&c],
    )
    .await?;
    refused(
        nodes.one(),
        &partition,
        put_a().require(a.clone(), revision).require_absent(c.clone()),
        NOW,
        &[&c],
    )
    .await?;
    // Two about one name that cannot both hold.
    refused(
        nodes.one(),
        &partition,
        put_a().require(a.clone(), revision).require_absent(a.clone()),
        NOW,
        &[&a],
    )
    .await?;
    refused(
        nodes.one(),
        &partition,
        put_a().require_absent(a.clone()).require(a.clone(), revision),
        NOW,
        &[&a],
    )
    .await?;
    // Preconditions are about what was there before the commit, whatever it does.
    let creates = Batch::new().require(name("d")?, revision).put(name("d")?, "d", None);
    refused(nodes.one(), &partition, creates, NOW, &[&name("d")?]).await?;
    let frees = Batch::new().delete(a.clone()).require_absent(a.clone());
    refused(nodes.one(), &partition, frees, NOW, &[&a]).await?;
    ensure!(value(nodes.one(), &partition, &a).await?.as_deref() == Some(b"a"), "a refused commit wrote");
    Ok(())
}

pub(super) async fn a_refused_commit_changes_nothing(nodes: Nodes) -> Outcome {
    let (partition, kept, gone, new) = (Partition::random(), name("kept")?, name("gone")?, name("new")?);
    let end = NOW + std::time::Duration::from_secs(9);
    let batch = Batch::new().put(kept.clone(), "kept", Some(end)).put(gone.clone(), "gone", None);
    done(nodes.one(), &partition, batch, NOW).await?;
    let before = nodes.one().scan(&partition, "", None, 10, NOW).await?;
    let batch = Batch::new()
        .put(kept.clone(), "changed", None)
        .delete(gone.clone())
        .put(new.clone(), "new", None)
        .require(kept.clone(), Revision::random());
    refused(nodes.other(), &partition, batch.clone(), NOW, &[&kept]).await?;
    refused(nodes.other(), &partition, batch.require_absent(gone.clone()), NOW, &[&kept, &gone]).await?;
    for node in [nodes.one(), nodes.other()] {
        let after = node.scan(&partition, "", None, 10, NOW).await?;
        ensure!(after == before, "before a refused commit there was {before:?}, after it {after:?}");
    }
    Ok(())
}
