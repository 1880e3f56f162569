//! Links that lead to the landing page of their campaign, and nowhere else.

use std::time::{Duration, Instant};

use api::wire::event::Outcome;
use api::wire::token::Keys;
use api::{AdTable, LandingPage};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use tower::ServiceExt;

use crate::auth::{SHOP, guarded};
use crate::process::{self, Process};
use crate::samples::{LANDING_PAGE, SAMPLE, START, Sample, keys};
use crate::signed::claims;
use crate::world::{World, exposure};

const DAY: i64 = 24 * 3600 * 1000;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn head(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::FOUND, "{}", self.body);
        self.head("location").unwrap()
    }
}

async fn ask(router: &Router, method: Method, path: &str, head: &[(&str, &str)]) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = head.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
    Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

/// Unconfirmed clicks by round and variant, and over all cells the exposures that are pending or counted and the rewards.
async fn counted(world: &World) -> (Vec<(u32, String, u64)>, (u64, f64, u64)) {
    let placements = world.totals(SAMPLE.uid).await.placements;
    let cells = placements.iter().flat_map(|placement| &placement.cells);
    let clicks = cells.filter(|cell| cell.unconfirmed_clicks > 0);
    let clicks = clicks.map(|cell| (cell.round, cell.variant.clone(), cell.unconfirmed_clicks)).collect();
    (clicks, world.sums(SAMPLE.uid).await)
}

