//! The user's end.

use super::*;
use crate::browser::form::unescape;

// covers: DV06
#[tokio::test]
async fn a_prefilled_code_still_asks_and_says_for_what() {
    // Even where nobody else is asked.
    let world = World::of(|| provider(Scripted::local()).dangerous().skip_consent()).await;
    let device = world.device("tv").await;
    let browser = world.browser();
    let address = format!("/device?user_code={}", device.user_code.to_lowercase());
    let page = browser.navigate(&address, "cross-site").await.expect_status(200).text();
    let form = Form::of(&page);
    assert_eq!((form.action.as_str(), form.value("user_code")), ("/device", device.user_code.as_str()));
    let answer = browser.post(&form).await.expect_status(303);
    let sign_in = Form::of(&browser.follow(answer).await.text()).with("name", "ada").with("stay", "on");
    let answer = browser.post(&sign_in).await;
    let page = browser.follow(answer).await.expect_status(200).text();
    for word in ["Telly &lt;One&gt;", &device.user_code, "Read your notes", "Change your notes", RS, "ada"] {
        assert!(page.contains(word) || unescape(&page).contains(word), "{word} in {page}");
    }
    assert!(!page.contains("You go on at"), "{page}");
    refused(&world.poll(&device).await, 400, "authorization_pending");
    // And asks again the next time, whatever was said before.
    browser.post(&Form::of(&page).with("action", "allow")).await.expect_status(200);
    let next = world.device("tv").await;
    let page = consent_page(&browser, &next.user_code, "ada").await;
    assert!(page.contains(&next.user_code), "{page}");
    // What is no code is filled in nowhere.
    let page = browser.open("/device?user_code=%22%3E%3Cscript%3E").await.expect_status(200).text();
    assert_eq!(Form::of(&page).value("user_code"), "");
}

// covers: DV07
#[tokio::test]
async fn approval_cannot_be_forged() {
    let world = world().await;
    let device = world.device("tv").await;
    let browser = world.browser();
    let page = browser.open("/device").await.expect_status(200);
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    let typed = Form::of(&page.text()).with("user_code", &device.user_code);
    browser.post_from(&typed, "cross-site").await.expect_status(403);

    let html = consent_page(&browser, &device.user_code, "ada").await;
    let form = Form::of(&html).with("action", "allow");
    browser.post_from(&form, "cross-site").await.expect_status(403);
    browser.post(&form.clone().without("csrf")).await.expect_status(403);
    browser.post(&form.clone().with("csrf", "x")).await.expect_status(403);
    // In another browser it is nothing, signed in or not.
    let stranger = world.browser();
    stranger.post(&form).await.expect_status(400);
    let own = consent_page(&stranger, &device.user_code, "eve").await;
    stranger.post(&form).await.expect_status(400);
    let mixed = Form::of(&own).with("action", "allow").with("csrf", form.value("csrf"));
    stranger.post(&mixed).await.expect_status(403);
    refused(&world.poll(&device).await, 400, "authorization_pending");
    browser.post(&form).await.expect_status(200);
    world.poll(&device).await.expect_status(200);
}

