//! What the audit trail says of browsers.

use mcp_core::audit::{AuditEvent, Outcome};

use crate::engine::Engine;

use super::transaction::Transaction;
use super::visit::Visit;

/// An event of a transaction.
pub(super) fn event(
    engine: &Engine,
    kind: &'static str,
    outcome: Outcome,
    visit: &Visit,
    transaction: &Transaction,
) -> AuditEvent {
    let mut event = engine.event(kind, outcome).from_address(visit.address);
    event.client = Some(transaction.client.id.to_string());
    event.subject = transaction.user.as_ref().map(|user| user.subject.clone());
    event.issuer = Some(engine.issuer.to_string());
    event
}
