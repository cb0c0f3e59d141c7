//! What happens in a user's browser, from `/authorize` to the redirect with a code.
//!
//! A request that was checked becomes a [`Transaction`](transaction::Transaction): one record in a fresh partition, which the grant inherits. Pages and
//! other servers carry its handle; it is worth nothing without the cookie of the browser that began it (attack PX28), and once
//! the user is known, without a second cookie that only the answer to the sign-in set. Every step is one conditional
//! commit, so that of two racing steps one happens, and the other sees what it did.

mod answered;
mod consent;
mod cookies;
mod device;
mod finish;
mod flow;
mod load;
mod pushed;
mod redirect;
mod remembered;
mod request;
mod session;
mod signed_out;
mod step;
#[cfg(test)]
mod tests;
mod trail;
mod transaction;
mod visit;

pub(crate) use consent::decide;
pub(crate) use device::{Entered, enter};
pub(crate) use flow::{CannotTell, Place, go_on, sign_in, stale, unavailable};
pub(crate) use load::{BrowserLimits, key as address_key};
pub(crate) use pushed::{PushedRequest, REQUEST_URI};
pub(crate) use redirect::see_other;
pub(crate) use remembered::forget as forget_consent;
pub(crate) use request::{Checked, Refusal, access, check};
pub(crate) use session::{Session, end_of_user as end_sessions};
pub(crate) use transaction::Begun;
pub(crate) use visit::Visit;
