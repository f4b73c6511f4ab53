//! `/api/v1/feed`: returns the status of the feed and controls it.
//!
//! `GET` returns the status. `POST` executes a command such as `{"action":"pause"}` and returns the new
//! status. The body of a `POST` must not exceed 4 KiB. The `Content-Type` of the body is ignored.
//!
//! If the server has tokens, `GET` needs a token, and `POST` needs a token that allows `control`.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use warp::Buf;
use warp::reply::Response;

use super::app_state::AppState;
use super::json_response::{ErrorResponse, error_response, json_response};
use crate::feed::replay::MomentError;
use crate::feed::{Control, ControlError, FeedCommand, Speed, Status, simulated};
use crate::market::{FeedKind, Time};
use crate::nearest::did_you_mean;
use crate::wire::{ErrorCode, ErrorReply, Fields, bad_command, quoted, unknown_field};

/// The maximum length of a request's body, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// An error shows at most this many characters of a wrong value.
const SHOWN: usize = 64;

/// The maximum number of events in one `step` command.
const MAX_STEP_EVENTS: u32 = 100_000;

/// The last part of several error messages: a list of the actions.
const ACTIONS: &str = "actions are pause, resume, speed, seek, step and loop";

/// All actions. For each action: the names of the fields that its command may have besides `action`.
const FIELDS: [(&str, &[&str]); 6] = [
    ("pause", &[]),
    ("resume", &[]),
    ("speed", &["speed"]),
    ("seek", &["time"]),
    ("step", &["events"]),
    ("loop", &["loop"]),
];

/// The JSON form of the feed's status. Fields whose values are not known are left out of the JSON.
#[derive(Debug, Serialize)]
struct StatusReport {
    kind: FeedKind,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<Speed>,
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    repeats: Option<bool>,
    rate: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    configured_rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
    events: u64,
    peers: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
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

impl StatusReport {
    fn new(status: &Status, peers: u32) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let text = |time: Time| time.to_string();
        let simulation = status.simulation.as_deref();
        let skipped = Some(status.cut_gaps).filter(|skipped| skipped.gaps > 0);
        Self {
            kind: status.kind,
            state: status.state.name(),
            detail: status.state.detail().map(str::to_owned),
            position: status.position.map(text),
            speed: status.speed,
            repeats: status.repeats,
            rate: status.rate,
            configured_rate: simulation.map(|simulation| simulation.rate.get()),
            seed: simulation.and_then(|simulation| simulation.seed),
            profile: simulation.map(|simulation| simulation.profile.name()),
            start: simulation.and_then(|simulation| simulation.start).map(text),
            command: simulation.map(simulated::Config::command),
            lag_ms: status.lateness.map(millis),
            events: status.events,
            peers,
            files: status.files.iter().map(|file| file.display().to_string()).collect(),
            rows: status.extent.map(|extent| extent.rows),
            first: status.extent.map(|extent| text(extent.first)),
            last: status.extent.map(|extent| text(extent.last)),
            skipped_gaps: skipped.map(|skipped| skipped.gaps),
            skipped_ms: skipped.map(|skipped| millis(skipped.time)),
            ends_in_ms: status.ends_in.map(millis),
        }
    }
}

/// Answers a request to `/api/v1/feed`.
pub async fn respond<B: Buf>(
    state: Arc<AppState>,
    method: Method,
    headers: HeaderMap,
    query: String,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    let answered = if method == Method::POST {
        execute(&state, &headers, &query, body).await
    } else {
        state.authorize_alone(&headers, &query).map(|_| state.feed.status())
    };
    match answered {
        Ok(status) => {
            let report = StatusReport::new(&status, state.relay.peers());
            let report = serde_json::to_string(&report).expect("a report is plain data");
            json_response(StatusCode::OK, report)
        }
        Err((status, error)) => error_response(status, &error),
    }
}

