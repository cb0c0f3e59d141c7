//! Two copies on one store are one server.

use std::path::Path;
use std::time::Duration;

use mcp_auth_testkit::Client;
use mcp_store::testkit::servers::{PostgresServer, RedisServer};
use tokio::task::JoinSet;

use super::owner::Owner;
use super::process::Server;
use super::tokens::{Said, Tokens, redeem, refresh, revoke, works};

/// How many requests come at once, half of them to each.
const AT_ONCE: usize = 64;

// covers: AC01, RT08, RV05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_sqlite_file() {
    let folder = tempfile::tempdir().unwrap();
    let settings = vec![("MCP_DATA", folder.path().join("auth.db").display().to_string())];
    race(settings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_redis() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    race(vec![("STORE", redis.url()), ("MCP_ROOT_KEY_FILE", key_file(folder.path()))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_postgres() {
    let Some(postgres) = PostgresServer::start(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    race(vec![("STORE", postgres.database()), ("MCP_ROOT_KEY_FILE", key_file(folder.path()))]).await;
}

/// Everything that must happen once happens once, whichever of the two is asked.
async fn race(settings: Vec<(&'static str, String)>) {
    let one = Server::with(settings.clone(), None).await;
    let other = Server::with(settings, Some(&one.url())).await;
    let clients = [one.client.clone(), other.client.clone()];
    // What was begun at one is known to the other: the browser, the client and the code.
    let owner = Owner::sign_in(&one.client).await;
    for round in 0..ROUNDS {
        let code = owner.code().await.unwrap();
        let said = at_once(&clients, |client| {
            let (owner, code) = (owner.clone(), code.clone());
            async move { redeem(&client, owner.client_id(), &code).await }
        })
        .await;
        let won: Vec<Tokens> = said.iter().cloned().filter_map(Said::tokens).collect();
        assert_eq!(won.len(), 1, "round {round}: one code gave tokens this often");
        refused_or_later(&said, "invalid_grant");
        let first = won.into_iter().next().unwrap();
        for client in &clients {
            assert!(works(client, &first.access).await);
        }

        let said = at_once(&clients, |client| {
            let (owner, token) = (owner.clone(), first.refresh.clone());
            async move { refresh(&client, owner.client_id(), &token).await }
        })
        .await;
        let told: Vec<Tokens> = said.iter().cloned().filter_map(Said::tokens).collect();
        refused_or_later(&said, "none of them");
        assert!(
            told.iter().all(|tokens| *tokens == told[0]),
            "round {round}: they were told different tokens"
        );
        let second = told.into_iter().next().unwrap();
        assert_ne!(second, first);

        // Revoked at one while both refresh: afterwards nothing of it is left anywhere.
        let revoking = revoke(&one.client, owner.client_id(), &second.refresh);
        let refreshing = at_once(&clients, |client| {
            let (owner, token) = (owner.clone(), second.refresh.clone());
            async move { refresh(&client, owner.client_id(), &token).await }
        });
        let ((), said) = tokio::join!(revoking, refreshing);
        // The other may go by what it read for a second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        // One of each: whoever shows the same wrong token too often is told to wait.
        let late = said.into_iter().find_map(Said::tokens);
        for tokens in late.into_iter().chain([first, second]) {
            for client in &clients {
                assert!(!works(client, &tokens.access).await, "round {round}: it outlives its revocation");
                let said = refresh(client, owner.client_id(), &tokens.refresh).await;
                assert!(matches!(&said, Said::Refused(error) if error == "invalid_grant"), "{said:?}");
            }
        }
    }
}

async fn at_once<F, Fut>(clients: &[Client; 2], ask: F) -> Vec<Said>
where
    F: Fn(Client) -> Fut,
    Fut: Future<Output = Said> + Send + 'static,
{
    let mut asking = JoinSet::new();
    for turn in 0..AT_ONCE {
        asking.spawn(ask(clients[turn % 2].clone()));
    }
    asking.join_all().await
}

/// Whoever got nothing was told so in these words, or to come later.
#[track_caller]
fn refused_or_later(said: &[Said], error: &str) {
    for said in said {
        assert!(!matches!(said, Said::Refused(other) if other != error), "{said:?}");
    }
}

fn key_file(folder: &Path) -> String {
    let file = folder.join("root.key");
    std::fs::write(&file, "bXkgb3duIHJvb3Qga2V5LCBvZiB0aGlydHktdHdvIGI=").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    file.display().to_string()
}

const ROUNDS: usize = 3;
