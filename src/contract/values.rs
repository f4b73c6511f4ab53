//! The values that frames, commands and answers consist of.

use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// An exact decimal number with all digits of its source. The number never has an exponent.
#[derive(ToSchema)]
#[schema(format = "decimal", examples(184.25))]
pub struct Number(pub rust_decimal::Decimal);

/// A moment in the form of RFC 3339, in UTC with `Z`. The seconds have 0, 3, 6 or 9 decimal places.
#[derive(ToSchema)]
#[schema(format = DateTime, pattern = "Z$", examples("2024-01-03T14:30:00.123456Z"))]
pub struct Time(pub String);

/// The name of an instrument: letters and digits of any script and `. _ : / ^ = + -`. Case counts.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 32,
    pattern = r"^([A-Za-z0-9._:/^=+-]|[^\x00-\x7F])+$",
    examples("AAPL")
)]
pub struct Symbol(pub String);

/// A symbol, or `*` for every symbol. The `*` includes symbols that the feed adds later.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 32,
    pattern = r"^(\*|([A-Za-z0-9._:/^=+-]|[^\x00-\x7F])+)$",
    examples("AAPL", "*")
)]
pub struct SymbolOrAll(pub String);

/// A list of symbols.
#[derive(ToSchema)]
#[schema(min_items = 1)]
pub struct SymbolList(pub Vec<SymbolOrAll>);

/// One symbol, or a list of symbols.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Symbols {
    /// One symbol.
    One(SymbolOrAll),
    /// A list of symbols.
    Many(SymbolList),
}

/// A kind of events.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Trades.
    Trades,
    /// Quotes.
    Quotes,
    /// Bars.
    Bars,
}

/// A list of channels.
#[derive(ToSchema)]
#[schema(min_items = 1)]
pub struct ChannelList(pub Vec<Channel>);

/// One channel, or a list of channels.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Channels {
    /// One channel.
    One(Channel),
    /// A list of channels.
    Many(ChannelList),
}

/// A position from which a client resumes: `EPOCH-SEQ`.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9]{1,32}-[0-9]{1,20}$", examples("k3f9x2m1-1042"))]
pub struct Cursor(pub String);

/// The length of a bar: a number of seconds, minutes, hours, days or weeks.
#[derive(ToSchema)]
#[schema(pattern = "^[1-9][0-9]*[smhdw]$", examples("1m"))]
pub struct Interval(pub String);

/// Whether a symbol is traded.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TradingState {
    /// Trading goes on.
    Trading,
    /// Trading has stopped.
    Halted,
}

/// Why trading in a symbol stops or goes on: at most 64 bytes, without control characters.
#[derive(ToSchema)]
#[schema(max_length = 64, examples("volatility"))]
pub struct Reason(pub String);

/// The state of a feed.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeedState {
    /// The feed has published no event yet.
    Starting,
    /// The feed publishes events.
    Running,
    /// The feed waits until a client resumes or steps the feed.
    Paused,
    /// The source has delivered no event for longer than `feed.stalled_after`.
    Stalled,
    /// The feed has published its last event.
    Ended,
    /// The feed has failed.
    Failed,
    /// Another node of the cluster has taken over the feed, and has not published any event yet.
    Restarting,
    /// The node is cut off from the other nodes of its cluster.
    Degraded,
}

/// Seconds of market time in a second.
#[derive(ToSchema)]
#[schema(minimum = 0.000_001, maximum = 1_000_000)]
pub struct SpeedFactor(pub f64);

/// The speed of a feed.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Speed {
    /// Seconds of market time in a second.
    Factor(SpeedFactor),
    /// As fast as the clients read.
    Max(MaxSpeed),
}

/// The speed at which a replay does not wait for the time of its events.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MaxSpeed {
    /// As fast as the clients read.
    Max,
}

/// The `id` of a command: a string or a number. The reply repeats the `id` unchanged.
pub struct CommandId;

impl PartialSchema for CommandId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Number]))
            .description(Some("The `id` of a command. The reply repeats the `id` unchanged."))
            .examples([7])
            .into()
    }
}

impl ToSchema for CommandId {}