async fn execute<B: Buf>(
    state: &AppState,
    headers: &HeaderMap,
    query: &str,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Status, ErrorResponse> {
    let access = state.authorize_alone(headers, query)?;
    access.check_control().map_err(|error| (StatusCode::FORBIDDEN, error))?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > MAX_BODY_BYTES) {
        return Err(too_long());
    }
    let body = timeout(state.body_timeout, read_body(body)).await.unwrap_or_else(|_| {
        let message = "the body took too long (server.header_timeout)";
        Err((StatusCode::REQUEST_TIMEOUT, ErrorReply::new(ErrorCode::TooSlow, message)))
    })?;
    if state.cluster.as_ref().is_some_and(|view| view.borrow().leader.is_none()) {
        return Err(no_leader(ControlError::NoLeader));
    }
    let command = parse(&body, &state.feed).map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    state.feed.send(command).await.map_err(|error| match error {
        ControlError::NoLeader => no_leader(error),
        _ => (StatusCode::CONFLICT, ErrorReply::new(ErrorCode::Conflict, error)),
    })
}

fn no_leader(error: ControlError) -> ErrorResponse {
    (StatusCode::SERVICE_UNAVAILABLE, ErrorReply::new(ErrorCode::NoLeader, error))
}

async fn read_body<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Vec<u8>, ErrorResponse> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while let Some(part) = body.next().await {
        let mut part = part.map_err(|_| (StatusCode::BAD_REQUEST, bad_command("the body is incomplete")))?;
        while part.has_remaining() {
            let chunk = part.chunk();
            if read.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(too_long());
            }
            read.extend_from_slice(chunk);
            let taken = chunk.len();
            part.advance(taken);
        }
    }
    Ok(read)
}

fn too_long() -> ErrorResponse {
    let message = format!("a command has at most {MAX_BODY_BYTES} bytes");
    (StatusCode::PAYLOAD_TOO_LARGE, ErrorReply::new(ErrorCode::MessageTooLong, message))
}

