//! An authorization server as far as a resource server sees one: issuer, keys, discovery, introspection, tokens.
//!
//! It speaks HTTP on a real socket of the loopback address, so code under test fetches from it as it would from any
//! issuer; and it misbehaves on demand.
//!
//! ```
//! use mcp_auth_testkit::{Behaviour, Client, Endpoint, TokenAuthority};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let authority = TokenAuthority::start().await?;
//! let token = authority.token().audience("https://mcp.test/mcp").scopes("files:read").mint();
//! assert_eq!(token.split('.').count(), 3);
//!
//! let client = Client::new(authority.issuer());
//! let keys = client.get("/jwks").send().await.expect_status(200).json();
//! assert_eq!(keys, authority.jwks());
//! assert_eq!(authority.requests(Endpoint::Jwks), 1);
//!
//! authority.behave(Endpoint::Jwks, Behaviour::Status(500));
//! client.get("/jwks").send().await.expect_status(500);
//! # Ok(()) }
//! ```

mod behaviour;
mod endpoints;
mod keys;
mod token;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_core::{Clock, SystemClock, Timestamp, random_id};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::Server;

pub use behaviour::{Behaviour, Endpoint, Hold, Recorded};
pub use keys::Algorithm;
pub use token::TokenBuilder;

use keys::SigningKey;

/// A token authority on a free loopback port. Clones are the same authority; it stops with the last of them.
#[derive(Clone)]
pub struct TokenAuthority {
    shared: Arc<Shared>,
    // Apart from `shared`, which the server's own task holds: else neither would ever go.
    _server: Arc<Server>,
}

struct Shared {
    issuer: String,
    path: String,
    secret: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    arrivals: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    // Per algorithm, the newest first.
    keys: BTreeMap<&'static str, Vec<Arc<SigningKey>>>,
    made: HashMap<Algorithm, u32>,
    extra_keys: Vec<Value>,
    recorded: HashMap<Endpoint, Vec<Recorded>>,
    behaviours: HashMap<Endpoint, Behaviour>,
    holds: HashMap<Endpoint, watch::Receiver<bool>>,
    headers: HashMap<Endpoint, Vec<(String, String)>>,
    metadata: Map<String, Value>,
    opaque: HashMap<String, Map<String, Value>>,
}

impl TokenAuthority {
    /// Starts an authority with one key each for RS256, ES256 and EdDSA, on the system's clock.
    ///
    /// # Errors
    /// When the system has no port to give.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Starts one with other settings.
    pub fn builder() -> TokenAuthorityBuilder {
        TokenAuthorityBuilder {
            clock: Arc::new(SystemClock),
            path: String::new(),
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
        }
    }

