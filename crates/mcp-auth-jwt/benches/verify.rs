//! What verifying a token costs: seen before, at first sight, and by the JWT library alone.
//!
//! `cargo bench -p mcp-auth-jwt --bench verify`. Targets: seen ≤ 2.5 µs; first sight ≤ 1.05 × `jsonwebtoken::decode` into
//! `serde_json::Value` for RS256, ES256 and EdDSA, ≤ 1.3 × for HS256.
//!
//! The three are measured in turns, round by round, and the ratio is taken within a round: on a busy machine a ratio of
//! two separate measurements says more of its neighbours than of the code.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must not go on")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use jsonwebtoken::{DecodingKey, Validation};
use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys};
use mcp_auth_testkit::{Algorithm as Signed, TokenAuthority};
use mcp_core::{Authenticator, ProtectedResource, PublicUrl, RequestHead, SecretKey, SiteContext};
use tokio::runtime::Runtime;

const MCP: &str = "https://mcp.test/mcp";

const ROUNDS: usize = 61;
const CALLS: u32 = 400;

#[expect(clippy::print_stdout, reason = "a bench reports")]
fn main() {
    println!("{:6} {:>14} {:>14} {:>7} {:>14}", "", "jsonwebtoken", "first sight", "ratio", "seen before");
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let runtime = Runtime::new().unwrap();
    let authority = runtime.block_on(TokenAuthority::start()).unwrap();
    let url: PublicUrl = "https://mcp.test".parse().unwrap();
    let resource = ProtectedResource::new(&url, "/mcp");
    let site = SiteContext::new(url.clone(), vec![resource.clone()]);

    for (signed, library) in [
        (Signed::Hs256, jsonwebtoken::Algorithm::HS256),
        (Signed::Rs256, jsonwebtoken::Algorithm::RS256),
        (Signed::Es256, jsonwebtoken::Algorithm::ES256),
        (Signed::EdDsa, jsonwebtoken::Algorithm::EdDSA),
    ] {
        let token = authority
            .token()
            .algorithm(signed)
            .audience(MCP)
            .scopes("files:read files:write")
            .expires_in(Duration::from_secs(3000))
            .mint();
        let (keys, decoding) = if signed == Signed::Hs256 {
            let secret = authority.secret().as_bytes();
            let keys = Keys::shared_secret(SecretKey::new(secret).unwrap());
            (keys, DecodingKey::from_secret(secret))
        } else {
            let pem = authority.public_key_pem(signed);
            let decoding = match signed {
                Signed::Rs256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
                Signed::Es256 => DecodingKey::from_ec_pem(pem.as_bytes()),
                _ => DecodingKey::from_ed_pem(pem.as_bytes()),
            };
            (Keys::pem(pem).unwrap(), decoding.unwrap())
        };
        let allowed = Algorithm::from_name(signed.name()).unwrap();
        let auth = |remembered| {
            let auth = JwtAuthenticator::keys(authority.issuer(), keys.clone())
                .algorithms([allowed])
                .remember(remembered, Duration::from_secs(3000));
            runtime.block_on(auth.start(&site)).unwrap();
            auth
        };
        let (parts, ()) = http::Request::post("/mcp")
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap()
            .into_parts();
        // A head remembers the token's digest, so each request gets its own.
        let head = || RequestHead::new(&parts, &url, "/mcp");

        let mut validation = Validation::new(library);
        validation.set_audience(&[MCP]);
        validation.set_issuer(&[authority.issuer()]);
        let by_library = || {
            drop(
                jsonwebtoken::decode::<serde_json::Value>(black_box(&token), &decoding, &validation).unwrap(),
            )
        };
        let (fresh, remembering) = (auth(0), auth(1000));
        let first_sight = || drop(now(fresh.authenticate(&head(), &resource)).unwrap());
        let seen = || drop(now(remembering.authenticate(&head(), &resource)).unwrap());

        let rounds: Vec<[f64; 3]> =
            (0..ROUNDS).map(|_| [micros(by_library), micros(first_sight), micros(seen)]).collect();
        let of = |value: fn(&[f64; 3]) -> f64| median(rounds.iter().map(value).collect());
        println!(
            "{:6} {:11.2} µs {:11.2} µs {:7.2} {:11.2} µs",
            signed.name(),
            of(|round| round[0]),
            of(|round| round[1]),
            of(|round| round[1] / round[0]),
            of(|round| round[2]),
        );
    }
}

fn micros(call: impl Fn()) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The answer of a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("fixed keys are never waited for"),
    }
}
