//! Set-ups that cannot work are refused with a sentence.

use std::time::Duration;

use mcp_outbound::{OutboundClient, OutboundClientBuilder};

fn check(builder: OutboundClientBuilder, says: &str) {
    let sentence = builder.build().unwrap_err().to_string();
    assert!(sentence.contains(says), "{sentence}");
}

// covers: PX25
#[test]
fn mistakes_are_sentences_at_start() {
    let new = OutboundClient::builder;
    check(new().dangerous().allow_addresses(["intranet"]), "write `10.20.0.0/16`");
    check(new().dangerous().allow_addresses(["10.20.3.4/16"]), "write `10.20.0.0/16`");
    check(new().dangerous().allow_addresses(["0.0.0.0/0"]), "name the blocks");
    check(new().dangerous().allow_addresses(["::/0"]), "name the blocks");
    check(new().refuse_addresses(["10.0.0.0/40"]), "is not a block");
    check(new().deadline(Duration::ZERO), "at least 1 s");
    check(new().connect_timeout(Duration::ZERO), "at least 1 s");
    check(new().max_concurrent(0), "at least 1");
    check(new().max_headers(0), "leave the default");
    check(new().max_header_bytes(0), "leave the default");
    check(new().with_root_certificate("hello"), "-----BEGIN CERTIFICATE-----");
    check(new().user_agent("line\nbreak"), "visible ASCII");
}
