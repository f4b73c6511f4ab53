//! `/api/v1/feed`: how the feed fares, and the control of it.
//!
//! `GET` answers the status. `POST` takes a command, `{"action":"pause"}` and the like, of at most 4 KiB and whatever its
//! `Content-Type` says, and answers the status after it. With tokens, one is needed that allows `control`; a page may
//! command if it may open a WebSocket.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use http::header::ALLOW;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::timeout;
use warp::Buf;
use warp::reply::Response;

use super::answer::{error, json};
use super::app_state::AppState;
use super::handshake::Denied;
use crate::feed::{FeedCommand, Speed, Status};
use crate::market::{FeedKind, Time};
use crate::wire::{ErrorCode, Refusal};

/// The longest command, in bytes.
const BODY: usize = 4096;

/// The most events of one step.
const STEP: u32 = 100_000;

/// The status as clients are told of it: what is not known is absent.
#[derive(Debug, Serialize)]
struct Report {
    kind: FeedKind,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<Speed>,
    rate: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped_gaps: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_in_ms: Option<u64>,
}

impl From<Status> for Report {
    fn from(status: Status) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let text = |time: Time| time.to_string();
        let skipped = Some(status.cut_gaps).filter(|skipped| skipped.gaps > 0);
        Self {
            kind: status.kind,
            state: status.state.name(),
            detail: status.state.detail().map(str::to_owned),
            position: status.position.map(text),
            speed: status.speed,
            rate: status.rate,
            seed: status.seed,
            lag_ms: status.lag.map(millis),
            events: status.events,
            rows: status.extent.map(|extent| extent.rows),
            first: status.extent.map(|extent| text(extent.first)),
            last: status.extent.map(|extent| text(extent.last)),
            skipped_gaps: skipped.map(|skipped| skipped.gaps),
            skipped_ms: skipped.map(|skipped| millis(skipped.time)),
            ends_in_ms: status.ends_in.map(millis),
        }
    }
}

/// Answers a request.
pub async fn answer<B: Buf>(
    state: Arc<AppState>,
    method: Method,
    headers: HeaderMap,
    query: String,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    let answered = match method {
        Method::GET | Method::HEAD => state.authorized(&headers, &query).map(|_| state.feed.status()),
        Method::POST => command(&state, &headers, &query, body).await,
        _ => {
            let message = "this page answers GET, HEAD and POST";
            Err((StatusCode::METHOD_NOT_ALLOWED, Refusal::new(ErrorCode::MethodNotAllowed, message)))
        }
    };
    match answered {
        Ok(status) => {
            let report = serde_json::to_string(&Report::from(status)).expect("a report is plain data");
            json(StatusCode::OK, report)
        }
        Err((status, refusal)) => {
            let mut response = error(status, &refusal);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
            }
            response
        }
    }
}

async fn command<B: Buf>(
    state: &AppState,
    headers: &HeaderMap,
    query: &str,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Status, Denied> {
    state.origins.check(headers)?;
    let access = state.authorized(headers, query)?;
    access.check_control().map_err(|refusal| (StatusCode::FORBIDDEN, refusal))?;
    let body = timeout(state.patience, read(body)).await.unwrap_or_else(|_| {
        let message = "the body did not come in time (server.header_timeout)";
        Err((StatusCode::REQUEST_TIMEOUT, Refusal::new(ErrorCode::TooSlow, message)))
    })?;
    let command = understand(&body).map_err(|refusal| (StatusCode::BAD_REQUEST, refusal))?;
    state
        .feed
        .send(command)
        .await
        .map_err(|refused| (StatusCode::CONFLICT, Refusal::new(ErrorCode::Conflict, refused)))
}

/// Reads a body that is not too long.
async fn read<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>>) -> Result<Vec<u8>, Denied> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while let Some(part) = body.next().await {
        let mut part = part.map_err(|_| (StatusCode::BAD_REQUEST, bad("the body is broken off")))?;
        while part.has_remaining() {
            let chunk = part.chunk();
            if read.len() + chunk.len() > BODY {
                let message = format!("a command has at most {BODY} bytes");
                let refusal = Refusal::new(ErrorCode::MessageTooLong, message);
                return Err((StatusCode::PAYLOAD_TOO_LARGE, refusal));
            }
            read.extend_from_slice(chunk);
            let taken = chunk.len();
            part.advance(taken);
        }
    }
    Ok(read)
}

