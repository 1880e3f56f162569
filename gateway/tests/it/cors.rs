//! What browsers are told about pages of other origins; `clients.rs` has a browser that acts on it.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use gateway::auth::files::ApiKeyring;
use gateway::auth::{Access, ApiKeys};
use gateway::cors::Origins;
use gateway::serve::operations;
use prometheus_client::registry::Registry;
use tower::ServiceExt;

use crate::samples::SAMPLE;
use crate::world::World;

const SHOP: &str = "https://shop.example";

/// Both roles and the routes of operation, as one process has them.
fn gateway(origins: &[&str]) -> Router {
    guarded(origins, &Access::Open)
}

fn guarded(origins: &[&str], access: &Access) -> Router {
    let origins = origins.iter().map(|&origin| origin.to_owned()).collect::<Vec<_>>();
    let world = World::new(SAMPLE);
    let router = access.guard(world.decide.merge(world.ledger));
    Origins::parse(&origins)
        .unwrap()
        .let_in(router, access, None)
        .merge(operations(Registry::default(), || true))
}

async fn ask(router: Router, method: Method, path: &str, origin: &str) -> (StatusCode, HeaderMap) {
    let request = Request::builder().method(method).uri(path).header("Origin", origin);
    let request = request
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type,if-none-match");
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    (response.status(), response.headers().clone())
}

fn about_origins(headers: &HeaderMap) -> Vec<&str> {
    headers
        .keys()
        .map(axum::http::HeaderName::as_str)
        .filter(|name| name.starts_with("access-control"))
        .collect()
}

#[tokio::test]
async fn without_a_list_nothing_is_said() {
    for path in ["/v1/decide", "/v1/events", "/metrics"] {
        let (_, headers) = ask(gateway(&[]), Method::GET, path, SHOP).await;
        assert_eq!((about_origins(&headers), headers.get("vary")), (vec![], None), "{path}");
        let (status, headers) = ask(gateway(&[]), Method::OPTIONS, path, SHOP).await;
        assert_eq!((status, about_origins(&headers)), (StatusCode::METHOD_NOT_ALLOWED, vec![]), "{path}");
    }
}

#[tokio::test]
async fn a_listed_origin_is_let_in_where_pages_have_business() {
    let check = async |path: &str, origin: &str, allowed: Option<&str>| {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let (_, headers) =
                ask(gateway(&[SHOP, "http://localhost:3000"]), method.clone(), path, origin).await;
            let told = headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
            assert_eq!(told, allowed, "{method} {path} of {origin}");
        }
    };
    let flags = "/ofrep/v1/evaluate/flags";
    for path in ["/v1/decide", "/v1/events", flags, &format!("{flags}/shop.cart-and-hero.hero")] {
        check(path, SHOP, Some(SHOP)).await;
        check(path, "http://localhost:3000", Some("http://localhost:3000")).await;
        for other in ["https://other.example", "http://shop.example", "https://shop.example:8443", "null"] {
            check(path, other, None).await;
        }
    }
    for path in ["/v1/totals?campaign=1", "/metrics", "/healthz", "/readyz", "/v1/no-such"] {
        check(path, SHOP, None).await;
    }
}

#[tokio::test]
async fn a_page_may_send_json_and_what_it_knows_and_read_the_tag() {
    let (status, headers) = ask(gateway(&[SHOP]), Method::OPTIONS, "/ofrep/v1/evaluate/flags", SHOP).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["access-control-allow-methods"], "GET,POST");
    assert_eq!(headers["access-control-allow-headers"], "content-type,if-none-match");
    assert_eq!(headers["access-control-max-age"], "86400");
    let (_, headers) = ask(gateway(&[SHOP]), Method::POST, "/ofrep/v1/evaluate/flags", SHOP).await;
    assert_eq!(headers["access-control-expose-headers"], "etag,retry-after");
    assert_eq!(headers.get("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_cache_tells_origins_apart_and_still_heeds_the_browsers_wish() {
    let path = "/v1/decide?namespace=shop&campaign=cart-and-hero&placement=hero&subject=alice";
    let (status, headers) = ask(gateway(&[SHOP]), Method::GET, path, SHOP).await;
    let varies = headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!((status, varies), (StatusCode::OK, vec!["sec-gpc", "origin"]));
}

#[tokio::test]
async fn a_star_lets_in_every_origin() {
    for origin in [SHOP, "https://other.example", "null"] {
        let (_, headers) = ask(gateway(&["*"]), Method::POST, "/v1/decide", origin).await;
        assert_eq!(headers["access-control-allow-origin"], origin);
        let (_, headers) = ask(gateway(&["*"]), Method::GET, "/v1/totals", origin).await;
        assert_eq!(headers.get("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn where_keys_are_asked_for_a_page_may_send_one_and_read_why_it_was_refused() {
    let keyed = || guarded(&[SHOP], &Access::Keyed(ApiKeyring::new(ApiKeys::default())));
    let (status, headers) = ask(keyed(), Method::OPTIONS, "/v1/decide", SHOP).await;
    assert_eq!(status, StatusCode::OK, "a browser asks first, and without a key");
    assert_eq!(headers["access-control-allow-headers"], "content-type,if-none-match,authorization");
    let (status, headers) = ask(keyed(), Method::POST, "/v1/decide", SHOP).await;
    assert_eq!(
        (status, &headers["access-control-allow-origin"]),
        (StatusCode::UNAUTHORIZED, &SHOP.parse().unwrap())
    );
}
