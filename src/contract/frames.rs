//! The frames: all JSON objects that the server sends on a WebSocket or a stream.

use serde_json::{Value, json};
use utoipa::ToSchema;

use super::schemas::{Schemas, TaggedReference};
use super::values::{
    ChannelList, CommandId, Cursor, FeedState, Interval, Number, Reason, Symbol, SymbolList, SymbolOrAll,
    Time, TradingState,
};
use crate::market::FeedKind;
use crate::wire::{Delivery, ErrorCode, GapReason};

/// A trade.
#[derive(ToSchema)]
#[schema(examples(json!({"seq": 1042, "time": "2024-01-03T14:30:00.123456Z", "price": 184.25, "size": 100})))]
pub struct Trade {
    /// The sequence number of the event. The feed counts its events from 1, over all symbols.
    pub seq: u64,
    /// The market time of the trade.
    pub time: Time,
    /// The price.
    pub price: Number,
    /// The size, if the source states a size.
    pub size: Option<Number>,
}

/// A quote: the best bid, the best ask, or both.
#[derive(ToSchema)]
#[schema(examples(json!({
    "seq": 1043, "time": "2024-01-03T14:30:00.130Z", "bid": 184.24, "bid_size": 300, "ask": 184.26, "ask_size": 500
})))]
pub struct Quote {
    /// The sequence number of the event. The feed counts its events from 1, over all symbols.
    pub seq: u64,
    /// The market time of the quote.
    pub time: Time,
    /// The best price of a buyer.
    pub bid: Option<Number>,
    /// The size at the bid.
    pub bid_size: Option<Number>,
    /// The best price of a seller.
    pub ask: Option<Number>,
    /// The size at the ask.
    pub ask_size: Option<Number>,
}

/// A bar: the prices and the volume of an interval.
#[derive(ToSchema)]
#[schema(examples(json!({
    "seq": 1044, "time": "2024-01-03T14:30:00Z", "interval": "1m",
    "open": 184.2, "high": 184.31, "low": 184.18, "close": 184.25, "volume": 12000
})))]
pub struct Bar {
    /// The sequence number of the event. The feed counts its events from 1, over all symbols.
    pub seq: u64,
    /// The source's time of the bar, normally the start of the interval.
    pub time: Time,
    /// The length of the bar, if the source states a length.
    pub interval: Option<Interval>,
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
}

/// A trading status: trading in the symbol stops or goes on.
#[derive(ToSchema)]
#[schema(examples(json!({"seq": 1045, "time": "2024-01-03T14:30:05Z", "status": "halted", "reason": "volatility"})))]
pub struct Status {
    /// The sequence number of the event. The feed counts its events from 1, over all symbols.
    pub seq: u64,
    /// The market time of the change.
    pub time: Time,
    /// Whether trading goes on or has stopped.
    pub status: TradingState,
    /// Why trading stops or goes on, if the source states a reason.
    pub reason: Option<Reason>,
}

/// The state of one symbol: the newest trade, quote and bar, whether trading has stopped, and the day so far.
#[derive(ToSchema)]
#[schema(examples(json!({
    "seq": 1044,
    "trade": {"seq": 1042, "time": "2024-01-03T14:30:00.123456Z", "price": 184.25, "size": 100},
    "day": {
        "open": 183.9, "high": 184.9, "low": 183.5, "last": 184.25, "volume": 1_204_000, "change": 0.35,
        "change_percent": 0.19
    }
})))]
pub struct Snapshot {
    /// The snapshot takes into account all events up to this sequence number.
    pub seq: u64,
    /// The newest trade.
    pub trade: Option<Trade>,
    /// The newest quote.
    pub quote: Option<Quote>,
    /// The newest bar.
    pub bar: Option<Bar>,
    /// `halted` while trading has stopped. The field is left out while the symbol is traded.
    pub status: Option<TradingState>,
    /// Why trading has stopped, if the source states a reason.
    pub reason: Option<Reason>,
    /// The UTC day of market time so far.
    pub day: Option<Day>,
}

/// The prices and the volume of a symbol in one UTC day of market time.
#[derive(ToSchema)]
pub struct Day {
    /// The first price of the day.
    pub open: Number,
    /// The highest price of the day.
    pub high: Number,
    /// The lowest price of the day.
    pub low: Number,
    /// The last price of the day.
    pub last: Number,
    /// The volume of the day.
    pub volume: Option<Number>,
    /// The difference between the last price and the last price of the previous day. Without a previous day,
    /// the difference to the day's first price.
    pub change: Option<Number>,
    /// The change in percent, with at most two decimal places.
    pub change_percent: Option<Number>,
}

