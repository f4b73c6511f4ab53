//! The commands that a client sends on a WebSocket, and the commands to the feed.

use serde_json::Value;
use utoipa::ToSchema;

use super::schemas::{Schemas, TaggedReference};
use super::values::{Channels, CommandId, Cursor, Speed, Symbols};
use crate::wire::Delivery;

/// Adds symbols to what the connection receives.
#[derive(ToSchema)]
#[schema(examples(json!({"symbols": ["AAPL", "MSFT"], "channels": ["trades"], "after": "k3f9x2m1-1042", "id": 7})))]
pub struct Subscribe {
    /// The symbols. `symbol`, `tickers` and `ticker` mean the same.
    pub symbols: Symbols,
    /// The channels; all three without this field.
    pub channels: Option<Channels>,
    /// The cursor from which the client resumes. Only the first `subscribe` of a connection takes a cursor.
    pub after: Option<Cursor>,
    /// The new delivery policy of the connection.
    pub delivery: Option<Delivery>,
    /// The new conflation interval of the connection, in milliseconds.
    #[schema(maximum = 60_000)]
    pub interval_ms: Option<u32>,
    /// The reply repeats the `id`.
    pub id: Option<CommandId>,
}

/// Takes symbols away from what the connection receives.
#[derive(ToSchema)]
#[schema(examples(json!({"symbols": ["AAPL"], "channels": ["quotes"]})))]
pub struct Unsubscribe {
    /// The symbols. `symbol`, `tickers` and `ticker` mean the same.
    pub symbols: Symbols,
    /// The channels; all three without this field.
    pub channels: Option<Channels>,
    /// The reply repeats the `id`.
    pub id: Option<CommandId>,
}

/// Changes the delivery. The command needs `delivery` or `interval_ms`.
#[derive(ToSchema)]
#[schema(examples(json!({"delivery": "latest", "interval_ms": 500})))]
pub struct Set {
    /// The new delivery policy of the connection.
    pub delivery: Option<Delivery>,
    /// The new conflation interval of the connection, in milliseconds.
    #[schema(maximum = 60_000)]
    pub interval_ms: Option<u32>,
    /// The reply repeats the `id`.
    pub id: Option<CommandId>,
}

/// Shows a token.
#[derive(ToSchema)]
#[schema(examples(json!({"token": "secret"})))]
pub struct Auth {
    /// The token.
    pub token: String,
    /// The reply repeats the `id`.
    pub id: Option<CommandId>,
}

/// Asks for the server's clock.
#[derive(ToSchema)]
#[schema(examples(json!({"id": 8})))]
pub struct Ping {
    /// The reply repeats the `id`.
    pub id: Option<CommandId>,
}

/// The feed publishes nothing more.
#[derive(ToSchema)]
#[schema(examples(json!({})))]
pub struct Pause {}

/// The feed goes on.
#[derive(ToSchema)]
#[schema(examples(json!({})))]
pub struct Resume {}

/// Changes the speed. Only a replay has the speed `max`.
#[derive(ToSchema)]
#[schema(examples(json!({"speed": 10})))]
pub struct SetSpeed {
    /// The new speed.
    pub speed: Speed,
}

/// A replay goes on with the first event at or after a time.
#[derive(ToSchema)]
#[schema(examples(json!({"time": "2024-01-03T15:00:00Z"})))]
pub struct Seek {
    /// A date, a date and a time of day, a time with an offset, or a Unix time as a number or as text.
    pub time: SeekTime,
}

/// The target of a seek.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum SeekTime {
    /// A text such as `2024-01-03`, `2024-01-03 15:00` or `2024-01-03T15:00:00Z`.
    Text(String),
    /// A Unix time in seconds, milliseconds, microseconds or nanoseconds.
    Unix(f64),
}

/// Publishes events at once, and pauses the feed.
#[derive(ToSchema)]
#[schema(examples(json!({"events": 10})))]
pub struct Step {
    /// The number of events; 1 without this field.
    #[schema(minimum = 1, maximum = 100_000)]
    pub events: Option<u32>,
}

/// Decides whether a replay starts again at its end.
#[derive(ToSchema)]
#[schema(examples(json!({"loop": true})))]
pub struct Loop {
    /// Whether the replay starts again.
    #[schema(rename = "loop")]
    pub repeats: bool,
}

/// Returns the commands of a WebSocket, each with the frame that answers the command.
pub fn websocket(schemas: &mut Schemas) -> Vec<(TaggedReference, &'static str)> {
    vec![
        (schemas.command::<Subscribe>("subscribe"), "subscribed"),
        (schemas.command::<Unsubscribe>("unsubscribe"), "unsubscribed"),
        (schemas.command::<Set>("set"), "set"),
        (schemas.command::<Auth>("auth"), "authenticated"),
        (schemas.command::<Ping>("ping"), "pong"),
    ]
}

/// Returns a reference to the schema of all commands to the feed.
pub fn feed(schemas: &mut Schemas) -> Value {
    let commands = [
        schemas.command::<Pause>("pause"),
        schemas.command::<Resume>("resume"),
        schemas.command::<SetSpeed>("speed"),
        schemas.command::<Seek>("seek"),
        schemas.command::<Step>("step"),
        schemas.command::<Loop>("loop"),
    ];
    schemas.one_of("FeedCommand", "A command to the feed.", "action", &commands)
}
