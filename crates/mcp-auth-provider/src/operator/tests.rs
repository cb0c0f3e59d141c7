//! Grants by an operator's hand.

use std::collections::HashSet;
use std::time::Duration;

use crate::grant;
use crate::operator::Operator;
use crate::sign_in::GrantView;
use crate::testing::{Running, client, params};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// All grants there are.
async fn all(operator: &Operator) -> Vec<GrantView> {
    let (mut grants, mut after) = (Vec::new(), None);
    loop {
        let page = operator.grants(after.as_deref()).await.unwrap();
        grants.extend(page.grants);
        after = page.next;
        if after.is_none() {
            return grants;
        }
    }
}

#[tokio::test]
async fn grants_are_found_by_user_by_client_and_by_name_and_end() {
    let running = Running::start(|provider| provider).await;
    let (web, cli) = (client("web"), client("cli"));
    let ada_web = running.tokens(&web, "ada").await;
    let ada_cli = running.tokens(&cli, "ada").await;
    let bob_web = running.tokens(&web, "bob").await;
    let operator = running.provider.operator("admin@example.com").unwrap();

    let of_ada = operator.grants_of_user("ada", None).await.unwrap();
    assert_eq!((of_ada.grants.len(), of_ada.next), (2, None));
    let of_web = operator.grants_of_client("web", None).await.unwrap().grants;
    let subjects: HashSet<&str> = of_web.iter().map(|grant| &*grant.subject).collect();
    assert_eq!(subjects, HashSet::from(["ada", "bob"]));
    assert_eq!(all(&operator).await.len(), 3);
    assert!(operator.grants_of_user("nobody", None).await.unwrap().grants.is_empty());
    assert!(operator.grants_of_user("ada", Some("not a name")).await.is_err());

    let bobs = of_web.iter().find(|grant| grant.subject == "bob").unwrap();
    assert_eq!(operator.grant(&bobs.id).await.unwrap().as_ref(), Some(bobs));
    assert_eq!(running.status("/mcp", &bob_web.access_token).await, 200);
    assert!(operator.end_grant(&bobs.id).await.unwrap());
    assert!(!operator.end_grant(&bobs.id).await.unwrap());
    assert!(!operator.end_grant("no such grant").await.unwrap());
    assert!(operator.grant(&bobs.id).await.unwrap().is_none());
    assert_eq!(running.status("/mcp", &bob_web.access_token).await, 401);
    let event = running.events.of("operator_ended_grants").pop().unwrap();
    assert_eq!((event.subject.as_deref(), event.client.as_deref()), (Some("bob"), Some("web")));
    assert!(event.reason.unwrap().contains("admin@example.com"));

    assert_eq!(operator.end_grants_of_user("ada").await.unwrap(), 2);
    assert_eq!(operator.end_grants_of_client("web").await.unwrap(), 0);
    for tokens in [ada_web, ada_cli] {
        assert_eq!(running.status("/mcp", &tokens.access_token).await, 401);
    }
}

#[tokio::test]
async fn a_long_list_comes_in_pages_that_miss_nothing_and_repeat_nothing() {
    let running = Running::start(|provider| provider).await;
    let web = client("web");
    for _ in 0..230 {
        running.code(&web, "ada").await;
    }
    let operator = running.provider.operator("admin").unwrap();
    let (mut seen, mut after, mut pages) = (HashSet::new(), None, 0);
    loop {
        let page = operator.grants_of_user("ada", after.as_deref()).await.unwrap();
        pages += 1;
        for grant in page.grants {
            assert!(seen.insert(grant.id));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (230, 2));
    assert_eq!(operator.end_grants_of_user("ada").await.unwrap(), 230);
    assert!(operator.grants_of_user("ada", None).await.unwrap().grants.is_empty());
}

#[tokio::test]
async fn purging_takes_out_what_led_nowhere_and_nothing_else() {
    let running = Running::start(|provider| provider).await;
    let web = client("web");
    let alive = running.tokens(&web, "ada").await;
    running.code(&web, "ada").await; // consent whose code nobody redeems
    let operator = running.provider.operator("admin").unwrap();
    assert_eq!(operator.purge().await.unwrap(), Default::default());

    running.clock.advance(Duration::from_secs(61));
    // The grant is gone, but its entries may be claims whose grant is under way.
    assert_eq!(operator.purge().await.unwrap().entries, 0);
    running.clock.advance(DAY);
    let purged = operator.purge().await.unwrap();
    assert_eq!((purged.grants, purged.entries), (0, 2), "one of the user, one of the client");
    assert_eq!(operator.purge().await.unwrap().entries, 0);
    let pairs = [("refresh_token", alive.refresh_token.as_deref().unwrap())];
    assert!(grant::refresh(running.engine(), &web, &params(&pairs), None).await.is_ok());
    assert_eq!(operator.grants_of_user("ada", None).await.unwrap().grants.len(), 1);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_an_end_is_cleaned_up() {
    let running = Running::start(|provider| provider).await;
    let tokens = running.tokens(&client("web"), "ada").await;
    let operator = running.provider.operator("admin").unwrap();
    let id = all(&operator).await[0].id.clone();
    let partition = mcp_store::Partition::new(&id).unwrap();
    grant::mark_ended(running.engine(), &partition, "crashed").await;
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 401);
    assert_eq!(operator.purge().await.unwrap().grants, 1);
    assert!(running.engine().vault.scan(&partition, "", None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn before_the_start_there_is_nothing_to_operate() {
    #[derive(Debug)]
    struct Nobody;
    #[async_trait::async_trait]
    impl crate::SignIn for Nobody {
        fn routes(&self) -> Vec<crate::SignInRoute> {
            Vec::new()
        }
        async fn step(&self, _: &mut crate::SignInState, _: crate::BrowserRequest) -> crate::Step {
            crate::Step::Unavailable
        }
    }
    let error = crate::OAuthProvider::new(Nobody).operator("admin").unwrap_err();
    assert!(error.to_string().contains("build its site first") && !error.is_transient());
}
