//! The answers of HTTP routes.

use std::collections::BTreeMap;

use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::frames::Snapshot;
use super::values::{Cursor, FeedState, Number, Speed, Symbol, Time};
use crate::market::FeedKind;
use crate::wire::ErrorCode;

/// The body of every error response.
#[derive(ToSchema)]
#[schema(examples(json!({"error": {"code": "not_found", "message": "there is no such page"}})))]
pub struct ErrorAnswer {
    /// The error.
    pub error: HttpError,
}

/// What is wrong with a request.
#[derive(ToSchema)]
pub struct HttpError {
    /// The kind of the error, for programs.
    pub code: ErrorCode,
    /// What is wrong and what to do, for people. This text may change.
    pub message: String,
}

/// The answer of `/healthz`.
#[derive(ToSchema)]
#[schema(examples(json!({"status": "alive"})))]
pub struct Health {
    /// The process lives.
    #[schema(pattern = "^alive$")]
    pub status: String,
}

/// The answer of `/readyz`.
#[derive(ToSchema)]
#[schema(examples(json!({"status": "ready"})))]
pub struct Readiness {
    /// The server delivers.
    #[schema(pattern = "^ready$")]
    pub status: String,
}

/// The status of the feed. A field whose value is not known is left out.
#[derive(ToSchema)]
#[schema(examples(json!({
    "kind": "replay", "state": "paused", "position": "2024-01-03T14:30:00.818181941Z", "speed": 1, "loop": false,
    "rate": 10, "events": 10, "peers": 0, "files": ["feeds/ticks.csv"], "rows": 1980,
    "first": "2024-01-03T14:30:00.000000123Z", "last": "2024-01-03T14:32:59.909091032Z", "ends_in_ms": 179_090
})))]
pub struct FeedStatus {
    /// The kind.
    pub kind: FeedKind,
    /// The state.
    pub state: FeedState,
    /// Why the feed has failed.
    pub detail: Option<String>,
    /// The market time of the newest event, or of the seek.
    pub position: Option<Time>,
    /// The speed.
    pub speed: Option<Speed>,
    /// Whether a replay starts again at its end.
    #[schema(rename = "loop")]
    pub repeats: Option<bool>,
    /// The number of events in the last second.
    pub rate: u64,
    /// The configured rate of a simulation, in events per second of market time.
    pub configured_rate: Option<u32>,
    /// The seed of a simulation.
    pub seed: Option<u64>,
    /// The profile of a simulation: the model that makes its events.
    pub profile: Option<String>,
    /// The market time at which a simulation starts.
    pub start: Option<Time>,
    /// The command line that repeats a simulation.
    pub command: Option<String>,
    /// How late the newest events were, in milliseconds.
    pub lag_ms: Option<u64>,
    /// The number of events so far: the newest `seq`.
    pub events: u64,
    /// The number of WebSocket clients and stream clients.
    pub peers: u32,
    /// The files of a replay, as the configuration names them.
    pub files: Option<Vec<String>>,
    /// The number of rows of a replay, from `--from` to `--to`.
    pub rows: Option<u64>,
    /// The market time of the first of these rows.
    pub first: Option<Time>,
    /// The market time of the last of these rows.
    pub last: Option<Time>,
    /// The number of gaps that `max_gap` has cut short.
    pub skipped_gaps: Option<u64>,
    /// The market time that was skipped in these gaps, in milliseconds.
    pub skipped_ms: Option<u64>,
    /// The time until the end of the feed, in milliseconds, if nothing changes.
    pub ends_in_ms: Option<u64>,
}

