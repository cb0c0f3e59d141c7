//! Killed under load, again and again: what was said holds, and nobody is signed out who did nothing wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_auth_testkit::Client;
use tokio::task::JoinSet;

use super::owner::Owner;
use super::process::Server;
use super::tokens::{Said, Tokens, redeem, refresh, works};

/// A client that refreshes without a pause. It holds the last tokens it was told.
struct Resident {
    held: Tokens,
    /// All access tokens it was told in this round.
    told: Vec<String>,
    /// Whether the server went away in the middle of its last refresh.
    unanswered: bool,
}

/// A code that was shown twice at once, and what came of it.
struct Newcomer {
    code: String,
    told: Vec<Tokens>,
    unanswered: bool,
}

// covers: RT08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_holds_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::on_sqlite(&folder.path().join("auth.db")).await;
    let owner = Owner::sign_in(&server.client).await;
    let mut residents = Vec::new();
    for _ in 0..RESIDENTS {
        let held = first_tokens(&server.client, &owner).await;
        residents.push(Resident { held, told: Vec::new(), unanswered: false });
    }
    let (mut refreshed, mut redeemed, mut cut) = (0, 0, 0);
    for round in 0..rounds() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut refreshing = JoinSet::new();
        for resident in residents.drain(..) {
            refreshing.spawn(keep_refreshing(server.client.clone(), owner.clone(), resident, stop.clone()));
        }
        let mut arriving = JoinSet::new();
        for _ in 0..ARRIVALS {
            arriving.spawn(keep_arriving(server.client.clone(), owner.clone(), stop.clone()));
        }
        // A different moment each round; which one does not matter.
        tokio::time::sleep(Duration::from_millis(300 + 97 * round % 400)).await;
        server.kill().await;
        stop.store(true, Ordering::SeqCst);
        residents = refreshing.join_all().await;
        let newcomers: Vec<Newcomer> = arriving.join_all().await.into_iter().flatten().collect();
        server.start_again().await;

        for resident in &mut residents {
            refreshed += resident.told.len();
            cut += usize::from(std::mem::take(&mut resident.unanswered));
            for token in resident.told.drain(..) {
                assert!(works(&server.client, &token).await, "round {round}: a token that was told is lost");
            }
            // Whether its last refresh happened or not, the same token is good for one more.
            match refresh(&server.client, owner.client_id(), &resident.held.refresh).await {
                Said::Tokens(tokens) => resident.held = tokens,
                other => panic!("round {round}: a client was signed out: {other:?}"),
            }
            assert!(works(&server.client, &resident.held.access).await);
        }
        for newcomer in newcomers {
            cut += usize::from(newcomer.unanswered);
            redeemed += newcomer.told.len();
            assert!(newcomer.told.len() <= 1, "round {round}: a code gave tokens twice");
            for tokens in &newcomer.told {
                assert!(works(&server.client, &tokens.access).await, "round {round}: a token is lost");
            }
            let again = redeem(&server.client, owner.client_id(), &newcomer.code).await;
            match again {
                Said::Tokens(tokens) => {
                    assert!(
                        newcomer.told.is_empty() && newcomer.unanswered,
                        "round {round}: a code came back"
                    );
                    assert!(works(&server.client, &tokens.access).await);
                }
                Said::Refused(error) => assert_eq!(error, "invalid_grant"),
                Said::Nothing => panic!("round {round}: no answer"),
            }
        }
    }
    // A test of load without load would pass, too.
    assert!(
        refreshed > 0 && redeemed > 0 && cut > 0,
        "{refreshed} refreshes, {redeemed} codes, {cut} cut off"
    );
}

async fn first_tokens(client: &Client, owner: &Owner) -> Tokens {
    let code = owner.code().await.unwrap();
    redeem(client, owner.client_id(), &code).await.tokens().unwrap()
}

async fn keep_refreshing(
    client: Client,
    owner: Owner,
    mut resident: Resident,
    stop: Arc<AtomicBool>,
) -> Resident {
    while !stop.load(Ordering::SeqCst) {
        match refresh(&client, owner.client_id(), &resident.held.refresh).await {
            Said::Tokens(tokens) => {
                resident.told.push(tokens.access.clone());
                resident.held = tokens;
            }
            Said::Refused(error) => panic!("a client was signed out: {error}"),
            Said::Nothing => {
                resident.unanswered = true;
                break;
            }
        }
    }
    resident
}

async fn keep_arriving(client: Client, owner: Owner, stop: Arc<AtomicBool>) -> Vec<Newcomer> {
    let mut newcomers = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let Ok(code) = owner.code().await else { break };
        let one = redeem(&client, owner.client_id(), &code);
        let other = redeem(&client, owner.client_id(), &code);
        let (one, other) = tokio::join!(one, other);
        let unanswered = matches!(one, Said::Nothing) || matches!(other, Said::Nothing);
        let told = [one, other].into_iter().filter_map(Said::tokens).collect();
        newcomers.push(Newcomer { code, told, unanswered });
    }
    newcomers
}

/// As many as there is time for: `MCP_LONG=1` asks for all of them.
#[expect(clippy::disallowed_methods, reason = "whoever starts the tests says how long they may take")]
fn rounds() -> u64 {
    if std::env::var("MCP_LONG").is_ok_and(|value| value == "1") { 100 } else { 10 }
}

/// Clients that refresh without a pause.
const RESIDENTS: usize = 8;
/// Clients that sign in, one after the other.
const ARRIVALS: usize = 4;
