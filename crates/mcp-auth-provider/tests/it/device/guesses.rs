//! Who types codes that are not theirs.

use super::*;

/// A code that nobody has: that of a device, with its ends exchanged.
fn wrong(n: usize) -> String {
    let letters: Vec<char> = "BCDFGHJKLMNPQRSTVWXZ".chars().collect();
    let (low, high) = (letters[n % 20], letters[n / 20 % 20]);
    format!("{low}{high}BC-DFGH")
}

// covers: DV05
#[tokio::test]
async fn five_wrong_codes_are_all_there_are_in_the_life_of_one() {
    let mut world = world().await;
    let device = world.device("tv").await;
    let mut looked_at = 0;
    for n in 0..101 {
        // From everywhere, each time as a new browser.
        let answer = type_in(&world.browser(), &wrong(n)).await;
        match answer.status() {
            400 => looked_at += 1,
            status => assert_eq!(status, 429, "{answer}"),
        }
    }
    assert_eq!(looked_at, 5);
    // The right one is not looked at either, whichever process is asked.
    world.restart().await;
    let browser = world.browser();
    let answer = type_in(&browser, &device.user_code).await.expect_status(429);
    assert!(answer.header("retry-after").is_some() && answer.text().contains("longer"), "{answer}");
    // New ones are longer meanwhile, and work.
    let long = world.device("tv").await;
    assert_eq!(long.user_code.len(), 14, "{}", long.user_code);
    answer_with(&browser, &long.user_code, "allow").await.expect_status(200);
    world.poll(&long).await.expect_status(200);
    // When it is over, all is as before.
    world.later(601);
    let device = world.device("tv").await;
    assert_eq!(device.user_code.len(), 9);
    answer_with(&browser, &device.user_code, "allow").await.expect_status(200);
    assert_eq!(world.recorded("user_code", "denied"), 5 + 96 + 1);
}

// covers: DV05
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_come_at_once_no_more_are_looked_at() {
    let world = std::sync::Arc::new(world().await);
    let page = world.browser().open("/device").await.text();
    let guesses: Vec<_> = (0..64)
        .map(|n| {
            let (world, form) = (world.clone(), Form::of(&page).with("user_code", &wrong(n)));
            tokio::spawn(async move { world.browser().post(&form).await.status() })
        })
        .collect();
    let mut looked_at = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            400 => looked_at += 1,
            status => assert_eq!(status, 429),
        }
    }
    assert!((1..=5).contains(&looked_at), "{looked_at}");
}

// covers: DV05
#[tokio::test]
async fn an_address_a_browser_and_an_account_have_ten_long_ones_each() {
    let world = world().await;
    let long = |n: usize| format!("{}-{}", wrong(n), "JKLM");
    let mut looked_at = 0;
    while type_in(&world.browser(), &long(looked_at)).await.status() == 400 {
        looked_at += 1;
        assert!(looked_at <= 10);
    }
    assert_eq!(looked_at, 10, "from one address");
    let answer = type_in(&world.browser(), &long(11)).await.expect_status(429);
    assert!(answer.text().contains("from here"), "{answer}");
    world.later(600);
    type_in(&world.browser(), &long(12)).await.expect_status(400);
    // What is right does not count.
    world.later(600);
    for _ in 0..12 {
        let device = world.device("tv").await;
        type_in(&world.browser(), &device.user_code).await.expect_status(303);
    }
    // And what is no code is no guess.
    for _ in 0..12 {
        type_in(&world.browser(), "AEIOU").await.expect_status(400);
    }
    let device = world.device("tv").await;
    type_in(&world.browser(), &device.user_code).await.expect_status(303);
}
