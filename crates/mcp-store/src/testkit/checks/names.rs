//! Which keys are the same.

use super::*;

pub(super) async fn keys_are_told_apart_byte_by_byte(nodes: Nodes) -> Outcome {
    // In pairs that some way of writing both in one text would mix up, or some collation.
    let keys = [
        ("a", "b.c"),
        ("a.b", "c"),
        ("a", "b~c"),
        ("a~b", "c"),
        ("a", "b-c"),
        ("a-b", "c"),
        ("a_b", "c"),
        ("a", "b_c"),
        ("ab", "c"),
        ("a", "bc"),
        ("a", "c"),
        ("A", "c"),
        ("a", "C"),
        ("1", "01"),
        ("1", "1"),
        ("1", "1.0"),
        ("01", "1"),
        ("null", "c"),
        ("a", "null"),
        ("a", "."),
        ("a", ".."),
        (".", "a"),
        ("..", "a"),
    ];
    let mut expected = Vec::new();
    for (number, (partition, record)) in keys.into_iter().enumerate() {
        let (partition, record) = (Partition::new(partition)?, name(record)?);
        // Nothing is there: a key that is taken for another would be refused here.
        let batch = Batch::new().require_absent(record.clone()).put(record.clone(), number.to_string(), None);
        done(nodes.one(), &partition, batch, NOW).await?;
        expected.push((partition, record, number.to_string()));
    }
    for (partition, record, expected) in &expected {
        let found = value(nodes.one(), partition, record).await?;
        ensure!(
            found.as_deref() == Some(expected.as_bytes()),
            "{partition:?} {record:?} was taken for another key"
        );
    }
    let (partition, record, _) = &expected[0];
    done(nodes.one(), partition, Batch::new().delete(record.clone()), NOW).await?;
    for (partition, record, _) in &expected[1..] {
        ensure!(
            value(nodes.one(), partition, record).await?.is_some(),
            "{record:?} was deleted with another key"
        );
    }
    Ok(())
}

pub(super) async fn all_keys_are_taken(nodes: Nodes) -> Outcome {
    let letters = "AZaz09._~-";
    let partitions = [letters.to_string(), "~".repeat(Partition::MAX), "-".to_string(), ".".to_string()];
    let names =
        [letters.to_string(), "z".repeat(Name::MAX), "_".repeat(Name::MAX), "-".to_string(), "~".to_string()];
    for partition in &partitions {
        let partition = Partition::new(partition)?;
        for record in &names {
            put(nodes.one(), &partition, &name(record)?, record.clone()).await?;
        }
        for record in &names {
            let found = value(nodes.one(), &partition, &name(record)?).await?;
            ensure!(found.as_deref() == Some(record.as_bytes()), "{partition:?} {record} is not there");
        }
        let found = nodes.one().scan(&partition, "", None, 1000, NOW).await?.len();
        ensure!(found == names.len(), "{found} of {} records are in {partition:?}", names.len());
    }
    Ok(())
}
