//! API keys: their form, what they open, and how they are taken back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcp_auth_jwt::{ApiKeys, KeyDirectory, KeyDirectoryError, KeyEntry, KeyList, NewKey};
use mcp_auth_testkit::FakeClock;
use mcp_core::{AuthErrorKind, AuthMethod, Authenticator, Clock, Scopes, async_trait};
use proptest::prelude::*;
use serde_json::json;

use crate::stand::{Stand, site};

fn list(keys: &[&NewKey]) -> Arc<KeyList> {
    Arc::new(KeyList::new(keys.iter().map(|key| key.entry().clone())).unwrap())
}

async fn stand(keys: &[&NewKey]) -> (Stand<ApiKeys>, Arc<KeyList>) {
    let list = list(keys);
    let clock = FakeClock::new();
    (Stand::start(ApiKeys::new(list.clone()), &clock).await.unwrap(), list)
}

/// Counts look-ups, and fails on demand.
#[derive(Debug, Default)]
struct Watched {
    inner: KeyList,
    looked: AtomicUsize,
    fails: bool,
}

#[async_trait]
impl KeyDirectory for Watched {
    async fn find(&self, id: &str, clock: &dyn Clock) -> Result<Option<Arc<KeyEntry>>, KeyDirectoryError> {
        self.looked.fetch_add(1, Ordering::Relaxed);
        if self.fails {
            return Err(KeyDirectoryError::new("the table is gone"));
        }
        self.inner.find(id, clock).await
    }
}

// covers: AUTH-05, AUTH-12, RS13
#[tokio::test]
async fn a_key_opens_the_site_and_nothing_like_it_does() {
    let key = ApiKeys::generate("ada").scopes(Scopes::from("files:read"));
    let other = ApiKeys::generate("eve");
    let clock = FakeClock::new();
    let client = site(ApiKeys::new(list(&[&key])), &clock).await;
    let text = key.key().expose().to_owned();
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {text}");
        let answer = client.post("/mcp").header("authorization", &value).json(&ping).send().await;
        let answer = answer.expect_status(200).expect_json("/caller", "ada");
        assert!(!answer.text().contains("authorization"), "the key went on to the service");
    }
    let flipped = if text.ends_with('A') { "B" } else { "A" };
    for wrong in [
        other.key().expose().to_owned(),
        text.to_uppercase(),
        text[..text.len() - 1].to_owned(),
        format!("{}{flipped}", &text[..text.len() - 1]),
        format!("{text}0"),
        text.replacen("mcpk_", "mcpx_", 1),
        "mcpk_".to_owned(),
        "mcpk___".to_owned(),
        "guess".to_owned(),
    ] {
        let answer = client.post("/mcp").bearer(&wrong).json(&ping).send().await;
        answer
            .expect_status(401)
            .expect_challenge(|challenge| challenge.scheme("Bearer").error("invalid_token"));
    }
}

// covers: AUTH-07, RS11, RS12
#[tokio::test]
async fn a_key_in_the_query_or_under_another_scheme_is_not_seen() {
    let key = ApiKeys::generate("ada");
    let client = site(ApiKeys::new(list(&[&key])).header("X-API-Key"), &FakeClock::new()).await;
    let text = key.key().expose();
    for query in ["access_token", "api_key", "x-api-key", "key"] {
        let answer = client.post(&format!("/mcp?{query}={text}")).json(&json!({})).send().await;
        answer.expect_status(401).expect_challenge(|challenge| challenge.no_error());
    }
    let body = client.post("/mcp").form([("access_token", text)]).send().await;
    body.expect_status(401).expect_challenge(|challenge| challenge.no_error());
    for scheme in ["Basic", "ApiKey", "DPoP"] {
        let value = format!("{scheme} {text}");
        client.post("/mcp").header("authorization", &value).send().await.expect_status(401);
    }
    client.post("/mcp").bearer(text).bearer(text).send().await.expect_status(401);
    client.post("/mcp").header("authorization", "Bearer").send().await.expect_status(401);
}