    /// Its issuer identifier: `http://127.0.0.1:<port>`, and the path if it has one.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Where its key set is.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}/jwks", self.issuer())
    }

    /// Where it is asked about tokens (RFC 7662).
    #[must_use]
    pub fn introspection_url(&self) -> String {
        format!("{}/introspect", self.issuer())
    }

    /// The secret behind its HS256 tokens: 43 ASCII characters, used as they are.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.shared.secret
    }

    /// The key set as it is published now.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.shared.jwks()
    }

    /// The newest public key of an algorithm as PEM (`BEGIN PUBLIC KEY`).
    ///
    /// # Panics
    /// For [`Algorithm::Hs256`], which has none.
    #[must_use]
    pub fn public_key_pem(&self, algorithm: Algorithm) -> String {
        #[expect(clippy::expect_used, reason = "documented; a mistake of the test's author")]
        self.key(algorithm).pem().expect("HS256 has no public key")
    }

    /// The name of the newest key of an algorithm.
    #[must_use]
    pub fn kid(&self, algorithm: Algorithm) -> String {
        self.key(algorithm).kid.clone()
    }

    /// Begins a token.
    pub fn token(&self) -> TokenBuilder {
        TokenBuilder::new(self.clone())
    }

    /// Makes a new key for every algorithm. The old ones stay published, new tokens use the new ones.
    pub fn rotate(&self) {
        let algorithms: Vec<Algorithm> = self.shared.state().made.keys().copied().collect();
        for algorithm in algorithms {
            self.make_key(algorithm);
        }
    }

    /// Takes every key but the newest of each algorithm out of the key set.
    pub fn retire_old_keys(&self) {
        for keys in self.shared.state().keys.values_mut() {
            keys.truncate(1);
        }
    }

    /// Publishes one more member of the key set, in front of the others, of any shape.
    pub fn publish(&self, jwk: Value) {
        self.shared.state().extra_keys.push(jwk);
    }

    /// Says how an endpoint answers from now on.
    pub fn behave(&self, endpoint: Endpoint, behaviour: Behaviour) {
        self.shared.state().behaviours.insert(endpoint, behaviour);
    }

    /// Adds a header to what an endpoint answers, such as `cache-control`.
    pub fn header(&self, endpoint: Endpoint, name: &str, value: &str) {
        let mut state = self.shared.state();
        let headers = state.headers.entry(endpoint).or_default();
        headers.push((name.to_owned(), value.to_owned()));
    }

    /// Changes a member of both discovery documents; [`Value::Null`] leaves it out.
    pub fn metadata(&self, name: &str, value: impl Into<Value>) {
        self.shared.state().metadata.insert(name.to_owned(), value.into());
    }

    /// Keeps the requests of an endpoint waiting until the returned value is dropped.
    pub fn hold(&self, endpoint: Endpoint) -> Hold {
        let (sender, receiver) = watch::channel(false);
        self.shared.state().holds.insert(endpoint, receiver);
        Hold(sender)
    }

    /// How many requests an endpoint has got.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.shared.state().recorded.get(&endpoint).map_or(0, Vec::len)
    }

    /// The requests an endpoint has got.
    #[must_use]
    pub fn recorded(&self, endpoint: Endpoint) -> Vec<Recorded> {
        self.shared.state().recorded.get(&endpoint).cloned().unwrap_or_default()
    }

    /// Waits until an endpoint has got `count` requests, answered or not.
    pub async fn until_requests(&self, endpoint: Endpoint, count: usize) {
        let mut arrivals = self.shared.arrivals.subscribe();
        while self.requests(endpoint) < count {
            // The sender lives in `self`: this cannot fail.
            let _ = arrivals.changed().await;
        }
    }

    /// Ends an opaque token before its time.
    pub fn revoke(&self, token: &str) {
        self.shared.state().opaque.remove(token);
    }

    /// Sets what introspection says of a token, whatever it is; `exp` is not looked at for it.
    pub fn answer_for(&self, token: &str, answer: Value) {
        let mut claims = Map::new();
        claims.insert(RAW.to_owned(), answer);
        self.remember(token, claims);
    }

    fn remember(&self, token: &str, claims: Map<String, Value>) {
        self.shared.state().opaque.insert(token.to_owned(), claims);
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The newest key of an algorithm, made if there is none.
    fn key(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        let newest = self.shared.state().keys.get(algorithm.name()).and_then(|keys| keys.first().cloned());
        newest.unwrap_or_else(|| self.make_key(algorithm))
    }

    fn make_key(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        let number = {
            let mut state = self.shared.state();
            let number = state.made.entry(algorithm).or_default();
            *number += 1;
            *number
        };
        let kid = format!("{}-{number}", algorithm.name().to_ascii_lowercase());
        // Not under the lock: an RSA key takes a while.
        let key = Arc::new(SigningKey::generate(algorithm, kid, &self.shared.secret));
        let mut state = self.shared.state();
        state.keys.entry(algorithm.name()).or_default().insert(0, key.clone());
        key
    }
}

impl fmt::Debug for TokenAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenAuthority({})", self.issuer())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn jwks(&self) -> Value {
        let state = self.state();
        let own = state.keys.values().flatten().filter_map(|key| key.jwk());
        let keys: Vec<Value> = state.extra_keys.iter().cloned().chain(own).collect();
        json!({ "keys": keys })
    }
}

/// Settings of a [`TokenAuthority`].
#[derive(Debug)]
#[must_use = "an authority is started by `start`"]
pub struct TokenAuthorityBuilder {
    clock: Arc<dyn Clock>,
    path: String,
    algorithms: Vec<Algorithm>,
}

impl TokenAuthorityBuilder {
    /// The clock its tokens go by.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A path for the issuer identifier, such as `/tenant`.
    pub fn path(mut self, path: &str) -> Self {
        path.trim_end_matches('/').clone_into(&mut self.path);
        self
    }

    /// The algorithms it publishes keys for from the start. Keys for others are made when a token needs them.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Starts the authority.
    ///
    /// # Errors
    /// When the system has no port to give.
    pub async fn start(self) -> io::Result<TokenAuthority> {
        let listener = Server::listener().await?;
        let shared = Arc::new(Shared {
            issuer: format!("http://{}{}", listener.local_addr()?, self.path),
            path: self.path,
            secret: random_id(),
            clock: self.clock,
            state: Mutex::default(),
            arrivals: watch::channel(()).0,
        });
        let server = endpoints::serve(listener, shared.clone());
        let authority = TokenAuthority { shared, _server: Arc::new(server) };
        for algorithm in self.algorithms {
            authority.make_key(algorithm);
        }
        Ok(authority)
    }
}

/// Seconds since the epoch as a claim.
fn clock_secs(at: Timestamp) -> Value {
    json!(at.as_secs())
}

/// Marks an introspection answer that is given as it is. No claim is called so.
const RAW: &str = "\u{0}raw";
