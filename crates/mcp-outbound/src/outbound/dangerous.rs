//! The door to settings that weaken the guard.

use super::builder::OutboundClientBuilder;
use super::cidr::Cidr;

/// Settings that let requests go where an attacker may want them to go; made by [`OutboundClientBuilder::dangerous`].
#[derive(Debug)]
#[must_use]
pub struct Dangerous {
    builder: OutboundClientBuilder,
}

impl Dangerous {
    pub(super) fn new(builder: OutboundClientBuilder) -> Self {
        Self { builder }
    }

    /// Lets requests reach this machine: `127.0.0.0/8`, `::1` and `localhost`, over https and plain http. For tests
    /// and development: whoever chooses a URL reaches every service that listens on loopback.
    pub fn allow_loopback(mut self) -> OutboundClientBuilder {
        self.builder.policy.loopback = true;
        self.builder
    }

    /// Lets requests reach these blocks (`10.20.0.0/16`, `fd12:3456::/32`, single addresses) by https, for an issuer on
    /// your own network. Everything else stays refused, and so do cloud metadata addresses inside a block.
    ///
    /// Whoever chooses a URL reaches every https service in them, so name as little as possible.
    pub fn allow_addresses<S: AsRef<str>>(
        mut self,
        blocks: impl IntoIterator<Item = S>,
    ) -> OutboundClientBuilder {
        for block in blocks {
            match Cidr::parse(block.as_ref()) {
                Ok(block) => self.builder.policy.allowed.push(block),
                Err(mistake) => self.builder.mistakes.push(mistake),
            }
        }
        self.builder
    }
}
