#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod authority;
mod challenge;
mod client;
mod clock;
mod closed;
mod demo;
#[cfg(doctest)]
mod doc_tests;
mod dpop;
mod server;

pub use authority::{
    Algorithm, Behaviour, Endpoint, Hold, Recorded, TokenAuthority, TokenAuthorityBuilder, TokenBuilder,
};
pub use challenge::{Challenge, ChallengeError};
pub use client::{Answer, Client, Era, Event, Events, Mcp, RequestBuilder, Sse, SseBuilder};
pub use clock::FakeClock;
pub use closed::expect_closed;
pub use demo::Demo;
pub use dpop::{DpopKey, ProofBuilder};
pub use server::Server;
