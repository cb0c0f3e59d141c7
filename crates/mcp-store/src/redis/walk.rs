//! Walks through all partitions: to list them, and to delete what has expired where nobody commits any more.
//!
//! `SCAN` gives every key that is there all the time, to whoever asks one process from the first cursor to the last. After
//! a restart or a failover its cursors mean nothing, and when slots move a key may have gone where the walk has already
//! been. So a cursor of ours says which process and which layout it is of, and a walk that meets another begins again.

use std::sync::{Mutex, PoisonError};

use mcp_core::Timestamp;
use redis::{Value, from_redis_value};

use super::keys::Keys;
use super::link::{Link, nonsense};
use super::script::{SWEEP, WALK};
use crate::{Cursor, Partition, PartitionPage, StoreError, Swept};

/// How far a walk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    layout: String,
    node: usize,
    process: String,
    /// Where the node goes on; `None` when all nodes are done.
    scan: Option<u64>,
    /// Found, and not given out because a page was full.
    left: Vec<Partition>,
}

impl Default for Place {
    fn default() -> Self {
        Self { layout: String::new(), node: 0, process: String::new(), scan: Some(0), left: Vec::new() }
    }
}

impl Place {
    fn is_over(&self) -> bool {
        self.scan.is_none() && self.left.is_empty()
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let mut word = || parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let (layout, node, process, scan) = (word()?, word()?, word()?, word()?);
        Some(Self {
            layout: layout.to_owned(),
            node: node.parse().ok()?,
            process: process.to_owned(),
            scan: if scan == "end" { None } else { Some(scan.parse().ok()?) },
            left: parts.map(Partition::new).collect::<Result<_, _>>().ok()?,
        })
    }

    fn write(&self) -> Cursor {
        let scan = self.scan.map_or("end".to_owned(), |scan| scan.to_string());
        let mut text = format!("{}/{}/{}/{scan}", self.layout, self.node, self.process);
        for partition in &self.left {
            text.push('/');
            text.push_str(partition.as_str());
        }
        Cursor::new(text)
    }

    /// One `SCAN`, unless something is left.
    async fn step(&mut self, link: &Link, keys: &Keys, count: usize) -> Result<(), StoreError> {
        if !self.left.is_empty() {
            return Ok(());
        }
        let layout = link.layout().await?;
        if self.layout != layout.print {
            *self = Self { layout: layout.print, ..Self::default() };
        }
        loop {
            let (Some(scan), Some(&slot)) = (self.scan, layout.slots.get(self.node)) else {
                self.scan = None;
                return Ok(());
            };
            let arguments = [scan.to_string().into_bytes(), keys.pattern().into(), count.to_string().into()];
            let answer = WALK.read_on(link, Some(slot), &[], &arguments).await?;
            let (process, next, found): (String, String, Vec<Value>) =
                from_redis_value(answer).map_err(|_| nonsense())?;
            if scan != 0 && self.process != process {
                *self = Self { layout: std::mem::take(&mut self.layout), ..Self::default() };
                continue;
            }
            let read = |key| keys.partition(&from_redis_value::<String>(key).ok()?);
            self.left = found.into_iter().filter_map(read).collect();
            let next = next.parse::<u64>().map_err(|_| nonsense())?;
            if next == 0 {
                self.node += 1;
            }
            let is_last = next == 0 && self.node >= layout.slots.len();
            self.scan = (!is_last).then_some(next);
            self.process = process;
            return Ok(());
        }
    }
}

/// How many keys one step looks at, and how many steps one call makes where it finds nothing: among the keys are those of
/// others, and of attempts.
const LOOK_AT: usize = 500;
const STEPS: usize = 10;

pub(super) async fn page(
    link: &Link,
    keys: &Keys,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<PartitionPage, StoreError> {
    let limit = limit.clamp(1, 1000);
    let mut place = match after {
        None => Place::default(),
        Some(cursor) => {
            Place::read(cursor.as_str()).ok_or(StoreError::invalid("a cursor that no Redis store made"))?
        }
    };
    for _ in 0..STEPS {
        place.step(link, keys, LOOK_AT).await?;
        if !place.left.is_empty() || place.is_over() {
            break;
        }
    }
    let partitions = place.left.drain(..place.left.len().min(limit)).collect();
    Ok(PartitionPage { partitions, next: (!place.is_over()).then(|| place.write()) })
}

/// Deletes what has expired in the partitions that come next. Partitions in use clean themselves, and whole partitions that
/// have ended go by themselves: what remains is little, so there is `more` only as long as something is found.
pub(super) async fn sweep(
    link: &Link,
    keys: &Keys,
    round: &Mutex<Place>,
    now: Timestamp,
    limit: usize,
) -> Result<Swept, StoreError> {
    let limit = limit.clamp(1, 1000);
    // Whoever comes meanwhile, or after an error, begins a round of its own.
    let mut place = std::mem::take(&mut *round.lock().unwrap_or_else(PoisonError::into_inner));
    let mut deleted = 0;
    for _ in 0..STEPS {
        place.step(link, keys, LOOK_AT).await?;
        while let Some(partition) = place.left.last() {
            let all = [keys.records(partition), keys.names(partition), keys.ends(partition)];
            let most = (limit - deleted).to_string();
            let arguments = [now.as_millis().to_string().into_bytes(), most.into()];
            let answer = SWEEP.read(link, &all, &arguments).await?;
            deleted += from_redis_value::<usize>(answer).map_err(|_| nonsense())?;
            if deleted >= limit {
                // This partition may have more.
                break;
            }
            place.left.pop();
        }
        if deleted > 0 || place.is_over() {
            break;
        }
    }
    let over = place.is_over();
    *round.lock().unwrap_or_else(PoisonError::into_inner) = if over { Place::default() } else { place };
    Ok(Swept { deleted, more: deleted > 0 && !over })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let left = vec![Partition::random(), Partition::new("a.b_c~d-e").unwrap()];
        let begun = Place { layout: "0".to_owned(), process: "ab12".to_owned(), ..Place::default() };
        for place in [
            begun.clone(),
            Place { scan: Some(u64::MAX), node: 2, left: left.clone(), ..begun.clone() },
            Place { scan: None, left, ..begun },
        ] {
            assert_eq!(Place::read(place.write().as_str()), Some(place));
        }
    }

    proptest! {
        #[test]
        fn foreign_cursors_are_read_or_refused(text in "[ -~]{0,60}") {
            if let Some(place) = Place::read(&text) {
                prop_assert_eq!(Place::read(place.write().as_str()), Some(place));
            }
        }
    }
}
