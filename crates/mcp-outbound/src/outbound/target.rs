//! From a request's URI to the URL that is connected to, or a refusal.

use std::net::IpAddr;

use http::Uri;
use url::{Host, Url};

use super::policy::{AddressPolicy, is_localhost};
use crate::OutboundError;

/// Parses with the WHATWG parser, which turns `0x7f.1`, `2130706433` and `127.1` into the address they mean, and hands
/// on the parsed form: what was checked is what is used. Literal addresses are judged here because no resolver is asked
/// about them.
pub(crate) fn check(uri: &Uri, policy: &AddressPolicy) -> Result<Url, OutboundError> {
    if uri.scheme().is_none() || uri.authority().is_none() {
        return Err(OutboundError::invalid_request("the URL is not absolute"));
    }
    let url = Url::parse(&uri.to_string())
        .map_err(|_| OutboundError::invalid_request("the URL cannot be parsed"))?;
    let Some(host) = url.host() else {
        return Err(OutboundError::invalid_request("the URL has no host"));
    };
    judge(&url, &host, policy).map_err(|error| error.with_host(host.to_string()))?;
    Ok(url)
}

fn judge(url: &Url, host: &Host<&str>, policy: &AddressPolicy) -> Result<(), OutboundError> {
    // Would be sent as Basic credentials that nobody meant to send.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OutboundError::invalid_request("the URL carries a user name"));
    }
    let here = match host {
        Host::Domain(name) => {
            if let Some(verdict) = policy.localhost(name) {
                verdict.map_err(OutboundError::blocked)?;
            }
            if name.ends_with('.') {
                return Err(OutboundError::blocked("the host name ends with a dot"));
            }
            is_localhost(name)
        }
        Host::Ipv4(address) => literal(IpAddr::V4(*address), policy)?,
        Host::Ipv6(address) => literal(IpAddr::V6(*address), policy)?,
    };
    match url.scheme() {
        "https" => Ok(()),
        // A name that merely resolves to loopback does not count: it may mean another host a moment later.
        "http" if here && policy.loopback => Ok(()),
        "http" => Err(OutboundError::blocked("plain http; only https is spoken")),
        _ => Err(OutboundError::blocked("the scheme is not https")),
    }
}

/// Whether a literal that may be reached is this machine.
fn literal(address: IpAddr, policy: &AddressPolicy) -> Result<bool, OutboundError> {
    policy.judge(address).map_err(OutboundError::blocked)?;
    Ok(address.to_canonical().is_loopback())
}
