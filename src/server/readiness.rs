//! `/readyz`: reports whether the server is ready.
//!
//! The server is ready if the feed is running, paused or ended, and no reader of the log lags by more than
//! `ready.max_lag`. If the server is not ready, the response has the status 503 and states the reason.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::app_state::AppState;
use super::json_response::{error_response, json_response};
use crate::market::FeedState;
use crate::range::{self, Check, DAY, MILLISECOND};
use crate::wire::{ErrorCode, ErrorReply};

/// The conditions under which the server is ready (`[ready]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The maximum lag of a ready server: if a reader of the log, such as a shard, lags by more than this
    /// time, the server is not ready.
    #[serde(with = "humantime_serde")]
    pub max_lag: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_lag: Duration::from_secs(1) }
    }
}

impl Config {
    /// Returns a check of the value of each key in `[ready]`.
    pub(crate) fn checks(&self) -> Vec<Check> {
        vec![range::time("max_lag", self.max_lag, MILLISECOND..=DAY)]
    }
}

/// Answers a request to `/readyz`.
#[must_use]
pub fn response(state: &AppState) -> Response {
    match reason(state) {
        None => json_response(StatusCode::OK, "{\"status\":\"ready\"}".to_owned()),
        Some(reason) => {
            error_response(StatusCode::SERVICE_UNAVAILABLE, &ErrorReply::new(ErrorCode::NotReady, reason))
        }
    }
}

/// Returns the reason why the server is not ready, or `None` if the server is ready.
fn reason(state: &AppState) -> Option<String> {
    if let Some(reason) = state.not_ready() {
        return Some(reason);
    }
    match state.bus.feed_state() {
        FeedState::Running | FeedState::Paused | FeedState::Ended => {}
        FeedState::Failed { detail } => return Some(format!("the feed has failed: {detail}")),
        FeedState::Degraded { detail } => return Some(detail),
        FeedState::Restarting => return Some("another node takes over the feed".to_owned()),
        FeedState::Starting => return Some("the feed is starting".to_owned()),
        FeedState::Stalled => {
            return Some("the feed is stalled: no event for longer than feed.stalled_after".to_owned());
        }
    }
    let lagging = state.bus.lagging(state.max_lag)?;
    let name = lagging.name;
    if lagging.lag == Duration::MAX {
        return Some(format!("{name} lags by more than the history holds (bus.history)"));
    }
    // Rounded down to milliseconds, so that the message is easy to read.
    let lag = Duration::from_millis(u64::try_from(lagging.lag.as_millis()).unwrap_or(u64::MAX));
    Some(format!("{name} lags by {lag:?}, more than ready.max_lag = {}", range::duration_text(state.max_lag)))
}
