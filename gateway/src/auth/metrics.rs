//! What is counted about requests that were turned away.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::map_response_with_state;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters by what answers say, found beforehand.
#[derive(Clone, Debug)]
struct TurnedAway {
    unauthorized: Counter,
    forbidden: Counter,
    too_many: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: u16,
}

/// Counts what the guard before these routes, and the routes themselves, turn away: no key, another's key, too often.
pub fn counted(router: Router, registry: &mut Registry) -> Router {
    let turned_away = Family::<StatusLabels, Counter>::default();
    let help = "Requests without a key, with one that does not open what they ask about, or that came too often or found the queue full";
    registry.register("broadside_turned_away", help, turned_away.clone());
    let of = |status: StatusCode| turned_away.get_or_create_owned(&StatusLabels { status: status.as_u16() });
    let counters = TurnedAway {
        unauthorized: of(StatusCode::UNAUTHORIZED),
        forbidden: of(StatusCode::FORBIDDEN),
        too_many: of(StatusCode::TOO_MANY_REQUESTS),
    };
    router.route_layer(map_response_with_state(counters, count))
}

async fn count(
    State(TurnedAway { unauthorized, forbidden, too_many }): State<TurnedAway>,
    response: Response,
) -> Response {
    match response.status() {
        StatusCode::UNAUTHORIZED => unauthorized.inc(),
        StatusCode::FORBIDDEN => forbidden.inc(),
        StatusCode::TOO_MANY_REQUESTS => too_many.inc(),
        _ => return response,
    };
    response
}