/// What a node knows of its cluster.
#[derive(ToSchema)]
#[schema(examples(json!({
    "node": "k3f9x2m1", "leader": "9zigc6ao", "term": 2, "epoch": "ehsxlr6o", "seq": 120_455, "lag_ms": 3,
    "caught_up": true, "takeovers": 2, "skipped": 0,
    "nodes": [{"node": "k3f9x2m1", "may_lead": true, "seq": 120_455, "lag_ms": 3, "caught_up": true}]
})))]
pub struct ClusterStatus {
    /// The id of this node.
    pub node: String,
    /// The id of the leader; left out if no node leads.
    pub leader: Option<String>,
    /// The number of the term. Each leader begins a term.
    pub term: u64,
    /// The epoch of the sequence numbers.
    pub epoch: String,
    /// The newest event that this node has read.
    pub seq: u64,
    /// How long ago this node has read the newest entry of the shared log, in milliseconds.
    pub lag_ms: u64,
    /// Whether this node has read all that the shared log has.
    pub caught_up: bool,
    /// How many terms have begun since this node started.
    pub takeovers: u64,
    /// How many entries this node has skipped, because they do not follow from the one before.
    pub skipped: u64,
    /// The nodes that were present in the last three seconds, this one included.
    pub nodes: Vec<ClusterNode>,
}

/// A node of a cluster.
#[derive(ToSchema)]
pub struct ClusterNode {
    /// The id of the node.
    pub node: String,
    /// Whether the node has a feed, so that it may lead.
    pub may_lead: bool,
    /// The newest event that the node has read.
    pub seq: u64,
    /// How long before its sign of presence the node had read the newest entry of the shared log, in milliseconds.
    pub lag_ms: u64,
    /// Whether the node has read all that the shared log has.
    pub caught_up: bool,
}

/// The answer of `/api/v1/symbols`: the last price of each symbol.
#[derive(ToSchema)]
#[schema(examples(json!({"symbols": [{
    "symbol": "AAPL", "last": 184.25, "time": "2024-01-03T14:30:00.123456Z", "change": 0.35, "change_percent": 0.19,
    "volume": 1_204_000
}]})))]
pub struct SymbolsPage {
    /// The symbols.
    pub symbols: Vec<SymbolSummary>,
    /// If more symbols follow: the last symbol of this page, which is `after` of the next request.
    pub next: Option<Symbol>,
}

/// A symbol and its day. A symbol without trades and bars has no other field.
#[derive(ToSchema)]
pub struct SymbolSummary {
    /// The symbol.
    pub symbol: Symbol,
    /// The last price.
    pub last: Option<Number>,
    /// The market time of the newest trade, or of the newest bar.
    pub time: Option<Time>,
    /// The change since the previous day.
    pub change: Option<Number>,
    /// The change in percent, with at most two decimal places.
    pub change_percent: Option<Number>,
    /// The volume of the day.
    pub volume: Option<Number>,
}

/// The answer of `/api/v1/snapshots`: the snapshots of the symbols that have data.
#[derive(ToSchema)]
#[schema(examples(json!({"snapshots": {"AAPL": {
    "type": "snapshot", "symbol": "AAPL", "seq": 1044,
    "trade": {"seq": 1042, "time": "2024-01-03T14:30:00.123456Z", "price": 184.25, "size": 100}
}}})))]
pub struct SnapshotsPage {
    /// The snapshots, by symbol.
    pub snapshots: BTreeMap<String, SnapshotFrame>,
    /// If more symbols follow: the last symbol of this page, which is `after` of the next request.
    pub next: Option<Symbol>,
}

/// The answer of `/api/v1/events`: past events.
#[derive(ToSchema)]
#[schema(examples(json!({
    "epoch": "k3f9x2m1", "seq": 1042,
    "events": [{"type": "trade", "symbol": "AAPL", "seq": 1042, "time": "2024-01-03T14:30:00.123456Z", "price": 184.25}],
    "next": "k3f9x2m1-1042"
})))]
pub struct EventsPage {
    /// The epoch of the sequence numbers.
    #[schema(pattern = "^[A-Za-z0-9]{1,32}$")]
    pub epoch: String,
    /// The newest event of the feed.
    pub seq: u64,
    /// The events, oldest first.
    pub events: Vec<EventFrame>,
    /// The cursor with which the next request goes on.
    pub next: Cursor,
}

