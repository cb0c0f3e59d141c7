//! Every decision as a typed event: who, what, outcome, correlation id. Never a token.
//!
//! Events go to `tracing` (target `mcp::audit`) and to every sink that was added.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use mcp_core::audit::{Audit, AuditEvent, AuditSink, EventKind, Outcome};
//! use mcp_core::Timestamp;
//!
//! #[derive(Debug, Default)]
//! struct Memory(Mutex<Vec<String>>);
//!
//! impl AuditSink for Memory {
//!     fn record(&self, event: &AuditEvent) {
//!         self.0.lock().unwrap().push(event.kind.as_str().to_owned());
//!     }
//! }
//!
//! let memory = Arc::new(Memory::default());
//! let audit = Audit::default().to(memory.clone());
//! audit.record(AuditEvent::new(Timestamp::from_secs(1), EventKind::Authentication, Outcome::Allowed));
//! assert_eq!(*memory.0.lock().unwrap(), ["authentication"]);
//! ```
//!
//! A [`ChainSink`] writes them to a file that cannot be changed unnoticed; [`verify`] tells what happened to such a file.

pub mod chain;
mod event;

use std::fmt;
use std::sync::Arc;

pub use chain::{ChainConfig, ChainSink, Damage, Durability, Finding, VerifyReport, verify};
pub use event::{AuditEvent, EventKind, Outcome};

/// A place for events: a file, a queue, a database.
///
/// Called on the request's own task: a sink that waits hands the event to a thread of its own.
pub trait AuditSink: fmt::Debug + Send + Sync + 'static {
    /// Takes one event.
    fn record(&self, event: &AuditEvent);
}

/// Where events go. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    sinks: Arc<Vec<Arc<dyn AuditSink>>>,
}

impl Audit {
    /// Adds a sink.
    #[must_use]
    pub fn to(self, sink: Arc<dyn AuditSink>) -> Self {
        let mut sinks = Arc::unwrap_or_clone(self.sinks);
        sinks.push(sink);
        Self { sinks: Arc::new(sinks) }
    }

    /// Whether recording an event would reach anybody. Spares building events of allowed requests on the hot path.
    #[must_use]
    pub fn is_watched(&self, outcome: Outcome) -> bool {
        !self.sinks.is_empty()
            || match outcome {
                Outcome::Allowed => tracing::enabled!(target: "mcp::audit", tracing::Level::DEBUG),
                _ => tracing::enabled!(target: "mcp::audit", tracing::Level::INFO),
            }
    }

    /// Hands an event to `tracing` and to every sink.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is given away: it must not be changed afterwards"
    )]
    pub fn record(&self, event: AuditEvent) {
        event.trace();
        for sink in self.sinks.iter() {
            sink.record(&event);
        }
    }
}
