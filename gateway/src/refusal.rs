//! What a caller is told when a request can't be answered: one shape for both roles.

use api::wire::ofrep::{FlagErrorCode, FlagFailure};
use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a request is refused, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Code {
    /// The body or the query is not of the documented shape.
    Malformed,
    /// No key was sent, or none that is in use.
    Unauthorized,
    /// The key does not open what is asked about.
    Forbidden,
    /// The key has asked as often as it may: the same request succeeds later.
    TooMany,
    /// Another ledger has what is asked about; the message tells which.
    Misdirected,
    /// The body or a part of it is larger than we read.
    TooLarge,
    /// The request did not come in time.
    Slow,
    /// The queue is full: the same request succeeds later.
    Busy,
    /// The ledger is starting or ending: the same request succeeds later.
    Unavailable,
    /// The ledger's volume is full: the same request succeeds once there is room.
    Full,
    /// There is no such path.
    NotFound,
    /// The path is not for this method; the header `Allow` lists those that it is for.
    WrongMethod,
}

/// A refusal. Its JSON is `{"code": .., "message": ..}`; the message names what to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what is wrong and what to change. It may quote the caller's own body, so it is never logged.
    pub message: String,
}

impl Refusal {
    /// A refusal of a malformed request.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self { code: Code::Malformed, message: message.into() }
    }

    /// A refusal of a request that did not come in time.
    pub fn slow() -> Self {
        let message = "the request did not come in time: send it again, in one piece".to_owned();
        Self { code: Code::Slow, message }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        match self.code {
            Code::Malformed => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Slow => StatusCode::REQUEST_TIMEOUT,
            Code::TooMany | Code::Busy => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable | Code::Full => StatusCode::SERVICE_UNAVAILABLE,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

impl Refusal {
    /// The answer to a request for this path: OpenFeature's protocol has a shape of its own.
    pub fn at(self, path: &str) -> Response {
        if !path.starts_with("/ofrep/") {
            return self.into_response();
        }
        let (status, headers) = (self.status(), self.headers());
        let failure =
            FlagFailure { key: None, error_code: FlagErrorCode::General, error_details: self.message };
        (status, headers, Json(failure)).into_response()
    }

    fn headers(&self) -> HeaderMap {
        let header = match self.code {
            Code::Unauthorized => (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Code::TooMany | Code::Busy | Code::Unavailable | Code::Full => {
                (header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            Code::Malformed
            | Code::Forbidden
            | Code::Misdirected
            | Code::TooLarge
            | Code::Slow
            | Code::NotFound
            | Code::WrongMethod => return HeaderMap::new(),
        };
        HeaderMap::from_iter([header])
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::debug!(code = ?self.code, "request refused");
        (self.status(), self.headers(), Json(&self)).into_response()
    }
}

/// The body as JSON of that shape.
///
/// # Errors
/// When it is too large, or not of that shape; then the message names the field.
pub fn parse<T: DeserializeOwned>(body: Result<&[u8], &BytesRejection>) -> Result<T, Refusal> {
    let body = body.map_err(unread)?;
    // The path of a fault costs time on every field, so it is looked for only once there is a fault.
    serde_json::from_slice(body).or_else(|_| parse_slowly(body))
}

/// The answer to a path that does not exist.
pub async fn not_found() -> Refusal {
    let message = "there is no such path: see docs/gateway.md for those that are".to_owned();
    Refusal { code: Code::NotFound, message }
}

/// The answer to a method that a path is not for. The router adds those that it is for.
pub async fn wrong_method() -> Refusal {
    let message = "the path is not for this method: the header Allow lists those that it is for".to_owned();
    Refusal { code: Code::WrongMethod, message }
}

fn parse_slowly<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (field, what) = (error.path().to_string(), error.inner());
        Refusal::malformed(match field.as_str() {
            "." => format!("{what}: send JSON as docs/gateway.md shows"),
            field => format!("{field}: {what}: send JSON as docs/gateway.md shows"),
        })
    })?;
    json.end().map_err(|_| Refusal::malformed("something follows the JSON: send one object alone"))?;
    Ok(value)
}

fn unread(rejection: &BytesRejection) -> Refusal {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = "the body is too large: send less in one request".to_owned();
        return Refusal { code: Code::TooLarge, message };
    }
    Refusal::malformed("the body broke off: send it again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::wire::decide::DecideRequest;

    #[test]
    fn a_malformed_body_names_the_field() {
        let check = |body: &str, expected: &str| {
            let error = parse::<DecideRequest>(Ok(body.as_bytes())).unwrap_err();
            assert_eq!(error.code, Code::Malformed);
            assert!(error.message.contains(expected), "{body} gave {:?}", error.message);
        };
        let most = r#""namespace":"shop","campaign":"c","placement":"hero""#;
        check("{", "EOF");
        check(r#"{"namespace":"shop"}"#, "missing field `campaign`");
        check(&format!(r#"{{{most},"subject":7}}"#), "subject: invalid type: integer");
        check(&format!(r#"{{{most},"subject":"s","who":"s"}}"#), "unknown field `who`");
        check(
            &format!(r#"{{{most},"subject":"s","consent":{{"measurement":"no"}}}}"#),
            "consent.measurement: invalid type",
        );
        check(&format!(r#"{{{most},"subject":"s"}}{{}}"#), "something follows");
    }
}
