//! A sign-in that does as it is told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use mcp_auth_provider::{
    BrowserRequest, ConsentOrder, Field, GrantView, Page, Refreshed, Resumed, SignIn, SignInContext,
    SignInRoute, SignInState, Step, User, async_trait,
};
use mcp_core::{Clock, ConfigError};
use serde_json::{Value, json};

/// Its form asks for a name and believes it; `stay` keeps the browser signed in. Other answers can be scripted.
#[derive(Clone, Debug)]
pub(crate) struct Scripted(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    order: ConsentOrder,
    /// Sends the browser elsewhere instead of asking for a name.
    upstream: bool,
    pub(crate) next: Mutex<VecDeque<Step>>,
    pub(crate) resumed: Mutex<VecDeque<Resumed>>,
    pub(crate) refreshed: Mutex<VecDeque<Refreshed>>,
    pub(crate) steps: AtomicUsize,
    /// The last state it saw.
    pub(crate) seen: Mutex<Option<SignInState>>,
    clock: Mutex<Option<Arc<dyn Clock>>>,
}

impl Scripted {
    /// Asks for a name, and consent comes after.
    pub(crate) fn local() -> Self {
        Self::new(ConsentOrder::AfterSignIn, false)
    }

    /// Sends the browser elsewhere, once there is consent.
    pub(crate) fn upstream() -> Self {
        Self::new(ConsentOrder::BeforeSignIn, true)
    }

    fn new(order: ConsentOrder, upstream: bool) -> Self {
        Self(Arc::new(Inner {
            order,
            upstream,
            next: Mutex::default(),
            resumed: Mutex::default(),
            refreshed: Mutex::default(),
            steps: AtomicUsize::default(),
            seen: Mutex::default(),
            clock: Mutex::default(),
        }))
    }

    /// What it says next, instead of what it would.
    pub(crate) fn says(&self, step: Step) {
        self.0.next.lock().unwrap().push_back(step);
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.steps.load(Ordering::Relaxed)
    }

    fn user(&self, name: &str, stay: bool) -> User {
        let now = self.0.clock.lock().unwrap().as_ref().unwrap().now();
        let user = User::new(name, name, now).props(json!({ "login": name }));
        if stay { user.stay_signed_in() } else { user }
    }
}

#[async_trait]
impl SignIn for Scripted {
    async fn start(&self, context: &SignInContext) -> Result<(), ConfigError> {
        *self.0.clock.lock().unwrap() = Some(context.site().clock().clone());
        Ok(())
    }

    fn order(&self) -> ConsentOrder {
        self.0.order
    }

    fn routes(&self) -> Vec<SignInRoute> {
        vec![SignInRoute::form("/sign-in"), SignInRoute::callback("/callback")]
    }

    async fn step(&self, state: &mut SignInState, request: BrowserRequest) -> Step {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
        *self.0.seen.lock().unwrap() = Some(state.clone());
        if let Some(step) = self.0.next.lock().unwrap().pop_front() {
            return step;
        }
        match request.path.as_str() {
            "/callback" => match (request.param("code"), request.param("error")) {
                (Some(code), None) if state.memory["sent"] == true => Step::Done(self.user(code, false)),
                (None, Some(_)) => Step::Cancelled,
                _ => Step::Refused("The other server sent nothing.".to_owned()),
            },
            _ if self.0.upstream => {
                state.memory = json!({ "sent": true });
                let mut url = url::Url::parse("https://idp.test/authorize").unwrap();
                url.query_pairs_mut().append_pair("state", &state.transaction);
                Step::Redirect(url)
            }
            _ if request.method == Method::POST => match request.param("name") {
                Some("nobody") => Step::Refused("Nobody may come in <b>here</b>.".to_owned()),
                Some(name) => Step::Done(self.user(name, request.param("stay").is_some())),
                None => Step::Page(form(state).error("Who are you?")),
            },
            _ => Step::Page(form(state)),
        }
    }

    async fn resume(&self, _: &User) -> Resumed {
        self.0.resumed.lock().unwrap().pop_front().unwrap_or(Resumed::Keep)
    }

    async fn refresh(&self, _: &GrantView, _: &Value) -> Refreshed {
        self.0.refreshed.lock().unwrap().pop_front().unwrap_or(Refreshed::Keep)
    }
}

fn form(state: &SignInState) -> Page {
    Page::form("Who are you?", "/sign-in", state)
        .text(format!("For {}", state.client_name))
        .field(Field::text("name", "Name").value(state.login_hint.clone().unwrap_or_default()))
        .field(Field::checkbox("stay", "Stay signed in"))
}
