//! Honest clients and others at the same time.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use mcp_core::Clock;
use mcp_store::Store;

use super::{ask, call, code_for, introspect, redeem, refresh, text, through, world};
use crate::browser::world::{Authz, CALLBACK, World, code};
use crate::clients::stand::basic;

const ROUNDS: usize = 4;
const PAIRS: usize = 8;

// covers: FT07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_cost_honest_clients_nothing_and_leave_nothing() {
    let world = Arc::new(world().await);
    let client = world.register("Web", &[CALLBACK]).await;
    let victim = super::tokens(&world, &client).await;
    let pairs: Vec<_> = (0..PAIRS)
        .map(|_| {
            let (world, client, victim) = (world.clone(), client.clone(), victim.clone());
            let honest = tokio::spawn({
                let (world, client) = (world.clone(), client.clone());
                async move { honest(&world, &client).await }
            });
            let hostile = tokio::spawn(async move { hostile(&world, &client, &victim).await });
            (honest, hostile)
        })
        .collect();
    for (honest, hostile) in pairs {
        honest.await.unwrap();
        hostile.await.unwrap();
    }
    // Nothing of it reached the grant that they were after.
    call(&world, "/mcp", text(&victim, "access_token")).await.expect_status(200);
    refresh(&world, &client, text(&victim, "refresh_token"), &[]).await.expect_status(200);

    // When everything has ended, nothing of it is left in the store.
    world.clock.advance(Duration::from_secs(400 * 24 * 3600));
    sweep(&world).await;
    world.provider.operator("root").unwrap().purge().await.unwrap();
    sweep(&world).await;
    let left = partitions(&world).await;
    assert!(left.iter().all(|name| ["vault", "registrations"].contains(&&**name)), "{left:?}");
}

/// Lets the store forget what has expired.
async fn sweep(world: &World) {
    while world.store.sweep(world.clock.now(), 1000).await.unwrap().deleted > 0 {}
}

/// The names of everything there is in the store.
async fn partitions(world: &World) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = world.store.partitions(after.as_ref(), 1000).await.unwrap();
        all.extend(page.partitions.iter().map(ToString::to_string));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Signs in, calls and refreshes: all of it works.
async fn honest(world: &World, client: &str) {
    let code = code_for(world, client).await;
    let mut given = redeem(world, client, &code, &[]).await.expect_status(200).json();
    for _ in 0..ROUNDS {
        call(world, "/mcp", text(&given, "access_token")).await.expect_status(200);
        assert_eq!(introspect(world, text(&given, "access_token")).await["active"], true);
        given = refresh(world, client, text(&given, "refresh_token"), &[]).await.expect_status(200).json();
    }
}

/// Tries what does not work: none of it is an error of ours.
async fn hostile(world: &World, client: &str, victim: &serde_json::Value) {
    let (access, renewal) = (text(victim, "access_token"), text(victim, "refresh_token"));
    let other = world.register("Other", &[CALLBACK]).await;
    for round in 0..ROUNDS {
        let code = code(&through(world, &Authz::of(client)).await);
        let guessed = format!("{}{round}", &access[..access.len() - 1]);
        let answers = [
            redeem(world, &other, &code, &[]).await,
            redeem(world, client, &code, &[("code_verifier", "x")]).await,
            redeem(world, client, renewal, &[]).await,
            refresh(world, &other, renewal, &[]).await,
            refresh(world, client, renewal, &[("scope", "admin")]).await,
            refresh(world, client, access, &[]).await,
            call(world, "/mcp", if guessed == access { "x" } else { &guessed }).await,
            ask(world, &[("grant_type", "client_credentials"), ("client_id", "notes-server")]).await,
            world
                .client
                .post("/token")
                .header("content-type", "text/plain")
                .body("x".repeat(100_000))
                .send()
                .await,
            world
                .client
                .post("/introspect")
                .header("authorization", &basic("notes-server", "x"))
                .send()
                .await,
            world.client.post("/register").body("{".repeat(10_000)).send().await,
            world.client.request(Method::PUT, "/token").send().await,
            world.browser().open(&Authz::of(client).with("redirect_uri", "https://evil.test").path()).await,
            world.browser().open("/consent?tx=mcp_tx_x").await,
        ];
        for (at, answer) in answers.iter().enumerate() {
            assert!((400..500).contains(&answer.status()), "attempt {at}: {answer}");
        }
    }
}
