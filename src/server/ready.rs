//! `/readyz`: whether the server delivers.
//!
//! It is ready while the feed runs, is paused or has ended, and no reader of the log lags by more than
//! `ready.max_lag`. Otherwise the answer is 503 with the reason.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::answer::{error, json};
use super::app_state::AppState;
use crate::market::FeedState;
use crate::range::{self, DAY, MILLISECOND, OutOfRange};
use crate::wire::{ErrorCode, Refusal};

/// When the server calls itself ready (`[ready]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// By how much a shard or another reader of the log may lag.
    #[serde(with = "humantime_serde")]
    pub max_lag: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_lag: Duration::from_secs(1) }
    }
}

impl Config {
    /// Checks the ranges of its keys.
    ///
    /// # Errors
    ///
    /// A value lies outside its range.
    pub(crate) fn check(&self) -> Result<(), OutOfRange> {
        range::check("max_lag", self.max_lag, MILLISECOND..=DAY)
    }
}

/// Answers whether the server delivers.
#[must_use]
pub fn ready(state: &AppState) -> Response {
    match reason(state) {
        None => json(StatusCode::OK, "{\"status\":\"ready\"}".to_owned()),
        Some(reason) => error(StatusCode::SERVICE_UNAVAILABLE, &Refusal::new(ErrorCode::NotReady, reason)),
    }
}

/// Returns why the server does not deliver; `None` where it does.
fn reason(state: &AppState) -> Option<String> {
    match state.bus.feed_state() {
        FeedState::Running | FeedState::Paused | FeedState::Ended => {}
        FeedState::Failed { detail } => return Some(format!("the feed has failed: {detail}")),
        FeedState::Starting => return Some("the feed is starting".to_owned()),
        FeedState::Stalled => {
            return Some(
                "the feed is stalled: nothing has come for longer than feed.stalled_after".to_owned(),
            );
        }
    }
    let lagging = state.bus.lagging(state.max_lag)?;
    let name = lagging.name;
    if lagging.lag == Duration::MAX {
        return Some(format!("{name} lags by more than the history holds (bus.history)"));
    }
    // To the millisecond: more says nothing.
    let lag = Duration::from_millis(u64::try_from(lagging.lag.as_millis()).unwrap_or(u64::MAX));
    Some(format!("{name} lags by {lag:?}, more than ready.max_lag = {:?}", state.max_lag))
}
