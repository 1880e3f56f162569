//! `clients/` in a real browser and in Node, as a shop has them: its pages come from another origin than the gateway's.
//!
//! `make applications` installs Chromium and the packages of `clients/package.json`; without them a test says on the
//! terminal that it did not run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use api::wire::event::Outcome;
use api::wire::totals::TotalsResponse;
use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::applications::installed;
use crate::browser::Page;
use crate::page::example;
use crate::process::{self, Process};
use crate::redirect::browser;
use crate::samples::{SAMPLE, Sample, keys};
use crate::world::exposure;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients");
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../clients");

/// What the script may have, in bytes, as it is sent without compression.
const SCRIPT_LIMIT: usize = 2048;

/// Longer than the second that makes an exposure, and the half one for which events are gathered.
const LONG_ENOUGH: Duration = Duration::from_millis(2500);

/// Has the browser say that its person asks for privacy.
const PRIVATE: &str =
    "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true, configurable: true})";

/// A shop with its pages, and the gateway that it asks.
struct Shop {
    gateway: Process,
    port: u16,
    folder: tempfile::TempDir,
}

impl Shop {
    /// The gateway lets in the pages of one origin, that with the number in place of the name.
    async fn open(sample: Sample<'_>) -> Self {
        Self::open_with(sample, &[]).await
    }

    /// The same, with further arguments of the gateway's.
    async fn open_with(sample: Sample<'_>, arguments: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = process::folder(sample);
        let origin = format!("http://127.0.0.1:{port}");
        let arguments = [&["--allow-origin", &origin], arguments].concat();
        let gateway = Process::start_with("all", folder.path(), &arguments).await;
        let address = gateway.origin();
        let pages = Router::new().fallback(move |uri: Uri| std::future::ready(file(uri.path(), &address)));
        tokio::spawn(async move { axum::serve(listener, pages).await });
        Self { gateway, port, folder }
    }