/// Parses the body of a `POST`. If the feed is a replay, `feed` supplies the time zone of the replayed files.
fn parse(body: &[u8], feed: &Control) -> Result<FeedCommand, ErrorReply> {
    let fields = std::str::from_utf8(body).ok().and_then(Fields::parse);
    let mut fields =
        fields.ok_or_else(|| bad_command(r#"the body is a JSON object such as {"action":"pause"}"#))?;
    if let Some(error) = fields.repeated() {
        return Err(error);
    }
    let action = fields.remove("action");
    let action: String = action
        .and_then(|action| serde_json::from_str(action.get()).ok())
        .ok_or_else(|| bad_command(format_args!("`action` is missing or not a string; {ACTIONS}")))?;
    let command = match action.as_str() {
        "pause" => FeedCommand::Pause,
        "resume" => FeedCommand::Resume,
        "speed" => FeedCommand::Speed(field(&mut fields, "speed", Speed::FORM)?),
        "seek" => {
            // A Unix time may also be a JSON number. The number's raw text has all digits.
            let value = fields.remove("time");
            let value = value
                .ok_or_else(|| bad_command(format_args!("`time` is missing; {}", MomentError::FORMS)))?;
            let text: String = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
            let time = feed.parse_moment(&text);
            let with_forms = |error| bad_command(format_args!("{error}; {}", MomentError::FORMS));
            FeedCommand::Seek(time.map_err(with_forms)?)
        }
        "loop" => FeedCommand::Loop(field(&mut fields, "loop", "true or false")?),
        "step" if fields.get("events").is_none() => FeedCommand::Step(NonZeroU32::MIN),
        "step" => {
            let events: NonZeroU32 = field(&mut fields, "events", "a whole number from 1 to 100000")?;
            if events.get() > MAX_STEP_EVENTS {
                return Err(bad_command(format_args!(
                    "`events` is from 1 to {MAX_STEP_EVENTS}, and not {events}"
                )));
            }
            FeedCommand::Step(events)
        }
        other => {
            let suggestion = did_you_mean(other, FIELDS.map(|(action, _)| action));
            let message = format!("{} is not an action; {ACTIONS}{suggestion}", quoted(other));
            return Err(ErrorReply::new(ErrorCode::UnknownAction, message));
        }
    };
    match fields.first_name() {
        None => Ok(command),
        Some(unknown) => Err(unknown_field(&action, unknown, &FIELDS)),
    }
}

/// Removes a required field from `fields` and parses its value. If the field is missing or wrong, the error
/// shows `form`, a description of the expected value.
fn field<T: DeserializeOwned>(fields: &mut Fields, name: &str, form: &str) -> Result<T, ErrorReply> {
    let value =
        fields.remove(name).ok_or_else(|| bad_command(format_args!("`{name}` is missing; it is {form}")))?;
    serde_json::from_str(value.get()).map_err(|_| {
        let found: String = value.get().chars().take(SHOWN).collect();
        bad_command(format_args!("`{name}` is {found}, and not {form}"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_status_has_the_fields_of_its_schema() {
        use utoipa::PartialSchema;

        use crate::contract::answers::FeedStatus;

        let some = Some(String::new());
        let full = StatusReport {
            kind: FeedKind::Replay,
            state: "failed",
            detail: some.clone(),
            position: some.clone(),
            speed: Some(Speed::Max),
            repeats: Some(true),
            rate: 0,
            configured_rate: Some(0),
            seed: Some(0),
            profile: Some("gbm"),
            start: some.clone(),
            command: some.clone(),
            lag_ms: Some(0),
            events: 0,
            peers: 0,
            files: vec![String::new()],
            rows: Some(0),
            first: some.clone(),
            last: some,
            skipped_gaps: Some(0),
            skipped_ms: Some(0),
            ends_in_ms: Some(0),
        };
        let empty = StatusReport::new(&Status::new(FeedKind::Stdin), 0);
        let names = |report: StatusReport| -> BTreeSet<String> {
            let report = serde_json::to_value(report).unwrap();
            report.as_object().unwrap().keys().cloned().collect()
        };

        let schema = serde_json::to_value(FeedStatus::schema()).unwrap();
        let properties = schema["properties"].as_object().unwrap().keys().cloned().collect();
        let required = schema["required"].as_array().unwrap();
        let required = required.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        assert_eq!(names(full), properties);
        assert_eq!(names(empty), required);
    }

    #[test]
    fn commands_are_parsed() {
        let feed = Control::of_nothing(FeedKind::Replay);
        let seek = r#"{"action":"seek","time":"2024-01-03T09:30:00-05:00"}"#;
        for (body, command) in [
            (r#"{"action":"pause"}"#, FeedCommand::Pause),
            (" {\"action\" : \"resume\"}\n", FeedCommand::Resume),
            (r#"{"action":"speed","speed":2.5}"#, FeedCommand::Speed(Speed::Factor(2.5))),
            (r#"{"action":"speed","speed":"max"}"#, FeedCommand::Speed(Speed::Max)),
            (seek, FeedCommand::Seek("2024-01-03T14:30:00Z".parse().unwrap())),
            (
                r#"{"action":"seek","time":"2024-01-03"}"#,
                FeedCommand::Seek("2024-01-03T00:00:00Z".parse().unwrap()),
            ),
            (
                r#"{"action":"seek","time":1704292200.123456789}"#,
                FeedCommand::Seek("2024-01-03T14:30:00.123456789Z".parse().unwrap()),
            ),
            (
                r#"{"action":"seek","time":"1704292200123"}"#,
                FeedCommand::Seek("2024-01-03T14:30:00.123Z".parse().unwrap()),
            ),
            (r#"{"action":"loop","loop":true}"#, FeedCommand::Loop(true)),
            (r#"{"action":"loop","loop":false}"#, FeedCommand::Loop(false)),
            (r#"{"action":"step"}"#, FeedCommand::Step(NonZeroU32::MIN)),
            (
                r#"{"action":"step","events":100000}"#,
                FeedCommand::Step(NonZeroU32::new(MAX_STEP_EVENTS).unwrap()),
            ),
        ] {
            assert_eq!(parse(body.as_bytes(), &feed), Ok(command), "{body}");
        }
    }

    #[test]
    fn an_error_reply_shows_a_right_command() {
        let feed = Control::of_nothing(FeedKind::Replay);
        for (body, code, part) in [
            ("", ErrorCode::BadCommand, r#"{"action":"pause"}"#),
            ("action=pause", ErrorCode::BadCommand, r#"{"action":"pause"}"#),
            ("[]", ErrorCode::BadCommand, r#"{"action":"pause"}"#),
            ("{}", ErrorCode::BadCommand, "actions are pause, resume, speed, seek, step and loop"),
            (r#"{"action":1}"#, ErrorCode::BadCommand, "actions are"),
            (r#"{"action":"stop"}"#, ErrorCode::UnknownAction, r#""stop" is not an action; actions are"#),
            (r#"{"action":"pause","speed":1}"#, ErrorCode::BadCommand, r#"pause has no field "speed""#),
            (
                r#"{"action":"speed"}"#,
                ErrorCode::BadCommand,
                "`speed` is missing; it is a number from 0.000001 to 1000000, or max",
            ),
            (
                r#"{"action":"speed","speed":0}"#,
                ErrorCode::BadCommand,
                "`speed` is 0, and not a number from 0.000001",
            ),
            (r#"{"action":"speed","speed":null}"#, ErrorCode::BadCommand, "not a number from 0.000001"),
            (r#"{"action":"speed","speed":"10"}"#, ErrorCode::BadCommand, "not a number from 0.000001"),
            (r#"{"action":"speed","speed":1000001}"#, ErrorCode::BadCommand, "not a number from 0.000001"),
            (r#"{"action":"speed","speed":1e15}"#, ErrorCode::BadCommand, "not a number from 0.000001"),
            (r#"{"action":"speed","speed":1e300}"#, ErrorCode::BadCommand, "not a number from 0.000001"),
            (r#"{"action":"speed","speed":1e-300}"#, ErrorCode::BadCommand, "not a number from 0.000001"),
            (r#"{"action":"pause","action":"resume"}"#, ErrorCode::BadCommand, r#""action" is given twice"#),
            (
                r#"{"action":"step","events":1,"events":2}"#,
                ErrorCode::BadCommand,
                r#""events" is given twice"#,
            ),
            (r#"{"action":"Pause"}"#, ErrorCode::UnknownAction, "; did you mean pause?"),
            (r#"{"action":"resum"}"#, ErrorCode::UnknownAction, "; did you mean resume?"),
            (r#"{"action":"pause","speed":2}"#, ErrorCode::BadCommand, "; only speed has it"),
            (r#"{"action":"step","event":2}"#, ErrorCode::BadCommand, "; did you mean events?"),
            (r#"{"action":"seek","time":"noon"}"#, ErrorCode::BadCommand, "`noon` is not a time; times are"),
            (r#"{"action":"seek","time":17}"#, ErrorCode::BadCommand, "`17` is not a time; times are dates"),
            (r#"{"action":"seek","time":null}"#, ErrorCode::BadCommand, "`null` is not a time; times are"),
            (r#"{"action":"seek"}"#, ErrorCode::BadCommand, "`time` is missing"),
            (r#"{"action":"loop"}"#, ErrorCode::BadCommand, "`loop` is missing; it is true or false"),
            (
                r#"{"action":"loop","loop":"yes"}"#,
                ErrorCode::BadCommand,
                r#"`loop` is "yes", and not true or false"#,
            ),
            (r#"{"action":"step","events":0}"#, ErrorCode::BadCommand, "from 1 to 100000"),
            (r#"{"action":"step","events":100001}"#, ErrorCode::BadCommand, "from 1 to 100000"),
            (r#"{"action":"step","events":1.5}"#, ErrorCode::BadCommand, "from 1 to 100000"),
        ] {
            let error = parse(body.as_bytes(), &feed).unwrap_err();
            assert_eq!(error.code, code, "{body}");
            assert!(error.message.contains(part), "{body}: {}", error.message);
        }
    }
}