/// All that the connection now receives. This frame answers a command, or a URL that subscribes.
#[derive(ToSchema)]
#[schema(examples(json!({
    "id": 7, "trades": ["AAPL"], "quotes": ["AAPL"], "bars": [], "epoch": "k3f9x2m1", "seq": 1044, "resumed": false,
    "snapshots": 1, "delivery": "latest", "interval_ms": 0, "feed": {"kind": "simulated", "state": "running"}
})))]
pub struct Subscription {
    /// The `id` of the command.
    pub id: Option<CommandId>,
    /// The symbols whose trades the connection receives. `*` comes first.
    pub trades: Vec<SymbolOrAll>,
    /// The symbols whose quotes the connection receives. `*` comes first.
    pub quotes: Vec<SymbolOrAll>,
    /// The symbols whose bars the connection receives. `*` comes first.
    pub bars: Vec<SymbolOrAll>,
    /// The symbols of this command that the feed does not know.
    pub unknown: Option<Vec<Symbol>>,
    /// The name of the present count of events. Each start of the server begins a new epoch.
    #[schema(pattern = "^[A-Za-z0-9]{1,32}$")]
    pub epoch: String,
    /// The newest event that this frame takes into account; 0 before the first event.
    pub seq: u64,
    /// Whether the events after the cursor of this command follow.
    pub resumed: bool,
    /// The number of snapshots that follow.
    pub snapshots: u64,
    /// The delivery policy of the connection.
    pub delivery: Delivery,
    /// The conflation interval in milliseconds.
    #[schema(maximum = 60_000)]
    pub interval_ms: u32,
    /// The feed.
    pub feed: FeedInfo,
}

/// The kind and the state of the feed.
#[derive(ToSchema)]
pub struct FeedInfo {
    /// The kind.
    pub kind: FeedKind,
    /// The state.
    pub state: FeedState,
    /// Why the feed has failed.
    pub detail: Option<String>,
}

/// The owner of the token, and what the token allows. This frame answers `auth`.
#[derive(ToSchema)]
#[schema(examples(json!({"name": "dashboard", "relay": false, "control": false})))]
pub struct Authenticated {
    /// The `id` of the command.
    pub id: Option<CommandId>,
    /// The name of the owner.
    pub name: String,
    /// Whether the client may send messages to its peers.
    pub relay: bool,
    /// Whether the client may control the feed.
    pub control: bool,
}

/// The server's clock. This frame answers `ping`.
#[derive(ToSchema)]
#[schema(examples(json!({"time": "2024-01-03T14:30:00.123456789Z"})))]
pub struct Pong {
    /// The `id` of the command.
    pub id: Option<CommandId>,
    /// The time of the server's clock.
    pub time: Time,
}

/// The answer to a wrong command, or to a message that the server did not relay. The connection goes on.
#[derive(ToSchema)]
#[schema(examples(json!({
    "id": 7, "code": "bad_channel", "message": "\"trade\" is not a channel; channels are trades, quotes and bars"
})))]
pub struct Error {
    /// The `id` of the command.
    pub id: Option<CommandId>,
    /// The kind of the error, for programs.
    pub code: ErrorCode,
    /// What is wrong and what to do, for people. This text may change.
    pub message: String,
}

/// What a peer says. The frame has either a text or bytes.
#[derive(ToSchema)]
#[schema(examples(json!({"from": "c17", "text": "anybody here?"})))]
pub struct Message {
    /// The name of the sender's connection. No client can choose this name.
    pub from: String,
    /// A text message.
    pub text: Option<String>,
    /// A binary message in base64.
    #[schema(content_encoding = "base64")]
    pub base64: Option<String>,
}

/// A sign of life. The counters say whether newer events have replaced others.
#[derive(ToSchema)]
#[schema(examples(json!({"time": "2024-01-03T14:30:05Z", "seq": 120_455, "sent": 5012, "merged": 41})))]
pub struct Heartbeat {
    /// The time of the server's clock.
    pub time: Time,
    /// The newest event of the feed.
    pub seq: u64,
    /// The number of events that the connection was sent.
    pub sent: u64,
    /// The number of events that newer events replaced for this connection.
    pub merged: u64,
}

