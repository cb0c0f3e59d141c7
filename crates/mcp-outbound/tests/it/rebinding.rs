//! Names whose addresses are forbidden, or turn forbidden. A real listener counts who got through.

use mcp_outbound::{HttpClient, OutboundClient};

use crate::support::{Script, Trap, get, refusal};

fn client(script: &Script) -> OutboundClient {
    OutboundClient::builder().resolver(script.clone()).build().unwrap()
}

/// The control: without it, a trap that nobody can reach at all would prove nothing.
#[tokio::test]
async fn the_trap_catches_a_client_that_may_go_there() {
    let trap = Trap::at("127.0.0.1:0").await;
    let script = Script::new(&[&["127.0.0.1"]]);
    let client = OutboundClient::builder()
        .resolver(script)
        .dangerous()
        .allow_addresses(["127.0.0.1"])
        .build()
        .unwrap();
    let url = format!("https://rebind.example.com:{}/", trap.port());
    let error = client.execute(get(&url)).await.unwrap_err();
    assert!(!error.is_blocked(), "{error:?}");
    assert_eq!(trap.visitors().await, 1);
}

// covers: CI06, AUTH-83, SEC-03, PX-14
#[tokio::test]
async fn no_name_leads_to_a_special_address() {
    let trap = Trap::at("127.0.0.1:0").await;
    for address in [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.254",
        "192.168.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "100.64.0.1",
        "100.100.100.200",
        "0.0.0.0",
        "198.18.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:a00:1::",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "2a00:1:2:3:0:5efe:a00:1",
    ] {
        let script = Script::new(&[&[address]]);
        let url = format!("https://attacker.example.com:{}/client.json", trap.port());
        let error = refusal(&client(&script), &url).await;
        assert!(error.to_string().starts_with("attacker.example.com: request refused: "), "{error}");
        assert_eq!(script.asked(), 1, "{address}");
    }
    assert_eq!(trap.visitors().await, 0);
}

// covers: CI06, AUTH-83
#[tokio::test]
async fn one_forbidden_address_among_many_refuses_all() {
    let trap = Trap::at("127.0.0.1:0").await;
    let mut many = vec!["8.8.8.8"; 500];
    many.push("127.0.0.1");
    for answer in [
        &["8.8.8.8", "127.0.0.1"][..],
        &["127.0.0.1", "8.8.8.8"],
        &["2606:4700:4700::1111", "::ffff:127.0.0.1"],
        &many,
    ] {
        let url = format!("https://mixed.example.com:{}/", trap.port());
        refusal(&client(&Script::new(&[answer])), &url).await;
    }
    assert_eq!(trap.visitors().await, 0);
}

// Only Linux answers on all of 127/8 without being asked to. 127.0.0.2 stands for the public address here, so that the
// test sends nothing to a real one.
// covers: AUTH-83, PX-14
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_second_answer_cannot_replace_the_one_that_was_checked() {
    let good = Trap::at("127.0.0.2:0").await;
    let trap = Trap::at(&format!("127.0.0.1:{}", good.port())).await;
    let script = Script::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let client = OutboundClient::builder()
        .resolver(script.clone())
        .dangerous()
        .allow_addresses(["127.0.0.2"])
        .build()
        .unwrap();
    let url = format!("https://rebind.example.com:{}/", good.port());

    let error = client.execute(get(&url)).await.unwrap_err();
    assert!(!error.is_blocked(), "went to the address that was checked: {error:?}");
    assert_eq!((script.asked(), good.visitors().await, trap.visitors().await), (1, 1, 0));

    refusal(&client, &url).await;
    assert_eq!((script.asked(), good.visitors().await, trap.visitors().await), (2, 1, 0));
}

#[tokio::test]
async fn a_name_without_addresses_is_no_connection() {
    let script = Script::new(&[&[]]);
    let error = client(&script).execute(get("https://empty.example.com/")).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(error.host(), Some("empty.example.com"));
}

// covers: PX25
#[tokio::test]
async fn an_opened_block_opens_no_other_by_name() {
    let trap = Trap::at("127.0.0.1:0").await;
    let client = OutboundClient::builder()
        .resolver(Script::new(&[&["10.20.0.1", "127.0.0.1"]]))
        .dangerous()
        .allow_addresses(["10.20.0.0/16"])
        .build()
        .unwrap();
    refusal(&client, &format!("https://idp.corp.example:{}/", trap.port())).await;
    assert_eq!(trap.visitors().await, 0);
}
