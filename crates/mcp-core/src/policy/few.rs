//! Arrays that a peer makes as long as it likes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// How much a body may ask for, all its messages together: each counts once, or once for each resource it listens to.
/// Everything that counts costs the judge some work.
pub(super) const MAX_ITEMS: usize = 1000;

/// The elements of an array, of which a body may have [`MAX_ITEMS`]. More are counted and not kept: they would take many
/// times the room of their text.
pub(super) struct Few<T> {
    items: Vec<T>,
    too_many: bool,
}

impl<T> Few<T> {
    /// All of them; nothing if there are more than a body may have.
    pub(super) fn items(self) -> Option<Vec<T>> {
        (!self.too_many).then_some(self.items)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Few<T>, A::Error> {
                let mut items = Vec::new();
                while items.len() < MAX_ITEMS {
                    match array.next_element()? {
                        Some(item) => items.push(item),
                        None => return Ok(Few { items, too_many: false }),
                    }
                }
                let mut too_many = false;
                while array.next_element::<IgnoredAny>()?.is_some() {
                    too_many = true;
                }
                Ok(Few { items, too_many })
            }
        }

        from.deserialize_seq(Elements(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_no_more_of_an_array_than_is_judged() {
        let read = |count: usize| -> Few<u8> {
            serde_json::from_str(&format!("[{}]", vec!["0"; count].join(","))).unwrap()
        };
        for (count, kept, too_many) in
            [(0, 0, false), (1000, 1000, false), (1001, 1000, true), (90_000, 1000, true)]
        {
            let few = read(count);
            assert_eq!((few.items.len(), few.too_many), (kept, too_many), "{count}");
        }
        assert!(serde_json::from_str::<Few<u8>>("[0,]").is_err());
        assert!(serde_json::from_str::<Few<u8>>(&format!("[{}x]", "0,".repeat(2000))).is_err());
    }
}
