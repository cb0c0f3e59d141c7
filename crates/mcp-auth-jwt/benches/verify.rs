//! What verifying a token costs: seen before, at first sight, and by the JWT library alone.
//!
//! `cargo bench -p mcp-auth-jwt`. Targets: seen ≤ 2.5 µs; first sight ≤ 1.05 × `jsonwebtoken::decode` into
//! `serde_json::Value` for RS256, ES256 and EdDSA, ≤ 1.3 × for HS256.

#![expect(missing_docs, reason = "criterion's macros make functions without")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jsonwebtoken::{DecodingKey, Validation};
use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys};
use mcp_auth_testkit::{Algorithm as Signed, TokenAuthority};
use mcp_core::{Authenticator, ProtectedResource, PublicUrl, RequestHead, SecretKey, SiteContext};
use tokio::runtime::Runtime;

const MCP: &str = "https://mcp.test/mcp";

fn verify(c: &mut Criterion) {
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

        let mut group = c.benchmark_group(signed.name());
        let mut validation = Validation::new(library);
        validation.set_audience(&[MCP]);
        validation.set_issuer(&[authority.issuer()]);
        group.bench_function("jsonwebtoken", |b| {
            b.iter(|| jsonwebtoken::decode::<serde_json::Value>(black_box(&token), &decoding, &validation).unwrap());
        });
        // With the memory on and emptied by its bound: what a first request really costs, remembering included.
        for (name, remembered) in [("first sight", 0), ("seen", 1000)] {
            let auth = auth(remembered);
            group.bench_function(name, |b| {
                b.iter_batched_ref(
                    head,
                    |head| futures_now(auth.authenticate(head, &resource)).unwrap(),
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
}

/// The answer of a future that has nothing to wait for.
fn futures_now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("fixed keys are never waited for"),
    }
}

criterion_group!(benches, verify);
criterion_main!(benches);