// covers: AUTH-13, AUTH-15
#[tokio::test]
async fn a_header_of_its_own_is_read_when_it_was_named_and_goes_no_further() {
    let key = ApiKeys::generate("ada");
    let text = key.key().expose();
    let clock = FakeClock::new();
    let without = site(ApiKeys::new(list(&[&key])), &clock).await;
    without.post("/mcp").header("x-api-key", text).send().await.expect_status(401);

    let client = site(ApiKeys::new(list(&[&key])).header("X-API-Key"), &clock).await;
    let answer = client.post("/mcp").header("x-api-key", text).json(&json!({})).send().await;
    let answer = answer.expect_status(200).expect_json("/caller", "ada");
    assert!(!answer.text().contains("x-api-key"), "the key went on to the service");
    client.post("/mcp").bearer(text).json(&json!({})).send().await.expect_status(200);
    // Two credentials: which is meant is anybody's guess.
    let both = client.post("/mcp").bearer(text).header("x-api-key", text).send().await.expect_status(400);
    both.expect_challenge(|challenge| challenge.error("invalid_request"));
    let twice = client.post("/mcp").header("x-api-key", text).header("x-api-key", text);
    twice.send().await.expect_status(400);
    let foreign = client.post("/mcp").header("x-api-key", "sk-123").send().await;
    foreign.expect_status(401).expect_challenge(|challenge| challenge.error("invalid_token"));
}

#[tokio::test]
async fn what_cannot_be_a_key_is_never_looked_up() {
    let directory = Arc::new(Watched::default());
    let key = ApiKeys::generate("ada");
    directory.inner.insert(key.entry().clone()).unwrap();
    let stand = Stand::start(ApiKeys::new(directory.clone()), &FakeClock::new()).await.unwrap();
    let text = key.key().expose();
    for wrong in ["mcpk_x", "mcpk_aaaaaaaaaaaa_b", &text[..40], &format!("{text}x")] {
        assert_eq!(stand.status(wrong).await, 401, "{wrong}");
    }
    assert_eq!(directory.looked.load(Ordering::Relaxed), 0);
    assert_eq!(stand.status(text).await, 200);
    assert_eq!(directory.looked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn other_credentials_are_left_to_others() {
    let key = ApiKeys::generate("ada");
    let (stand, _) = stand(&[&key]).await;
    for other in ["eyJhbGciOiJFUzI1NiJ9.e30.AA", "opaque", "mcpkx_a_b", "mcpk"] {
        let error = stand.bearer(other).await.unwrap_err();
        assert_eq!(error.kind(), &AuthErrorKind::NotMine, "{other}");
    }
    let none = stand.with_headers(&[]).await.unwrap_err();
    assert_eq!(none.kind(), &AuthErrorKind::Missing);
}

#[tokio::test]
async fn a_directory_that_cannot_tell_is_503() {
    let directory = Watched { fails: true, ..Watched::default() };
    let key = ApiKeys::generate("ada");
    let client = site(ApiKeys::new(directory), &FakeClock::new()).await;
    let answer = client.post("/mcp").bearer(key.key().expose()).send().await;
    answer.expect_status(503).expect_header("retry-after", "5").expect_no_challenge();
}

// covers: RS06, AUTH-09
#[tokio::test]
async fn a_key_for_one_resource_is_refused_at_another() {
    let key = ApiKeys::generate("ada").resource("https://mcp.test/mcp");
    let (stand, _) = stand(&[&key]).await;
    let text = key.key().expose();
    let identity = stand.bearer_at(&stand.mcp, text).await.unwrap();
    assert_eq!(identity.audience(), [stand.mcp.audience().clone()]);
    let error = stand.bearer_at(&stand.sse, text).await.unwrap_err();
    assert_eq!(error.kind(), &AuthErrorKind::InvalidToken);
}

#[tokio::test]
async fn a_key_ends_to_the_second_and_its_streams_with_it() {
    let clock = FakeClock::new();
    let key = ApiKeys::generate("ada").expires_in(Duration::from_secs(60), &clock);
    let end = key.entry().expires().unwrap();
    let stand = Stand::start(ApiKeys::new(list(&[&key])), &clock).await.unwrap();
    clock.set(end - Duration::from_millis(1));
    let identity = stand.bearer(key.key().expose()).await.unwrap();
    assert_eq!(identity.expires_at(), Some(end));
    stand.auth.still_valid(&identity).await.unwrap();
    clock.set(end);
    assert_eq!(stand.status(key.key().expose()).await, 401);
    assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().status(), 401);
}

#[tokio::test]
async fn rotation_overlaps_and_a_session_survives_it() {
    let old = ApiKeys::generate("ada").client("ci");
    let (stand, list) = stand(&[&old]).await;
    let before = stand.bearer(old.key().expose()).await.unwrap();
    let new = ApiKeys::generate("ada").client("ci");
    list.insert(new.entry().clone()).unwrap();
    let after = stand.bearer(new.key().expose()).await.unwrap();
    assert_eq!(stand.status(old.key().expose()).await, 200);
    assert_eq!(before.principal(), after.principal());
    assert_ne!(before.token_id(), after.token_id());
    assert_eq!(after.method(), AuthMethod::ApiKey);
    assert!(list.revoke(old.key().id()));
    assert_eq!(stand.status(old.key().expose()).await, 401);
    assert_eq!(stand.status(new.key().expose()).await, 200);
}

#[tokio::test]
async fn revocation_and_less_scope_end_streams() {
    let key = ApiKeys::generate("ada").scopes(Scopes::from("a b"));
    let (stand, list) = stand(&[&key]).await;
    let identity = stand.bearer(key.key().expose()).await.unwrap();
    stand.auth.still_valid(&identity).await.unwrap();

    for changed in [
        key.clone().scopes(Scopes::from("a")),
        key.clone().client("other"),
        key.clone().resource("https://mcp.test/sse"),
    ] {
        assert!(list.revoke(key.key().id()));
        list.insert(changed.into_entry()).unwrap();
        assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().status(), 401);
    }
    // More than before is no reason to end.
    list.revoke(key.key().id());
    list.insert(key.clone().scopes(Scopes::from("a b c")).into_entry()).unwrap();
    stand.auth.still_valid(&identity).await.unwrap();
    list.revoke(key.key().id());
    assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().status(), 401);
}