// covers: DV10
#[tokio::test]
async fn approval_speaks_for_the_signed_in_user_only() {
    let world = world().await;
    let first = world.device("tv").await;
    let browser = world.browser();
    answer_with(&browser, &first.user_code, "allow").await.expect_status(200);
    // Somebody else's code, in a browser that stayed signed in: the page says who would give access.
    let second = world.device("box").await;
    let answer = type_in(&browser, &second.user_code).await.expect_status(303);
    let page = browser.follow(answer).await.expect_status(200).text();
    assert!(
        page.contains("Signed in as") && page.contains("ada") && page.contains("This is not me"),
        "{page}"
    );
    refused(&world.poll(&second).await, 400, "authorization_pending");
    let answer = browser.post(&Form::of(&page).with("action", "switch")).await;
    let page = browser.follow(answer).await.expect_status(200).text();
    let answer = browser.post(&Form::of(&page).with("name", "bob")).await;
    let page = browser.follow(answer).await.expect_status(200).text();
    let done = browser.post(&Form::of(&page).with("action", "allow")).await.expect_status(200).text();
    assert!(done.contains("bob"), "{done}");
    for (device, name) in [(first, "ada"), (second, "bob")] {
        let tokens = world.poll(&device).await.expect_status(200).json();
        let token = tokens["access_token"].as_str().unwrap();
        let call = world.client.post("/mcp").bearer(token).json(&serde_json::json!({})).send().await;
        call.expect_status(200).expect_json("/sub", name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_windows_one_answers() {
    let world = world().await;
    let device = world.device("tv").await;
    let mut windows = Vec::new();
    for n in 0..16 {
        let browser = world.browser();
        let form = Form::of(&consent_page(&browser, &device.user_code, &format!("user{n}")).await);
        windows.push((browser, form.with("action", if n % 2 == 0 { "allow" } else { "deny" })));
    }
    let answers: Vec<_> = windows
        .into_iter()
        .map(|(browser, form)| tokio::spawn(async move { browser.post(&form).await }))
        .collect();
    let (mut allowed, mut denied) = (0, 0);
    for answer in answers {
        let answer = answer.await.unwrap();
        match answer.status() {
            200 if answer.text().contains("is connected") => allowed += 1,
            200 => denied += 1,
            status => assert_eq!(status, 400, "{answer}"),
        }
    }
    assert_eq!(allowed + denied, 1);
    let answer = world.poll(&device).await;
    if allowed == 1 {
        answer.expect_status(200);
    } else {
        refused(&answer, 400, "access_denied");
    }
    // The code leads nowhere any more.
    type_in(&world.browser(), &device.user_code).await.expect_status(400);
}

#[tokio::test]
async fn an_answer_is_told_again_and_not_given_again() {
    let world = world().await;
    let device = world.device("tv").await;
    let browser = world.browser();
    let form = Form::of(&consent_page(&browser, &device.user_code, "ada").await);
    let first = browser.post(&form.clone().with("action", "allow")).await.expect_status(200).text();
    let again = browser.post(&form.with("action", "deny")).await.expect_status(200).text();
    assert_eq!(first, again);
    assert_eq!(world.recorded("device_approved", "allowed"), 1);
    world.poll(&device).await.expect_status(200);
}

#[tokio::test]
async fn a_sign_in_elsewhere_comes_after_consent_here_too() {
    let sign_in = Scripted::upstream();
    let own = sign_in.clone();
    let world = World::of(move || provider(own.clone())).await;
    let device = world.device("tv").await;
    let browser = world.browser();
    let answer = type_in(&browser, &device.user_code).await.expect_status(303);
    let page = browser.follow(answer).await.expect_status(200).text();
    assert!(page.contains(&device.user_code) && page.contains("Telly &lt;One&gt;"), "{page}");
    assert_eq!(sign_in.steps(), 0);
    let answer = browser.post(&Form::of(&page).with("action", "allow")).await.expect_status(303);
    let url = url::Url::parse(answer.header("location").unwrap()).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    refused(&world.poll(&device).await, 400, "authorization_pending");
    let path = format!("/callback?state={state}&code=ada");
    let done = browser.navigate(&path, "cross-site").await.expect_status(200).text();
    assert!(done.contains("The device is connected") && done.contains("ada"), "{done}");
    world.later(5);
    world.poll(&device).await.expect_status(200);
}

#[tokio::test]
async fn who_is_not_let_in_denies() {
    let world = world().await;
    let device = world.device("tv").await;
    let browser = world.browser();
    let answer = type_in(&browser, &device.user_code).await.expect_status(303);
    let page = browser.follow(answer).await.expect_status(200).text();
    let answer = browser.post(&Form::of(&page).with("name", "nobody")).await;
    let page = browser.follow(answer).await.text();
    assert!(page.contains("Nobody may come in") && page.contains("was not connected"), "{page}");
    refused(&world.poll(&device).await, 400, "access_denied");
}
