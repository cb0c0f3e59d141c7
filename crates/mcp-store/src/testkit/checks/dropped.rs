//! Futures that are dropped half way.

use std::future::poll_fn;
use std::task::Poll;

use super::*;

/// Polls a future at most so often and drops it.
async fn polled<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => {
                // Whatever it waits for: again at once, or after others ran.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

pub(super) async fn a_dropped_commit_is_whole_or_nothing(nodes: Nodes) -> Outcome {
    let partition = Partition::random();
    let names = ["a", "b", "c", "d"].into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
    // What the last commit that was done has put; what dropped ones may put, at once or when they are through at last.
    let (mut expected, mut dropped) = (None, Vec::new());
    for round in 0..rounds(80) {
        let node = nodes.pick(round);
        let text = round.to_string();
        let batch =
            names.iter().fold(Batch::new(), |batch, name| batch.put(name.clone(), text.clone(), None));
        let ended = polled(node.commit(&partition, batch, NOW), round % 40).await;
        // Reads are dropped too: a connection that was left in the middle of an answer must not answer the next question.
        let _ = polled(node.get(&partition, &names, NOW), round % 7).await;
        let _ = polled(node.scan(&partition, "", None, 10, NOW), round % 5).await;

        // Written through the same server, and so behind whatever it may still be doing with the dropped one.
        let fence = name("fence")?;
        let revision = put(&*node, &partition, &fence, text.clone()).await?;
        let found = get(nodes.one(), &partition, &fence, NOW).await?;
        ensure!(
            found == Some(Record::new(text.clone(), revision, None)),
            "after a dropped commit there is {found:?}"
        );

        let records = nodes.pick(round + 1).get(&partition, &names, NOW).await?;
        let values: Vec<_> =
            records.iter().map(|record| record.as_ref().map(|record| record.value().clone())).collect();
        ensure!(
            values.iter().all(|value| *value == values[0]),
            "a dropped commit was done in part: {values:?}"
        );
        match ended {
            Some(Ok(Committed::Done(_))) => expected = Some(Bytes::from(text)),
            Some(Ok(Committed::Refused(_))) => {
                return Err(Broken::new("a commit that requires nothing was refused"));
            }
            Some(Err(error)) => return Err(error.into()),
            None => dropped.push(Some(Bytes::from(text))),
        }
        ensure!(
            values[0] == expected || dropped.contains(&values[0]),
            "{expected:?} was done last, and there is {values:?}"
        );
    }
    Ok(())
}