/// Events are missing at this place.
#[derive(ToSchema)]
#[schema(examples(json!({"after": 1042, "until": 2310, "reason": "history_exhausted"})))]
pub struct Gap {
    /// The last event before the gap. Left out for another epoch.
    pub after: Option<u64>,
    /// The last event of the gap. Left out for another epoch.
    pub until: Option<u64>,
    /// The reason.
    pub reason: GapReason,
    /// The new epoch. Only the reason `epoch_changed` has this field.
    #[schema(pattern = "^[A-Za-z0-9]{1,32}$")]
    pub epoch: Option<String>,
    /// The number of snapshots that follow. Only the reason `lagged` has this field.
    pub snapshots: Option<u64>,
}

/// The feed has a new state, or goes on from another market time.
#[derive(ToSchema)]
#[schema(examples(json!({"state": "running"})))]
pub struct Feed {
    /// The state.
    pub state: FeedState,
    /// Why the feed has failed.
    pub detail: Option<String>,
    /// After a seek: the market time from which the feed goes on.
    pub position: Option<Time>,
    /// After a seek: the newest event at that moment.
    pub seq: Option<u64>,
    /// After a seek: the number of snapshots that follow.
    pub snapshots: Option<u64>,
}

/// The last line of a stream over HTTP. A stream without this line was cut off.
#[derive(ToSchema)]
#[schema(examples(json!({"code": 1001, "reason": "the server shuts down"})))]
pub struct Close {
    /// The close code that a WebSocket would get.
    #[schema(minimum = 1000, maximum = 4999)]
    pub code: u16,
    /// The reason. After 4008, the reason is the cursor from which the client can resume.
    pub reason: String,
}

/// Returns the frames that contain one event.
pub fn events(schemas: &mut Schemas) -> Vec<TaggedReference> {
    vec![
        schemas.symbol_frame::<Trade>("trade"),
        schemas.symbol_frame::<Quote>("quote"),
        schemas.symbol_frame::<Bar>("bar"),
        schemas.symbol_frame::<Status>("status"),
    ]
}

/// Returns the frames that a subscriber gets without having sent a command.
pub fn subscriber_frames(schemas: &mut Schemas) -> Vec<TaggedReference> {
    let mut frames = events(schemas);
    frames.extend([
        schemas.symbol_frame::<Snapshot>("snapshot"),
        schemas.frame::<Subscription>("subscribed"),
        schemas.frame::<Message>("message"),
        schemas.frame::<Heartbeat>("heartbeat"),
        schemas.frame::<Gap>("gap"),
        schemas.frame::<Feed>("feed"),
    ]);
    frames
}

/// Returns the frames that only answer a client's command or message.
pub fn answers(schemas: &mut Schemas) -> Vec<TaggedReference> {
    vec![
        schemas.frame::<Subscription>("unsubscribed"),
        schemas.frame::<Subscription>("set"),
        schemas.frame::<Authenticated>("authenticated"),
        schemas.frame::<Pong>("pong"),
        schemas.frame::<Error>("error"),
    ]
}

/// Returns the frames of a stream over HTTP.
pub fn stream_frames(schemas: &mut Schemas) -> Vec<TaggedReference> {
    let mut frames = subscriber_frames(schemas);
    frames.push(schemas.frame::<Close>("close"));
    frames
}

/// Returns the parameters of a URL that subscribes, each with its description and its schema.
pub fn url_parameters(schemas: &mut Schemas) -> [(&'static str, &'static str, Value); 6] {
    [
        (
            "symbols",
            "Symbols with commas between them, or `*`. `symbol`, `tickers` and `ticker` mean the same.",
            schemas.of::<SymbolList>(),
        ),
        (
            "channels",
            "Channels with commas between them; all three without this parameter. Needs `symbols`.",
            schemas.of::<ChannelList>(),
        ),
        ("delivery", "The delivery policy; `latest` without this parameter.", schemas.of::<Delivery>()),
        (
            "interval_ms",
            "The conflation interval in milliseconds; 0 without this parameter.",
            json!({"type": "integer", "minimum": 0, "maximum": 60_000}),
        ),
        ("after", "The cursor from which the client resumes. Needs `symbols`.", schemas.of::<Cursor>()),
        (
            "token",
            "A token, if the server has tokens. Proxies may log this parameter.",
            json!({"type": "string"}),
        ),
    ]
}
