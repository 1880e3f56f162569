//! Requests: those that are right, and what becomes of them.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::{Value, json};

use super::mutate::Mutator;
use super::token::Tokens;
use crate::auth::SHOP;
use crate::samples::SAMPLE;
use crate::world::{bounce, decision, exposure, question, reward};

/// A request in its parts.
#[derive(Clone, Debug)]
pub(super) struct Input {
    method: Method,
    pub(super) uri: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

/// Stands for a token.
const TOKEN: &str = "TOKEN";

const FLAGS: &str = "/ofrep/v1/evaluate/flags";

/// Questions whose answers are known as long as the clock stands.
pub(super) fn questions() -> Vec<Input> {
    let all = json!({"namespace": "shop", "campaign": "cart-and-hero", "placements": ["hero", "none"], "subject": "bob",
        "segment": "new", "eligible": ["control", "warm"], "consent": {"measurement": true}, "traffic": "Visitor", "userAgent": "node"});
    let context = json!({"context": {"targetingKey": "alice", "segment": "new", "eligible": ["control"],
        "consent": {"measurement": true}, "namespace": "shop", "preview": "warm", "country": {"of": ["CH", 1.5, null]}}});
    let address = "/v1/decide?namespace=shop&campaign=cart-and-hero&placement=hero&subject=alice";
    vec![
        Input::post("/v1/decide", &question("alice")),
        Input::post("/v1/decide", &all).with("sec-gpc", "1"),
        Input::post("/v1/decide", &all),
        Input::get(address),
        Input::get(&format!("{address}&segment=new&eligible=control,warm&measurement=false")),
        Input::get(&format!("{address}&traffic=Visitor&userAgent=node&preview=warm")),
        Input::post(&format!("{FLAGS}/shop.cart-and-hero.hero"), &context),
        Input::post(FLAGS, &context),
        Input::post(FLAGS, &context).with("if-none-match", "\"0\", W/\"1\""),
    ]
}

/// Events in each form, a link, and a question for totals.
pub(super) fn records() -> Vec<Input> {
    let data = json!({"token": TOKEN, "metric": "product-view"});
    let cloud = |id: &str| {
        json!({"specversion": "1.0", "id": id, "source": "shop", "type": "dev.broadside.reward",
            "time": "2027-01-15T08:00:00Z", "data": data})
    };
    let mut timed = reward("2", TOKEN);
    timed["at"] = json!("2027-01-15T08:00:00Z");
    vec![
        Input::post(
            "/v1/events",
            &json!({"events": [exposure("1", TOKEN), timed, bounce("2", TOKEN), decision("d", TOKEN)]}),
        ),
        Input::post("/v1/events", &cloud("3")).with("content-type", "application/cloudevents+json"),
        Input::post("/v1/events", &json!([cloud("4"), cloud("5")]))
            .with("content-type", "application/cloudevents-batch+json; charset=utf-8"),
        Input::post("/v1/events", &data)
            .with("content-type", "application/json")
            .with("ce-specversion", "1.0")
            .with("ce-id", "6%C3%A9")
            .with("ce-source", "shop")
            .with("ce-type", "dev.broadside.exposure")
            .with("ce-time", "2027-01-15T08:00:00Z"),
        Input::get(&format!("/v1/r/{TOKEN}")).with("sec-purpose", "prefetch"),
        Input::get(&format!("/v1/totals?campaign={}", SAMPLE.uid)),
    ]
}

impl Input {
    fn post(uri: &str, body: &Value) -> Self {
        Self { method: Method::POST, body: body.to_string().into_bytes(), ..Self::get(uri) }
    }

    fn get(uri: &str) -> Self {
        let key = format!("Bearer {SHOP}").into_bytes();
        Self {
            method: Method::GET,
            uri: uri.to_owned(),
            headers: vec![("authorization", key)],
            body: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.as_bytes().to_vec()));
        self
    }

    /// The request, as far as the server hands over such a one: what is no address and no header's value is left out.
    pub(super) fn request(&self) -> Request<Body> {
        let uri = Uri::try_from(&self.uri).unwrap_or_default();
        let mut request = Request::new(Body::from(self.body.clone()));
        (*request.method_mut(), *request.uri_mut()) = (self.method.clone(), uri);
        let headers = self.headers.iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?))
        });
        request.headers_mut().extend(headers);
        request
    }

    /// Another request, which may be wrong.
    pub(super) fn mutated(&self, mutator: &mut Mutator, tokens: &Tokens) -> Self {
        let mut input = self.clone();
        input.carry(&tokens.any(mutator));
        match mutator.below(16) {
            _ if input.body.is_empty() => input.change_head(mutator),
            0..8 => input.change_json(mutator),
            8..11 => mutator.bytes(&mut input.body),
            11 => input.body = mutator.noise(256),
            12 => {}
            _ => input.change_head(mutator),
        }
        input
    }

    fn carry(&mut self, token: &str) {
        self.uri = self.uri.replace(TOKEN, &token.bytes().map(escaped).collect::<String>());
        let (quoted, token) = (json!(TOKEN).to_string(), json!(token).to_string());
        self.body = String::from_utf8_lossy(&self.body).replace(&quoted, &token).into_bytes();
    }

    fn change_json(&mut self, mutator: &mut Mutator) {
        let mut json = serde_json::from_slice(&self.body).expect("what is right is JSON");
        mutator.json(&mut json);
        self.body = json.to_string().into_bytes();
    }

    fn change_head(&mut self, mutator: &mut Mutator) {
        let named = mutator.below(self.headers.len() + 1);
        match self.headers.get_mut(named) {
            Some((_, value)) => mutator.bytes(value),
            None if mutator.one_in(8) => {
                self.method =
                    mutator.pick(&[&Method::GET, &Method::POST, &Method::PUT, &Method::HEAD]).clone();
            }
            None => self.change_address(mutator),
        }
    }

    fn change_address(&mut self, mutator: &mut Mutator) {
        let mut address = std::mem::take(&mut self.uri).into_bytes();
        mutator.bytes(&mut address);
        self.uri = address.into_iter().map(escaped).collect();
    }
}

/// What may not stand in an address is escaped there.
fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z'
        | b'A'..=b'Z'
        | b'0'..=b'9'
        | b'/'
        | b'?'
        | b'&'
        | b'='
        | b'%'
        | b'.'
        | b'-'
        | b','
        | b'+' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    }
}
