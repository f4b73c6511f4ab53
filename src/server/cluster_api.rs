//! `/api/v1/cluster`: what this node knows of its cluster.

use http::{HeaderMap, StatusCode};
use serde::Serialize;
use tokio::time::Instant;
use warp::reply::Response;

use super::app_state::AppState;
use super::json_response::{ErrorResponse, json_response};
use crate::cluster::{Presence, View};
use crate::wire::{ErrorCode, ErrorReply};

/// The JSON form of a view of the cluster.
#[derive(Serialize)]
struct Report<'a> {
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<&'a str>,
    term: u64,
    epoch: &'a str,
    seq: u64,
    lag_ms: u64,
    caught_up: bool,
    takeovers: u64,
    skipped: u64,
    nodes: Vec<NodeReport<'a>>,
}

/// A node in the list.
#[derive(Serialize)]
struct NodeReport<'a> {
    node: &'a str,
    may_lead: bool,
    seq: u64,
    lag_ms: u64,
    caught_up: bool,
}

impl<'a> Report<'a> {
    fn new(view: &'a View) -> Self {
        Self {
            node: &view.node,
            leader: view.leader.as_deref(),
            term: view.term,
            epoch: &view.epoch,
            seq: view.seq,
            lag_ms: view.lag_ms(),
            caught_up: view.is_caught_up,
            takeovers: view.takeovers,
            skipped: view.skipped,
            nodes: view.nodes.present(Instant::now()).map(NodeReport::new).collect(),
        }
    }
}

impl<'a> NodeReport<'a> {
    fn new(Presence { node, may_lead, seq, lag_ms, caught_up, .. }: &'a Presence) -> Self {
        Self { node, may_lead: *may_lead, seq: *seq, lag_ms: *lag_ms, caught_up: *caught_up }
    }
}

/// Answers a request to `/api/v1/cluster`.
///
/// # Errors
///
/// The error has the status 404 if the server is no node of a cluster. Other errors are those of
/// [`AppState::authorize_alone`].
pub fn response(state: &AppState, headers: &HeaderMap, query: &str) -> Result<Response, ErrorResponse> {
    state.authorize_alone(headers, query)?;
    let Some(view) = &state.cluster else {
        let message = "this server is no node of a cluster (cluster.url)";
        return Err((StatusCode::NOT_FOUND, ErrorReply::new(ErrorCode::NotFound, message)));
    };
    let report = serde_json::to_string(&Report::new(&view.borrow())).expect("a report is plain data");
    Ok(json_response(StatusCode::OK, report))
}