#[tokio::test]
async fn two_directories_keep_their_owners_apart() {
    let key = ApiKeys::generate("ada");
    let clock = FakeClock::new();
    let staff = Stand::start(ApiKeys::new(list(&[&key])).issuer("urn:staff"), &clock).await.unwrap();
    let guests = Stand::start(ApiKeys::new(list(&[&key])), &clock).await.unwrap();
    let text = key.key().expose();
    assert_ne!(staff.bearer(text).await.unwrap().user(), guests.bearer(text).await.unwrap().user());
}

#[tokio::test]
async fn set_ups_that_cannot_work_are_refused_at_start() {
    let clock = FakeClock::new();
    for (keys, sentence) in [
        (ApiKeys::new(list(&[])).header("Authorization"), "name one of their own"),
        (ApiKeys::new(list(&[])).header("Mcp-Session-Id"), "name one of their own"),
        (ApiKeys::new(list(&[])).header("X API Key"), "name one of their own"),
        (ApiKeys::new(list(&[])).prefix("Has_Underscore"), "2 to 16 lower-case letters"),
        (ApiKeys::new(list(&[])).prefix(""), "2 to 16 lower-case letters"),
    ] {
        let error = Stand::start(keys, &clock).await.err().unwrap();
        assert!(error.to_string().contains(sentence), "{error}");
    }
    assert!(ApiKeys::generate_with_prefix("NO", "ada").is_err());
    let nobody = ApiKeys::generate(" ");
    assert!(KeyList::new([nobody.into_entry()]).unwrap_err().to_string().contains("has no owner"));
    let twice = ApiKeys::generate("ada").into_entry();
    assert!(KeyList::new([twice.clone(), twice]).unwrap_err().to_string().contains("twice"));
}

#[tokio::test]
async fn a_prefix_of_ones_own_is_the_only_one_accepted() {
    let own = ApiKeys::generate_with_prefix("acme", "ada").unwrap();
    let usual = ApiKeys::generate("ada");
    let keys = ApiKeys::new(list(&[&own, &usual])).prefix("acme");
    let stand = Stand::start(keys, &FakeClock::new()).await.unwrap();
    assert_eq!(stand.status(own.key().expose()).await, 200);
    assert_eq!(stand.bearer(usual.key().expose()).await.unwrap_err().kind(), &AuthErrorKind::NotMine);
}

// covers: AUTH-20
#[tokio::test]
async fn nothing_prints_a_key() {
    let key = ApiKeys::generate("ada");
    let (stand, list) = stand(&[&key]).await;
    let identity = stand.bearer(key.key().expose()).await.unwrap();
    let secret = &key.key().expose()[18..];
    let printed = format!("{key:?} {list:?} {:?} {identity:?} {:?}", stand.auth, key.entry());
    assert!(!printed.contains(secret) && !key.entry().to_toml().contains(secret));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_changed_character_is_noticed_without_a_look_up(at in 5usize..67, with in "[0-9A-Za-z]") {
        let key = ApiKeys::generate("ada");
        let mut text = key.key().expose().to_owned();
        prop_assume!(text.get(at..=at) != Some(with.as_str()));
        text.replace_range(at..=at, &with);
        let directory = Arc::new(Watched::default());
        directory.inner.insert(key.entry().clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let stand = Stand::start(ApiKeys::new(directory.clone()), &FakeClock::new()).await.unwrap();
            assert_eq!(stand.status(&text).await, 401, "{text}");
        });
        prop_assert_eq!(directory.looked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn whatever_is_presented_is_judged_without_a_panic(text in "(mcpk_)?[0-9A-Za-z_.~+/=-]{0,90}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let stand = Stand::start(ApiKeys::new(KeyList::default()), &FakeClock::new()).await.unwrap();
            assert_eq!(stand.status(&text).await, 401);
        });
    }
}