/// The answer of `/api/v1/bars/SYMBOL`: the newest bars of a symbol, oldest first.
#[derive(ToSchema)]
#[schema(examples(json!({"symbol": "AAPL", "interval": "1m", "bars": [{
    "time": "2024-01-03T14:30:00Z", "open": 184.2, "high": 184.31, "low": 184.18, "close": 184.25, "volume": 12000,
    "partial": true
}]})))]
pub struct BarsPage {
    /// The symbol.
    pub symbol: Symbol,
    /// The length of each bar.
    pub interval: BarInterval,
    /// The bars.
    pub bars: Vec<StoredBar>,
}

/// A length of the bars that the server keeps.
#[derive(ToSchema)]
pub enum BarInterval {
    /// A second.
    #[serde(rename = "1s")]
    Second,
    /// A minute.
    #[serde(rename = "1m")]
    Minute,
    /// Five minutes.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// Fifteen minutes.
    #[serde(rename = "15m")]
    FifteenMinutes,
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// A UTC day.
    #[serde(rename = "1d")]
    Day,
}

/// A bar that the server has made from trades, or has taken from the feed.
#[derive(ToSchema)]
pub struct StoredBar {
    /// The start of the bar.
    pub time: Time,
    /// The first price.
    pub open: Option<Number>,
    /// The highest price.
    pub high: Option<Number>,
    /// The lowest price.
    pub low: Option<Number>,
    /// The last price.
    pub close: Number,
    /// The volume.
    pub volume: Option<Number>,
    /// The bar is still running. A complete bar does not have this field.
    pub partial: Option<bool>,
}

/// The answer of `/api/v1/info`: what a client should know about the server.
#[derive(ToSchema)]
#[schema(examples(json!({
    "version": "0.1.0", "protocol": 1, "feed": {"kind": "simulated"}, "heartbeat_ms": 5000, "relay": true,
    "limits": {"every_buffer": 8_388_608, "page": 10_000}, "tokens": false
})))]
pub struct Info {
    /// The version of the server.
    pub version: String,
    /// The version of the protocol.
    pub protocol: u32,
    /// The feed.
    pub feed: InfoFeed,
    /// The time between two heartbeats, in milliseconds.
    pub heartbeat_ms: u64,
    /// Whether the server relays messages between clients.
    pub relay: bool,
    /// The limits for a client.
    pub limits: ClientLimits,
    /// Whether the server has tokens.
    pub tokens: bool,
}

/// The feed of a server.
#[derive(ToSchema)]
pub struct InfoFeed {
    /// The kind of the feed.
    pub kind: FeedKind,
}

/// The limits for a client. A limit that is off is left out.
#[derive(ToSchema)]
pub struct ClientLimits {
    /// The maximum number of symbols of a connection.
    pub symbols: Option<u64>,
    /// The maximum length of a message, in bytes.
    pub message_bytes: Option<u64>,
    /// The maximum number of commands in a second.
    pub command_rate: Option<u32>,
    /// The number of unsent bytes at which the server closes a client with `delivery=every`.
    pub every_buffer: u64,
    /// The maximum length of a relayed message, in bytes.
    pub relay_bytes: Option<u64>,
    /// The maximum number of relayed messages in a second.
    pub relay_rate: Option<u32>,
    /// The maximum number of entries in a page of events or symbols.
    pub page: u64,
}

/// A reference to the schema of snapshot frames, which `frames.rs` adds.
pub struct SnapshotFrame(pub Snapshot);

impl PartialSchema for SnapshotFrame {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name("SnapshotFrame").into()
    }
}

impl ToSchema for SnapshotFrame {}

/// A reference to the schema of the frames that contain one event, which `frames.rs` adds.
pub struct EventFrame;

impl PartialSchema for EventFrame {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name("EventFrame").into()
    }
}

impl ToSchema for EventFrame {}
