//! stub
#![allow(missing_docs, unreachable_pub, dead_code)]
use crate::Timestamp;
use std::{net::IpAddr, time::Duration};
#[derive(Clone, Debug, Default)]
pub struct Limits;
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies;
pub enum Verdict {
    Go,
    KnownBad(Duration),
    Suspicious(Duration),
}
impl Limits {
    pub fn is_alert(&self) -> bool {
        false
    }
    pub fn check(&self, _: Timestamp, _: Option<IpAddr>, _: &[u8; 32]) -> Verdict {
        Verdict::Go
    }
    pub fn failed(&self, _: Timestamp, _: Option<IpAddr>, _: &[u8; 32]) {}
    pub fn succeeded(&self, _: &[u8; 32]) {}
    pub fn admit(&self, _: Timestamp, _: &str) -> Result<(), Duration> {
        Ok(())
    }
}
impl TrustedProxies {
    pub fn client_address(&self, a: IpAddr, _: &http::HeaderMap) -> IpAddr {
        a
    }
}
