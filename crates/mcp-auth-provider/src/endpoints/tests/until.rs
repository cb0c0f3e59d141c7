//! Pages that take too long.

use std::future::{pending, ready};

use tokio::time::Instant;

use crate::browser::CannotTell;
use crate::endpoints::{PATIENCE, PATIENCE_OF_PAGES, until};

// A visit must end by itself before it is ended from outside, where nobody knows its cookies.
const _: () = assert!(PATIENCE_OF_PAGES.as_secs() < PATIENCE.as_secs());

#[tokio::test]
async fn what_is_not_there_in_time_cannot_be_told() {
    let past = Instant::now();
    assert!(until(past, pending::<Result<(), CannotTell>>()).await.is_err());
    assert!(until(past, ready(Ok::<_, CannotTell>(()))).await.is_ok());
}
