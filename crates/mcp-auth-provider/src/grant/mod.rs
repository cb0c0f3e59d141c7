//! Grants: what a user allowed a client, the tokens that come of it, and its end.
//!
//! Every step checks all there is to check first and then commits the taking and the giving together, so that a failed check
//! burns nothing and of any number of racers one wins.

mod answer;
mod begin;
mod check;
mod client_credentials;
mod device;
mod end;
mod exchange;
mod facts;
mod id_jag;
mod index;
mod key;
mod list;
mod mint;
mod record;
mod redeem;
mod refresh;
mod revoke;
pub(crate) mod subject;
mod target;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod tests_of_clients;
#[cfg(test)]
mod tests_of_device;
#[cfg(test)]
mod tests_of_ends;
#[cfg(test)]
mod tests_of_exchange;
#[cfg(test)]
mod tests_of_id_jag;
#[cfg(test)]
mod tests_of_outages;

pub(crate) use answer::TokenAnswer;
pub(crate) use begin::{Allowed, ConsentGranted, NewGrant, begin, begin_for_device};
pub(crate) use check::{Known, KnownTokens, TokenPlace, look_up, place_of, still_good};
pub(crate) use client_credentials::client_credentials;
pub(crate) use device::{DeviceRecord, INTERVAL, poll};
pub(crate) use end::{end, end_of_client, end_of_user, one};
pub(crate) use exchange::exchange;
pub(crate) use facts::{TokenFacts, facts};
pub(crate) use id_jag::{id_jag, is_profile_known};
pub(crate) use key::{open_answer, seal_answer};
#[cfg(test)]
pub(crate) use list::mark_ended;
pub(crate) use list::{Remains, page_of_client, page_of_user, tidy};
pub(crate) use record::{Answered, answered_name};
pub(crate) use redeem::{commit, redeem};
pub(crate) use refresh::refresh;
pub(crate) use revoke::{Revoked, revoke};