/// The command that a body says.
fn understand(body: &[u8]) -> Result<FeedCommand, Refusal> {
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body)
        .map_err(|_| bad(r#"the body is a JSON object such as {"action":"pause"}"#))?;
    let action = fields.remove("action");
    let action: String =
        action.and_then(|action| serde_json::from_str(action.get()).ok()).ok_or_else(|| {
            bad("`action` is missing, or no string; actions are pause, resume, speed, seek and step")
        })?;
    let command = match action.as_str() {
        "pause" => FeedCommand::Pause,
        "resume" => FeedCommand::Resume,
        "speed" => FeedCommand::Speed(field(&mut fields, "speed", "a number above zero, or \"max\"")?),
        "seek" => {
            let time: String = field(&mut fields, "time", "a string such as \"2024-01-03T14:30:00Z\"")?;
            FeedCommand::Seek(time.parse().map_err(bad)?)
        }
        "step" if !fields.contains_key("events") => FeedCommand::Step(NonZeroU32::MIN),
        "step" => {
            let events: NonZeroU32 = field(&mut fields, "events", "a whole number from 1 to 100000")?;
            if events.get() > STEP {
                return Err(bad(format_args!("`events` is from 1 to {STEP}, and not {events}")));
            }
            FeedCommand::Step(events)
        }
        other => {
            let other: String = other.chars().take(64).collect();
            let message =
                format!("{other:?} is not an action; actions are pause, resume, speed, seek and step");
            return Err(Refusal::new(ErrorCode::UnknownAction, message));
        }
    };
    match fields.keys().next() {
        None => Ok(command),
        Some(unknown) => {
            let unknown: String = unknown.chars().take(64).collect();
            Err(bad(format_args!("{action} has no field {unknown:?}")))
        }
    }
}

/// Takes a field that has to be there; `form` says what it is.
fn field<T: DeserializeOwned>(
    fields: &mut BTreeMap<String, Box<RawValue>>,
    name: &str,
    form: &str,
) -> Result<T, Refusal> {
    let value = fields.remove(name).and_then(|value| serde_json::from_str(value.get()).ok());
    value.ok_or_else(|| bad(format_args!("`{name}` is missing, or not {form}")))
}

fn bad(message: impl Display) -> Refusal {
    Refusal::new(ErrorCode::BadCommand, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood() {
        let seek = r#"{"action":"seek","time":"2024-01-03T09:30:00-05:00"}"#;
        for (body, command) in [
            (r#"{"action":"pause"}"#, FeedCommand::Pause),
            (" {\"action\" : \"resume\"}\n", FeedCommand::Resume),
            (r#"{"action":"speed","speed":2.5}"#, FeedCommand::Speed(Speed::Factor(2.5))),
            (r#"{"action":"speed","speed":"max"}"#, FeedCommand::Speed(Speed::Max)),
            (seek, FeedCommand::Seek("2024-01-03T14:30:00Z".parse().unwrap())),
            (r#"{"action":"step"}"#, FeedCommand::Step(NonZeroU32::MIN)),
            (r#"{"action":"step","events":100000}"#, FeedCommand::Step(NonZeroU32::new(STEP).unwrap())),
        ] {
            assert_eq!(understand(body.as_bytes()), Ok(command), "{body}");
        }
    }

    #[test]
    fn what_is_no_command_is_told_what_would_be_one() {
        for (body, code, part) in [
            ("", ErrorCode::BadCommand, r#"{"action":"pause"}"#),
            ("action=pause", ErrorCode::BadCommand, r#"{"action":"pause"}"#),
            ("[]", ErrorCode::BadCommand, r#"{"action":"pause"}"#),
            ("{}", ErrorCode::BadCommand, "actions are pause, resume, speed, seek and step"),
            (r#"{"action":1}"#, ErrorCode::BadCommand, "actions are"),
            (r#"{"action":"stop"}"#, ErrorCode::UnknownAction, r#""stop" is not an action; actions are"#),
            (r#"{"action":"pause","speed":1}"#, ErrorCode::BadCommand, r#"pause has no field "speed""#),
            (
                r#"{"action":"speed"}"#,
                ErrorCode::BadCommand,
                "`speed` is missing, or not a number above zero",
            ),
            (r#"{"action":"speed","speed":0}"#, ErrorCode::BadCommand, "not a number above zero"),
            (r#"{"action":"speed","speed":null}"#, ErrorCode::BadCommand, "not a number above zero"),
            (r#"{"action":"seek","time":"noon"}"#, ErrorCode::BadCommand, "`noon` is not a time; times are"),
            (r#"{"action":"seek","time":1704292200}"#, ErrorCode::BadCommand, "2024-01-03T14:30:00Z"),
            (r#"{"action":"step","events":0}"#, ErrorCode::BadCommand, "from 1 to 100000"),
            (r#"{"action":"step","events":100001}"#, ErrorCode::BadCommand, "from 1 to 100000"),
            (r#"{"action":"step","events":1.5}"#, ErrorCode::BadCommand, "from 1 to 100000"),
        ] {
            let refusal = understand(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, code, "{body}");
            assert!(refusal.message.contains(part), "{body}: {}", refusal.message);
        }
    }
}