#[cfg(feature = "keys-file")]
mod file {
    use std::fs;
    use std::path::PathBuf;

    use mcp_auth_jwt::KeyFile;
    use tempfile::TempDir;

    use super::*;

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        (folder, path)
    }

    async fn start(path: &PathBuf, clock: &FakeClock) -> Result<Stand<ApiKeys>, String> {
        Stand::start(ApiKeys::new(KeyFile::new(path)), clock).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn changes_are_seen_within_a_second_and_without_a_restart() {
        let (_folder, path) = folder();
        let (first, second) = (ApiKeys::generate("ada"), ApiKeys::generate("bob"));
        KeyFile::append(&path, first.entry()).unwrap();
        let clock = FakeClock::new();
        let stand = start(&path, &clock).await.unwrap();
        assert_eq!(stand.status(first.key().expose()).await, 200);

        KeyFile::append(&path, second.entry()).unwrap();
        assert_eq!(stand.status(second.key().expose()).await, 401, "not looked at again yet");
        clock.advance(Duration::from_secs(1));
        assert_eq!(stand.status(second.key().expose()).await, 200);
        assert_eq!(stand.status(first.key().expose()).await, 200);
        let third = ApiKeys::generate("cyd");
        KeyFile::append(&path, third.entry()).unwrap();
        assert_eq!(stand.status(third.key().expose()).await, 401, "looked at twice within a second");

        let identity = stand.bearer(first.key().expose()).await.unwrap();
        // The same size and, for all a coarse file system knows, the same time.
        let old = fs::metadata(&path).unwrap().modified().unwrap();
        let text = fs::read_to_string(&path).unwrap().replace("owner = \"ada\"", "owner = \"eve\"");
        fs::write(&path, text).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        clock.advance(Duration::from_secs(1));
        assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().status(), 401);
        fs::write(&path, second.entry().to_toml()).unwrap();
        clock.advance(Duration::from_secs(1));
        assert_eq!(stand.status(first.key().expose()).await, 401);
    }

    #[tokio::test]
    async fn the_secret_counts_and_not_the_id() {
        let (_folder, path) = folder();
        let (one, other) = (ApiKeys::generate("ada"), ApiKeys::generate("ada"));
        KeyFile::append(&path, one.entry()).unwrap();
        let clock = FakeClock::new();
        let stand = start(&path, &clock).await.unwrap();
        let identity = stand.bearer(one.key().expose()).await.unwrap();
        // The same id and owner, and the hash of another key.
        fs::write(&path, other.entry().to_toml().replace(other.key().id(), one.key().id())).unwrap();
        clock.advance(Duration::from_secs(1));
        assert_eq!(stand.bearer(one.key().expose()).await.unwrap_err().kind(), &AuthErrorKind::InvalidToken);
        assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().kind(), &AuthErrorKind::InvalidToken);
    }

    #[tokio::test]
    async fn a_broken_file_keeps_what_was_read_before() {
        let (_folder, path) = folder();
        let key = ApiKeys::generate("ada");
        KeyFile::append(&path, key.entry()).unwrap();
        let clock = FakeClock::new();
        let stand = start(&path, &clock).await.unwrap();
        for broken in ["[[key]", "[[key]]\nid = 7", "\u{0}", "[[keys]]\n"] {
            fs::write(&path, broken).unwrap();
            clock.advance(Duration::from_secs(1));
            assert_eq!(stand.status(key.key().expose()).await, 200, "{broken:?}");
        }
        fs::remove_file(&path).unwrap();
        clock.advance(Duration::from_secs(1));
        assert_eq!(stand.status(key.key().expose()).await, 200);
        fs::write(&path, "").unwrap();
        clock.advance(Duration::from_secs(1));
        assert_eq!(stand.status(key.key().expose()).await, 401, "an empty file is no broken one");
    }

    #[tokio::test]
    async fn mistakes_at_start_are_told_by_line_and_without_the_text() {
        let (_folder, path) = folder();
        let clock = FakeClock::new();
        let missing = start(&path, &clock).await.err().unwrap();
        assert!(missing.contains("cannot be opened"), "{missing}");

        let good = ApiKeys::generate("ada").into_entry().to_toml();
        let pasted = ApiKeys::generate("ada").key().expose().to_owned();
        for (text, sentence) in [
            (format!("{good}scope = [\"a\"]\n"), "mistake in line 5"),
            (format!("{good}key = \"{pasted}\"\n"), "mistake in line 5"),
            (format!("{good}\n{good}"), "is there twice"),
            (good.replace("sha256 = \"", "sha256 = \"zz"), "64 hexadecimal digits"),
            (format!("{good}scopes = [\"a b\"]\n"), "is not a scope"),
            (format!("{good}expires = 2028-01-01T00:00:00\n"), "with the Z"),
            (format!("{good}expires = 2028-01-01\n"), "with the Z"),
            (format!("{good}resources = [\"/mcp\"]\n"), "write its whole URL"),
            (format!("{good}resources = [\"{pasted}\"]\n"), "write its whole URL"),
            (format!("{good}scopes = \"{pasted}\"\n"), "mistake in line 5"),
            (format!("{good}{pasted} = 1\n"), "mistake in line 5: unknown field"),
            ("[[key]]\nid = \"a\"\n".to_owned(), "missing field `owner`"),
            (good.replace("\"ada\"", "\"\""), "has no owner"),
            (format!("{good}[[key]]\nid = \"{pasted}\"\nowner = \"x\"\nsha256 = \"00\"\n"), "64 hexadecimal"),
            (good.replace("id = \"", "id = \"mcpk_"), "has an id that is none"),
        ] {
            fs::write(&path, &text).unwrap();
            let error = start(&path, &clock).await.err().unwrap();
            assert!(error.contains(sentence), "{text}\n{error}");
            assert!(!error.contains(&pasted), "{error}");
        }
    }

    #[tokio::test]
    async fn half_an_entry_is_none() {
        let (_folder, path) = folder();
        let key = ApiKeys::generate("ada")
            .scopes(Scopes::from("files:read"))
            .expires_at(mcp_core::Timestamp::from_secs(1))
            .resource("https://mcp.test/mcp")
            .client("cli");
        let whole = key.entry().to_toml();
        let clock = FakeClock::new();
        for cut in 0..whole.len() - 1 {
            fs::write(&path, &whole[..cut]).unwrap();
            let file = KeyFile::new(&path);
            if file.start(&clock).await.is_ok() {
                let found = file.find(key.key().id(), &clock).await.unwrap();
                assert!(found.is_none(), "{}", &whole[..cut]);
            }
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = folder();
        let key = ApiKeys::generate("ada");
        KeyFile::append(&path, key.entry()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let clock = FakeClock::new();
        for mode in [0o620, 0o602, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = start(&path, &clock).await.err().unwrap();
            assert!(error.contains("chmod go-w"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(start(&path, &clock).await.unwrap().status(key.key().expose()).await, 200);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_entry_is_read_as_it_was_written(
            owner in "\\PC{1,20}[a-z]",
            client in prop::option::of("(\\PC|[\"\\\\\n\t\u{0}\u{7f}]){0,20}"),
            seconds in prop::option::of(0u64..253_402_300_800),
            scopes in prop::collection::vec("[!#-\\[\\]-~]{1,8}", 0..4),
        ) {
            let (_folder, path) = folder();
            let mut key = ApiKeys::generate(owner.clone()).scopes(Scopes::parse(&scopes.join(" ")));
            if let Some(client) = &client {
                key = key.client(client.clone());
            }
            if let Some(seconds) = seconds {
                key = key.expires_at(mcp_core::Timestamp::from_secs(seconds));
            }
            KeyFile::append(&path, key.entry()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let clock = FakeClock::new();
            let read = runtime.block_on(async {
                let file = KeyFile::new(&path);
                file.start(&clock).await.unwrap();
                file.find(key.key().id(), &clock).await.unwrap().unwrap()
            });
            prop_assert_eq!(read.owner(), owner);
            prop_assert_eq!(read.used_by(), client.as_deref());
            prop_assert_eq!(read.expires(), key.entry().expires());
            prop_assert_eq!(read.granted(), key.entry().granted());
            prop_assert_eq!(read.digest(), key.entry().digest());
        }
    }
}
