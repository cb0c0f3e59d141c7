//! Windows on one request that was kept before any of them came.

use std::sync::Arc;
use std::time::Duration;

use mcp_store::{Batch, Partition};

use super::request::{AuthorizationRequest, Checked, access};
use super::transaction::{Begun, Outcome};
use crate::engine::Engine;
use crate::grant::DeviceRecord;
use crate::grant::tests::{RS, World, client, params, world};

fn checked(world: &World) -> Checked {
    let web = client("web");
    let (resources, scopes) = access(&world.engine, &web, &params(&[("resource", RS)])).unwrap();
    let until = world.engine.now() + Duration::from_secs(600);
    let record = DeviceRecord::new(&web, resources, scopes, "WDJB-MJHT".into(), until);
    Checked { client: Arc::new(web), request: AuthorizationRequest::of_device(record) }
}

async fn window(engine: &Engine, checked: Checked, kept_in: Option<&Partition>) -> Begun {
    let mut begun = Begun::new(engine, checked, "secret", false, kept_in);
    assert!(begun.save(engine, Batch::new()).await.unwrap());
    begun.transaction.outcome = Some(Outcome::to("https://c.test/cb?code=x".into()));
    begun
}

// covers: PA05
#[tokio::test]
async fn of_two_that_saw_no_answer_one_has_the_answer() {
    let world = world().await;
    let engine = &world.engine;
    let partition = Partition::random();
    let mut first = window(engine, checked(&world), Some(&partition)).await;
    let mut second = window(engine, checked(&world), Some(&partition)).await;
    assert!(first.save(engine, Batch::new()).await.unwrap());
    assert!(!second.save(engine, Batch::new()).await.unwrap());
    let told = |begun: Begun| begun.transaction.outcome.unwrap().location;
    assert_eq!(told(second.reload(engine).await.unwrap().unwrap()), "");
    assert_eq!(told(first.reload(engine).await.unwrap().unwrap()), "https://c.test/cb?code=x");
    // Requests that came with the browser are each their own.
    let mut third = window(engine, checked(&world), None).await;
    assert!(third.save(engine, Batch::new()).await.unwrap());
}
