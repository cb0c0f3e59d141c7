//! How many clients may come into being: from one address, and in all.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use mcp_core::limits::{Limits, Rate};
use mcp_store::{Batch, Committed, Name, Partition, StoreError};

use super::registration::Registration;
use crate::engine::Engine;

/// How many addresses are remembered.
const ADDRESSES: usize = 4096;
/// How often counting is tried while others count too.
const ATTEMPTS: usize = 16;
/// How many shares of the day a /48 has.
const SHARES_OF_SITE: u32 = 5;
const DAY: u64 = 24 * 3600;

/// Counts registrations.
#[derive(Debug)]
pub(crate) struct Quota {
    // Requests of a "principal", which here is an address.
    addresses: Limits,
    shares: Limits,
    /// Of a /48, which is 65,536 addresses in one hand.
    sites: Limits,
    per_day: u32,
}

/// Why there may be no more.
#[derive(Debug)]
pub(crate) enum Full {
    /// Not for so long.
    For(Duration),
    /// Nobody can tell.
    Store(StoreError),
}

impl Quota {
    pub(super) fn new(config: &Registration) -> Self {
        let limits = |rate| Limits::new().capacity(ADDRESSES).requests_per_principal(rate);
        let a_day = |count| limits(Rate::new(count, Duration::from_secs(DAY)));
        Self {
            addresses: limits(config.per_address),
            shares: a_day(config.share()),
            sites: a_day(config.share().saturating_mul(SHARES_OF_SITE)),
            per_day: config.per_day,
        }
    }

    /// Counts one registration, before it is written: a crash in between leaves a count that is too high, never a client that
    /// was not counted.
    pub(super) async fn take(&self, engine: &Engine, address: Option<IpAddr>) -> Result<(), Full> {
        let now = engine.now();
        let key = address.map_or_else(|| "unknown".to_owned(), |address| block(address).to_string());
        self.addresses.admit(now, &key).map_err(Full::For)?;
        // An address that is not known is everybody's: no share of it.
        if let Some(address) = address {
            self.shares.admit(now, &key).map_err(Full::For)?;
            if let Some(site) = site(address) {
                self.sites.admit(now, &site.to_string()).map_err(Full::For)?;
            }
        }
        self.count(engine).await
    }

    /// Counts one of the day.
    async fn count(&self, engine: &Engine) -> Result<(), Full> {
        let day = engine.now().as_secs() / DAY;
        let end = mcp_core::Timestamp::from_secs((day + 1) * DAY);
        let (partition, name) = place(day);
        for _ in 0..ATTEMPTS {
            let found = engine.vault.get_one(&partition, &name).await.map_err(Full::Store)?;
            let (count, batch) = match &found {
                None => (0, Batch::new().require_absent(name.clone())),
                Some(record) => (
                    record.json::<u32>().map_err(Full::Store)?,
                    Batch::new().require(name.clone(), record.revision()),
                ),
            };
            if count >= self.per_day {
                return Err(Full::For(end.since(engine.now())));
            }
            // An hour longer, for nodes whose clocks are behind.
            let batch = batch
                .put_json(name.clone(), &(count + 1), Some(end + Duration::from_secs(3600)))
                .map_err(Full::Store)?;
            if matches!(
                engine.vault.commit(&partition, batch).await.map_err(Full::Store)?,
                Committed::Done(_)
            ) {
                return Ok(());
            }
        }
        Err(Full::For(Duration::from_secs(1)))
    }
}

fn place(day: u64) -> (Partition, Name) {
    #[expect(clippy::expect_used, reason = "a word and a number are keys")]
    let place = (
        Partition::new("registrations").expect("a word is a partition"),
        Name::new(format!("day.{day}")).expect("a number is a name"),
    );
    place
}

/// What counts as one address: an IPv4 address, or the /64 that an IPv6 host has to itself.
pub(super) fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// The /48 of an IPv6 address: what a site is given.
fn site(address: IpAddr) -> Option<Ipv6Addr> {
    match address.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80)),
    }
}