    /// The address of a page, of the origin that is let in.
    fn page(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// Has the links of the sample lead to that page from now on.
    async fn leads_to(&self, page: &str) {
        let mut table = Sample { number: 2, window_seconds: 10, ..SAMPLE }.object();
        table.spec.landing_page = Some(api::LandingPage(page.to_owned()));
        let table = serde_json::to_vec(&table).unwrap();
        std::fs::write(self.folder.path().join("tables/table.json"), table).unwrap();
        let link = format!("/v1/r/{}", self.gateway.token("nobody").await);
        let browser = browser();
        let is_there = async || {
            let answer = browser.head(self.gateway.origin() + &link).send().await.unwrap();
            let location = answer.headers().get("location").map(|it| it.to_str().unwrap().to_owned());
            location.is_some_and(|it| it.starts_with(&format!("http://127.0.0.1:{}/", self.port)))
        };
        while !is_there().await {
            rest(Duration::from_millis(50)).await;
        }
    }

    /// How many events had that outcome.
    async fn events(&self, outcome: &str) -> u64 {
        let metrics = self.gateway.get("/metrics").await.unwrap().text().await.unwrap();
        let name = format!("broadside_events_total{{outcome=\"{outcome}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
    }

    /// Waits until so many events were accepted, and so many repeated.
    async fn until(&self, accepted: u64, repeated: u64) {
        let mut seen = (0, 0);
        for _ in 0..2000 {
            seen = (self.events("accepted").await, self.events("duplicate").await);
            if seen == (accepted, repeated) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{seen:?} in place of {:?}", (accepted, repeated));
    }

    /// Matured exposures and rewards, once none is pending.
    async fn counted(&self) -> (u64, f64) {
        loop {
            let path = format!("/v1/totals?campaign={}", SAMPLE.uid);
            let totals = self.gateway.get(&path).await.unwrap().bytes().await.unwrap();
            let totals: TotalsResponse = serde_json::from_slice(&totals).unwrap();
            let placement = &totals.placements[0];
            if placement.pending_exposures == 0 {
                let cells = || placement.cells.iter();
                return (cells().map(|cell| cell.exposures).sum(), cells().map(|cell| cell.rewards).sum());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A file of the clients, of npm's packages, or a page of this test, which is told where the gateway is.
fn file(path: &str, gateway: &str) -> Response {
    let file = match (path.strip_prefix("/clients/"), path.strip_prefix("/npm/")) {
        (Some(path), _) => Path::new(CLIENTS).join(path),
        (_, Some(path)) => packages().join(path),
        _ => Path::new(FOLDER).join(path.trim_start_matches('/')),
    };
    if path == "/landing.html" {
        return landing_page(gateway);
    }
    let Ok(text) = std::fs::read_to_string(&file) else { return StatusCode::NOT_FOUND.into_response() };
    let is_page = file.extension().is_some_and(|extension| extension == "html");
    let kind = if is_page { "text/html" } else { "text/javascript" };
    ([(header::CONTENT_TYPE, kind)], text.replace("GATEWAY", gateway)).into_response()
}

/// The landing page of `docs/applications.md`.
fn landing_page(gateway: &str) -> Response {
    let text = example("In a mail", "html").replace("/broadside.min.js", "/clients/browser/broadside.min.js");
    let text = text.replace("https://copy.shop.example", gateway);
    Html(format!("<!doctype html><link rel=icon href=data:,><script>const faults = []</script>{text}"))
        .into_response()
}

/// Where npm's packages are, once they are installed.
fn packages() -> PathBuf {
    installed("npm/node_modules", "the clients with npm's packages").unwrap_or_default()
}

async fn rest(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Nothing went wrong in the page.
async fn is_sound(page: &mut Page) {
    assert_eq!(page.evaluate("faults").await, json!([]));
    stores_nothing(page).await;
}

/// Nothing is left in the browser.
async fn stores_nothing(page: &mut Page) {
    let kept = page.evaluate("[document.cookie.length, localStorage.length, sessionStorage.length]").await;
    assert_eq!(kept, json!([0, 0, 0]));
}

/// `what` of the answer to a page that names nobody.
fn asked(gateway: &str, what: &str) -> String {
    format!(
        "fetch('{gateway}/v1/decide', {{method: 'POST', credentials: 'include', body: JSON.stringify(
            {{namespace: 'shop', campaign: 'cart-and-hero', placement: 'hero'}})}})
            .then(answer => answer.json()).then(answer => {what})"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_names_nobody_is_known_by_a_cookie_that_it_can_not_read() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open_with(SAMPLE, &["--visitor-cookie", "visitor"]).await;
    let subject = async |page: &mut Page| {
        page.go(&shop.page("copy.html")).await;
        let token = page.evaluate(&asked(&shop.gateway.origin(), "answer.token")).await;
        keys().verify(token.as_str().unwrap()).unwrap().subject
    };
    let first = subject(&mut page).await;
    assert_eq!(subject(&mut page).await, first, "the browser has kept it");
    stores_nothing(&mut page).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_seen_for_a_second_counts_once_and_so_does_a_click_on_it() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(Sample { window_seconds: 10, ..SAMPLE }).await;
    page.go(&shop.page("copy.html")).await;
    page.until("document.title == 'shown'").await;
    rest(LONG_ENOUGH).await;
    shop.until(0, 0).await;
    page.scroll_to("#copy").await;
    rest(Duration::from_millis(300)).await;
    page.scroll_to("#above").await;
    rest(LONG_ENOUGH).await;
    shop.until(0, 0).await;

    page.scroll_to("#copy").await;
    shop.until(1, 0).await;
    page.click("button").await;
    page.click("button").await;
    // The exposure travels along with the reward.
    shop.until(2, 1).await;
    is_sound(&mut page).await;

    page.go(&shop.page("copy.html")).await;
    page.until("document.title == 'shown'").await;
    page.scroll_to("#copy").await;
    shop.until(2, 2).await;
    assert_eq!(shop.counted().await, (1, 1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_landing_page_tells_what_came_of_a_link_and_its_address_keeps_no_token() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(Sample { window_seconds: 10, ..SAMPLE }).await;
    let landing = shop.page("landing.html?ref=mail&&a=%20+#reviews");
    shop.leads_to(&landing).await;
    let token = shop.gateway.token("alice").await;
    assert_eq!(shop.gateway.send(&[exposure("sent", &token)]).await.unwrap(), [Outcome::Accepted]);
    page.go(&format!("{}/v1/r/{token}", shop.gateway.origin())).await;
    shop.until(2, 0).await;
    assert_eq!(
        page.evaluate("[location.href, broadside.token, history.length]").await,
        json!([landing, token, 2])
    );
    is_sound(&mut page).await;
    page.go(&shop.page("landing.html")).await;
    assert_eq!(page.evaluate("broadside.token ?? 'none'").await, json!("none"));
    is_sound(&mut page).await;
    assert_eq!(shop.counted().await, (1, 1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_closes_tells_what_it_knows() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(SAMPLE).await;
    page.go(&shop.page("copy.html")).await;
    page.until("document.title == 'shown'").await;
    page.scroll_to("#copy").await;
    page.click("button").await;
    page.close().await;
    shop.until(2, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_transparent_or_behind_another_tab_is_not_seen() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(SAMPLE).await;
    page.go(&shop.page("copy.html")).await;
    page.until("document.title == 'shown'").await;
    page.evaluate("copy.style.opacity = 0").await;
    page.scroll_to("#copy").await;
    rest(LONG_ENOUGH).await;
    shop.until(0, 0).await;
    page.evaluate("copy.style.opacity = 1").await;
    page.cover().await;
    rest(LONG_ENOUGH).await;
    shop.until(0, 0).await;
    page.uncover().await;
    shop.until(1, 0).await;
    is_sound(&mut page).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_that_is_larger_than_the_window_or_comes_later_is_seen_too() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(SAMPLE).await;
    page.go(&shop.page("copy.html")).await;
    page.until("document.title == 'shown'").await;
    page.evaluate("copy.style.height = '6000px'").await;
    page.scroll_to("#copy").await;
    shop.until(1, 0).await;
    let bob = json!(shop.gateway.token("bob").await);
    page.evaluate(&format!("document.querySelector('h1').dataset.broadsideToken = {bob}, 0")).await;
    shop.until(2, 0).await;
    let carol = json!(shop.gateway.token("carol").await);
    page.evaluate(&format!("document.querySelector('h1').dataset.broadsideToken = {carol}, 0")).await;
    shop.until(3, 0).await;
    is_sound(&mut page).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_person_who_asks_for_privacy_nothing_is_told() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(SAMPLE).await;
    page.begin_with(PRIVATE).await;
    page.go(&shop.page("copy.html")).await;
    page.until("document.title == 'shown'").await;
    page.scroll_to("#copy").await;
    rest(LONG_ENOUGH).await;
    page.click("button").await;
    is_sound(&mut page).await;
    page.close().await;
    rest(LONG_ENOUGH).await;
    shop.until(0, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_browser_that_lacks_something_or_a_page_that_errs_the_page_goes_on() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(SAMPLE).await;
    page.begin_with("delete window.IntersectionObserver; Navigator.prototype.sendBeacon = undefined").await;
    page.go(&shop.page("copy.html")).await;
    page.until("document.title == 'shown'").await;
    page.evaluate("broadside.expose(), broadside.expose(7), broadside.reward(null, {}), 0").await;
    page.scroll_to("#copy").await;
    page.click("button").await;
    shop.until(2, 0).await;
    page.evaluate("broadside.events = 'https://no.such.example/', broadside.expose('x'.repeat(43)), 0").await;
    rest(LONG_ENOUGH).await;
    is_sound(&mut page).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_origins_on_the_list_alone_can_read_answers() {
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(SAMPLE).await;
    page.go(&shop.page("copy.html").replace("127.0.0.1", "localhost")).await;
    page.until("document.title == 'own default'").await;
    page.go(&shop.page("copy.html")).await;
    page.until("document.title == 'shown'").await;
    let tag = format!(
        "(async () => {{
            const body = JSON.stringify({{context: {{targetingKey: 'alice'}}}});
            const ask = (headers) => fetch('http://{}/ofrep/v1/evaluate/flags', {{method: 'POST', headers, body}});
            const tag = (await ask({{'Content-Type': 'application/json'}})).headers.get('ETag');
            return (await ask({{'Content-Type': 'application/json', 'If-None-Match': tag}})).status;
        }})()",
        shop.gateway.address
    );
    assert_eq!(page.evaluate(&tag).await, json!(304));
    let reads =
        |path: &str| format!("fetch('http://{}{path}').then(() => true, () => false)", shop.gateway.address);
    assert_eq!(page.evaluate(&reads("/v1/decide?")).await, json!(true), "what is wrong can be read too");
    for path in ["/metrics", "/v1/totals?campaign=1", "/healthz"] {
        assert_eq!(page.evaluate(&reads(path)).await, json!(false), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openfeature_in_a_page_tracks_what_was_shown_and_done() {
    if packages().as_os_str().is_empty() {
        return;
    }
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(SAMPLE).await;
    page.go(&shop.page("openfeature.html")).await;
    page.until("document.title == 'evaluated'").await;
    let copy = page.evaluate("copy").await;
    assert!(copy["value"]["headline"].as_str().unwrap().starts_with("Run further"), "{copy}");
    page.evaluate(&format!("{PRIVATE}, client.track('exposure', {{flag}})")).await;
    page.evaluate("delete Navigator.prototype.globalPrivacyControl").await;
    page.evaluate("client.track('product-view', {flag: 'shop.other.hero'})").await;
    rest(LONG_ENOUGH).await;
    shop.until(0, 0).await;
    page.evaluate("client.track('exposure', {flag})").await;
    shop.until(1, 0).await;
    page.evaluate("client.track('product-view')").await;
    stores_nothing(&mut page).await;
    page.close().await;
    shop.until(2, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openfeature_in_a_page_of_another_origin_shows_the_pages_own_default() {
    if packages().as_os_str().is_empty() {
        return;
    }
    let Some(mut page) = Page::open().await else { return };
    let shop = Shop::open(SAMPLE).await;
    page.go(&shop.page("openfeature.html").replace("127.0.0.1", "localhost")).await;
    page.until("document.title == 'evaluated'").await;
    assert_eq!(page.evaluate("copy.value").await, json!({"headline": "Our own headline"}));
    page.evaluate("client.track('exposure', {flag}), client.track('product-view')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openfeature_in_a_server_tracks_and_sends_again_what_was_not_taken() {
    if !has_packages() {
        return;
    }
    let shop = Shop::open(SAMPLE).await;
    let address = format!("http://{}", shop.gateway.address);
    let lines = tokio::task::spawn_blocking(move || server(&address)).await.unwrap();
    let [evaluated, bodies] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(evaluated["reason"], json!("SPLIT"), "{evaluated}");
    // Alice is exposed and acts, and is exposed once more; of Bob there is a token, and of Carol nothing.
    shop.until(3, 1).await;
    assert_eq!(bodies.as_array().unwrap().len(), 2, "{bodies}");
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0][0], json!("Bearer of shop"), "the key of decisions goes with events");
    let event = &bodies[0][1]["events"][0];
    assert_eq!(event["value"], json!(1));
    assert!(event["id"].as_str().unwrap().ends_with("product-vieworder-7"), "{event}");
}

/// What `server.mjs` prints.
fn server(gateway: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{FOLDER}/server.mjs")).unwrap();
    let (script, _folder) = beside_packages("server.mjs", &text);
    let output = Command::new("node").arg(script).arg(gateway).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A script in a folder with the provider and npm's packages.
pub(crate) fn beside_packages(name: &str, text: &str) -> (PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(packages(), folder.path().join("node_modules")).unwrap();
    for file in ["events.js", "package.json", "server.js"] {
        std::fs::copy(format!("{CLIENTS}/openfeature/{file}"), folder.path().join(file)).unwrap();
    }
    let script = folder.path().join(name);
    std::fs::write(&script, text).unwrap();
    (script, folder)
}

/// Whether npm's packages are there; a note says so where they are not.
pub(crate) fn has_packages() -> bool {
    !packages().as_os_str().is_empty()
}

#[test]
fn the_script_is_small() {
    let script = std::fs::read(format!("{CLIENTS}/browser/broadside.min.js")).unwrap();
    assert!(script.len() <= SCRIPT_LIMIT, "{} bytes", script.len());
}

#[test]
fn the_script_that_pages_load_is_made_of_its_source() {
    let terser = packages().join("terser/bin/terser");
    if !terser.exists() {
        return;
    }
    let mut command = Command::new("node");
    command.arg(terser).arg(format!("{CLIENTS}/browser/broadside.js"));
    command.args(["--ecma", "2020", "--compress", "passes=3", "--mangle"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (made, file) = (output.stdout, format!("{CLIENTS}/browser/broadside.min.js"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let committed = std::fs::read(&file).unwrap();
    assert!(
        committed == made,
        "{file} is not made of its source: UPDATE=1 cargo test --package broadside-gateway --test it the_script"
    );
}
