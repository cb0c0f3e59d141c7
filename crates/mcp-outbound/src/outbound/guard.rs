//! The resolver the connector sees: it only ever gets addresses that were judged.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolving};

use super::policy::AddressPolicy;
use super::resolve::Resolve;

/// Looks a name up once, judges the whole answer and hands on just that answer, so that no second look-up can bring
/// other addresses between check and connect (DNS rebinding).
pub(super) struct GuardedResolver {
    pub(super) policy: Arc<AddressPolicy>,
    pub(super) resolver: Arc<dyn Resolve>,
}

/// More would only prolong the attempts to connect.
const MAX_ADDRESSES: usize = 16;

impl reqwest::dns::Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        let resolver = Arc::clone(&self.resolver);
        Box::pin(async move {
            let host = name.as_str();
            let addresses = match policy.localhost(host) {
                Some(verdict) => verdict?,
                None => resolver.resolve(host).await?,
            };
            policy.judge_all(&addresses)?;
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            // Port 0 stands for the port of the URL.
            let sockets =
                addresses.into_iter().take(MAX_ADDRESSES).map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}