/// How many links had that outcome.
fn followed(world: &World, outcome: &str) -> u64 {
    let name = format!("broadside_links_followed_total{{outcome=\"{outcome}\"}} ");
    let metrics = world.metrics();
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

async fn follow(world: &World, token: &str) -> Answer {
    ask(&world.ledger, Method::GET, &format!("/v1/r/{token}"), &[]).await
}

/// Where links of the sample lead with that token.
fn told(token: &str) -> String {
    format!("https://shop.example/trail?ref=ad&broadside={token}#top")
}

/// The sample's table under another number, with another landing page.
fn leading_to(number: i64, page: Option<&str>) -> AdTable {
    let mut table = Sample { number, ..SAMPLE }.object();
    table.spec.landing_page = page.map(|page| LandingPage(page.to_owned()));
    table
}

/// One that stays where it is, to see where it would be led.
pub(crate) fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

#[tokio::test]
async fn a_link_leads_to_the_landing_page_which_is_told_the_token() {
    let world = World::new(SAMPLE);
    let token = world.token("alice").await;
    for method in [Method::GET, Method::HEAD] {
        let answer = ask(&world.ledger, method, &format!("/v1/r/{token}"), &[]).await;
        assert_eq!((answer.location(), answer.body.as_str()), (told(&token).as_str(), ""));
        assert_eq!(answer.head("cache-control"), Some("no-store"));
        assert_eq!(answer.head("referrer-policy"), Some("no-referrer"));
    }
    let posted = ask(&world.ledger, Method::POST, &format!("/v1/r/{token}"), &[]).await;
    assert_eq!((posted.status, posted.head("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("GET,HEAD")));
}

#[tokio::test]
async fn nothing_of_a_request_leads_elsewhere() {
    let world = World::new(SAMPLE);
    let token = world.token("alice").await;
    let evil = "https://evil.example/";
    for more in ["", "?", "?url=https://evil.example/", "?broadside=x&landingPage=//evil.example", "?#/"] {
        assert_eq!(follow(&world, &format!("{token}{more}")).await.location(), told(&token), "{more}");
    }
    for name in ["host", "x-forwarded-host", "x-original-url", "referer", "origin", "location", "forwarded"] {
        let answer = ask(&world.ledger, Method::GET, &format!("/v1/r/{token}"), &[(name, evil)]).await;
        assert_eq!(answer.location(), told(&token), "{name}");
    }
    let escaped = token.replace('.', "%2E");
    assert_eq!(follow(&world, &escaped).await.location(), told(&token), "as some mail programs write it");
}

#[tokio::test]
async fn a_link_that_is_not_ours_leads_nowhere_and_is_not_repeated() {
    let world = World::new(SAMPLE);
    let token = world.token("alice").await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bobs = claims(START.as_second(), keys().subject(SAMPLE.uid, "bob"));
    let strangers = Keys::new(&[8; 32]).unwrap().sign(&bobs);
    let bobs = keys().sign(&bobs);
    let (signed_for_bob, _) = bobs.rsplit_once('.').unwrap();
    for (sentence, link) in [
        ("a word", "trail".to_owned()),
        ("an address", "https%3A%2F%2Fevil.example%2F".to_owned()),
        ("a script", "%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned()),
        ("another release's", strangers),
        ("Bob's, signed as Alice's", format!("{signed_for_bob}.{signature}")),
        ("without its signature", format!("{signed}.")),
        ("cut short", token[..token.len() - 1].to_owned()),
        ("with something behind it", format!("{token}x")),
        ("with a header behind it", format!("{token}%0d%0aSet-Cookie:%20a=b")),
        ("with a slash behind it", format!("{token}%2F..%2Fevil")),
        ("no text", "%FF%FE".to_owned()),
        ("a long one", "v1.".repeat(1000)),
    ] {
        let answer = follow(&world, &link).await;
        assert_eq!((answer.status, answer.head("location")), (StatusCode::NOT_FOUND, None), "{sentence}");
        assert_eq!(answer.head("content-type"), Some("text/plain; charset=utf-8"), "{sentence}");
        assert_eq!(answer.head("cache-control"), Some("no-store"), "{sentence}");
        assert_eq!(answer.headers.get("set-cookie"), None, "{sentence}");
        let said =
            "This link is not valid, or no longer. Copy it as a whole, or look for the page yourself.\n";
        assert_eq!(answer.body, said, "{sentence}");
    }
}

#[tokio::test]
async fn a_link_leads_where_the_table_says_now() {
    let mut world = World::new(SAMPLE);
    let token = world.token("alice").await;
    world.offer(&leading_to(2, Some("http://[::1]:8080"))).unwrap();
    assert_eq!(follow(&world, &token).await.location(), format!("http://[::1]:8080?broadside={token}"));
    world.offer(&leading_to(3, Some("javascript:alert(1)"))).unwrap_err();
    world.offer(&leading_to(3, Some("https://shop.example/\r\nSet-Cookie: a=b"))).unwrap_err();
    assert_eq!(follow(&world, &token).await.location(), format!("http://[::1]:8080?broadside={token}"));
    world.offer(&leading_to(3, None)).unwrap();
    let nowhere = follow(&world, &token).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert!(nowhere.body.contains("sets spec.brief.landingPage"), "{}", nowhere.body);
    world.remove(SAMPLE.uid);
    let gone = follow(&world, &token).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.body.contains("leads nowhere, or not yet"), "{}", gone.body);
}

#[tokio::test]
async fn a_link_is_good_for_as_long_as_its_key_and_its_campaign() {
    let mut world = World::new(SAMPLE);
    let token = world.token("alice").await;
    world.clock.advance(400 * DAY);
    world
        .offer(
            &Sample { number: 2, seed: 2, round: 9, allocations: &[(&["all"], &[1_000_000])], ..SAMPLE }
                .object(),
        )
        .unwrap();
    assert_eq!(follow(&world, &token).await.location(), told(&token));
}

#[tokio::test]
async fn of_whom_nothing_is_counted_the_landing_page_is_told_no_token() {
    let world = World::new(SAMPLE);
    let path = format!("/v1/r/{}", world.token("alice").await);
    for head in [("sec-gpc", "1"), ("user-agent", "Slackbot-LinkExpanding 1.0")] {
        let answer = ask(&world.ledger, Method::GET, &path, &[head]).await;
        assert_eq!(answer.location(), LANDING_PAGE, "{head:?}");
    }
}

#[tokio::test]
async fn a_person_who_follows_is_one_unconfirmed_click_however_often_and_nothing_else() {
    let world = World::new(Sample { round: 3, window_seconds: 100, ..SAMPLE });
    let (alice, bob) = (world.token("alice").await, world.token("bob").await);
    assert_eq!(world.send(&[exposure("1", &alice)]).await, [Outcome::Accepted]);
    for _ in 0..3 {
        assert_eq!(follow(&world, &alice).await.location(), told(&alice));
    }
    let click = |token: &str| (3, keys().verify(token).unwrap().variant, 1);
    assert_eq!(counted(&world).await, (vec![click(&alice)], (0, 0.0, 1)));
    world.clock.advance(1);
    let again = world.token("alice").await;
    assert_eq!(follow(&world, &again).await.location(), told(&again), "the same person by another mail");
    assert_eq!((followed(&world, "Recorded"), followed(&world, "Repeated")), (1, 3));
    world.clock.advance(40 * DAY);
    assert_eq!(follow(&world, &bob).await.location(), told(&bob), "weeks later, and nobody told of the mail");
    let (clicks, sums) = counted(&world).await;
    assert_eq!(clicks.iter().map(|(_, _, clicks)| clicks).sum::<u64>(), 2);
    assert_eq!(sums, (1, 0.0, 0), "a click is no reward, and makes no exposure");
}

#[tokio::test]
async fn what_follows_ahead_or_apart_is_no_click() {
    let world = World::new(SAMPLE);
    let path = format!("/v1/r/{}", world.token("alice").await);
    for head in [
        ("sec-gpc", "1"),
        ("sec-purpose", "prefetch;prerender"),
        ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ] {
        assert_eq!(ask(&world.ledger, Method::GET, &path, &[head]).await.status, StatusCode::FOUND);
    }
    assert_eq!(ask(&world.ledger, Method::HEAD, &path, &[]).await.status, StatusCode::FOUND);
    assert_eq!(follow(&world, "trail").await.status, StatusCode::NOT_FOUND);
    assert_eq!(counted(&world).await.0, []);
    let told = ["Uncounted", "Dead", "Recorded"].map(|outcome| followed(&world, outcome));
    assert_eq!(told, [4, 1, 0]);
    assert_eq!(ask(&world.ledger, Method::GET, &path, &[]).await.status, StatusCode::FOUND);
    assert_eq!(counted(&world).await.0.len(), 1, "and then a person came");
}

#[tokio::test]
async fn a_link_needs_no_key_and_opens_no_other_door() {
    let world = World::new(SAMPLE);
    let (router, token) = (guarded(&world), world.token("alice").await);
    for key in ["", "Bearer nobody's", &format!("Bearer {SHOP}")] {
        let answer = ask(&router, Method::GET, &format!("/v1/r/{token}"), &[("authorization", key)]).await;
        assert_eq!(answer.location(), told(&token));
    }
    for (path, status) in [
        ("/v1/r/../events", StatusCode::NOT_FOUND),
        ("/v1/r/%2e%2e%2fevents", StatusCode::NOT_FOUND),
        ("/v1/r/", StatusCode::NOT_FOUND),
        ("/v1/r/a/../../decide?namespace=shop", StatusCode::NOT_FOUND),
        (
            "/v1/decide?namespace=shop&campaign=cart-and-hero&placement=hero&subject=a",
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        assert_eq!(ask(&router, Method::GET, path, &[]).await.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_that_records_has_links() {
    let folder = process::folder(SAMPLE);
    std::fs::create_dir(folder.path().join("api-keys")).unwrap();
    std::fs::write(folder.path().join("api-keys/shop.web"), SHOP).unwrap();
    let keys = folder.path().join("api-keys");
    let decide = Process::start("decide", folder.path()).await;
    let ledger = Process::start_with("ledger", folder.path(), &["--api-keys", keys.to_str().unwrap()]).await;
    let token = decide.token("alice").await;
    let browser = browser();
    let link = |process: &Process| format!("http://{}/v1/r/{token}", process.address);
    let answer = browser.get(link(&ledger)).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["location"]),
        (302, &told(&token).parse().unwrap())
    );
    assert_eq!(browser.get(link(&decide)).send().await.unwrap().status().as_u16(), 404);
    assert_eq!(ledger.send(&[exposure("1", &token)]).await, None, "events still need a key");
    assert!(!ledger.log().contains(&token), "no token is logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_led_on_although_the_click_can_not_be_recorded() {
    let folder = process::folder(SAMPLE);
    let nobody = ["--nats", "nats://127.0.0.1:1"];
    let decide = Process::start_with("decide", folder.path(), &nobody).await;
    let token = decide.token("alice").await;
    let begin = Instant::now();
    let answer = browser().get(format!("http://{}/v1/r/{token}", decide.address)).send().await.unwrap();
    assert_eq!(answer.headers()["location"], told(&token));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    let metrics = decide.get("/metrics").await.unwrap().text().await.unwrap();
    assert!(metrics.contains("broadside_links_followed_total{outcome=\"Lost\"} 1\n"), "{metrics}");
}
