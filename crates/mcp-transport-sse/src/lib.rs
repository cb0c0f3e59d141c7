#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod answer;
mod envelope;
mod event;
mod limits;
mod line;
mod open;
mod queue;
mod registry;
mod service;
mod session;
mod stream;

pub use limits::SseLimits;
pub use service::SseService;
pub use session::{Incoming, Message, Outgoing, SendError, Session, SessionHandler};
