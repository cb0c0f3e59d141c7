//! Several authenticators as one: the order holds for callers who were let in before, too.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use mcp_core::{
    AnyOf, AtOnce, AuthError, Authenticator, Credential, Identity, ProtectedResource, RequestHead,
    async_trait,
};

use crate::support::{Served, Tokens, caller, mirror, serve};

/// Refuses the tokens on its list, and knows no others.
#[derive(Clone, Debug, Default)]
struct DenyList {
    denied: Arc<Mutex<HashSet<String>>>,
    /// Whether it can say at once that a token is not on the list.
    quick: bool,
}

impl DenyList {
    fn deny(&self, token: &str) {
        self.denied.lock().unwrap().insert(token.to_owned());
    }

    fn has(&self, request: &RequestHead<'_>) -> Result<bool, AuthError> {
        match request.credential()? {
            Credential::Bearer(token) => Ok(self.denied.lock().unwrap().contains(token)),
            _ => Ok(false),
        }
    }
}

#[async_trait]
impl Authenticator for DenyList {
    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        _: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        match self.has(request)? {
            true => Err(AuthError::invalid_token("the token was taken back")),
            false => Err(AuthError::not_mine()),
        }
    }

    fn authenticate_now(&self, request: &RequestHead<'_>, _: &ProtectedResource) -> AtOnce {
        match self.has(request) {
            Ok(false) if self.quick => AtOnce::NotMine,
            _ => AtOnce::Ask,
        }
    }
}

/// Knows its tokens at once, and counts how often it was asked the long way.
#[derive(Clone, Debug, Default)]
struct Remembering {
    tokens: Tokens,
    asked: Arc<Mutex<usize>>,
}

impl Remembering {
    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Authenticator for Remembering {
    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        *self.asked.lock().unwrap() += 1;
        self.tokens.authenticate(request, resource).await
    }

    fn authenticate_now(&self, request: &RequestHead<'_>, _: &ProtectedResource) -> AtOnce {
        match request.credential() {
            Ok(Credential::Bearer("ada")) => AtOnce::Known(caller("ada", "")),
            _ => AtOnce::Ask,
        }
    }
}

fn remembering() -> Remembering {
    Remembering { tokens: Tokens::default().with("ada", caller("ada", "")), ..Remembering::default() }
}

async fn served(members: AnyOf) -> Served {
    serve("", |site| site.resource("/mcp", mirror()).auth(members)).await
}

// covers: AUTH-06
#[tokio::test]
async fn no_memory_overrules_the_refusal_of_an_earlier_one() {
    for quick in [false, true] {
        let denied = DenyList { quick, ..DenyList::default() };
        let nested = AnyOf::new().or(AnyOf::new().or(denied.clone())).or(AnyOf::new().or(remembering()));
        for members in [AnyOf::new().or(denied.clone()).or(remembering()), nested] {
            let served = served(members).await;
            let post = || served.client.post("/mcp").bearer("ada").send();
            post().await.expect_status(200);
            denied.deny("ada");
            post().await.expect_status(401).expect_challenge(|c| c.error("invalid_token"));
            denied.denied.lock().unwrap().clear();
            post().await.expect_status(200);
        }
    }
}

#[tokio::test]
async fn nobody_waits_for_members_that_say_at_once_what_is_not_theirs() {
    let quick = || DenyList { quick: true, ..DenyList::default() };
    let known = remembering();
    for members in [
        AnyOf::new().or(quick()).or(known.clone()),
        AnyOf::new().or(known.clone()).or(quick()),
        AnyOf::new().or(AnyOf::new().or(quick()).or(quick())).or(known.clone()),
        AnyOf::new().or(Arc::new(quick())).or(AnyOf::new().or(known.clone())),
    ] {
        let served = served(members).await;
        let post = |token: &'static str| served.client.post("/mcp").bearer(token).send();
        post("ada").await.expect_status(200).expect_json("/caller", "ada");
        assert_eq!(known.asked(), 0);
        post("eve").await.expect_status(401);
        assert_eq!(known.asked(), 1);
    }
    // One that does not say it is asked the long way, and so are all behind it.
    let served = served(AnyOf::new().or(DenyList::default()).or(known.clone())).await;
    served.client.post("/mcp").bearer("ada").send().await.expect_status(200);
    assert_eq!(known.asked(), 1);
}
