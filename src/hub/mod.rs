//! The hub: the shards, one a thread, between the bus and the clients.
//!
//! A [`Shard`] decides and its [loop](LocalShard::run) moves: it reads the log and writes what is new straight to the
//! sockets of those who take it, it takes relayed messages from its inbox, and it wakes the
//! sessions that have something to do. A shard produces values, and an [encoding](crate::encoding) turns them into bytes;
//! nothing here knows how these look.

mod batch;
mod beats;
mod check;
mod commands;
mod conflated;
mod connection;
mod encoded;
mod fan_out;
mod life;
mod limiter;
mod liveness;
mod local;
mod outbox;
mod overload;
mod quota;
mod relay;
mod settings;
mod shard;
mod snapshots;
mod sockets;
mod state;
mod subscriptions;
mod turns;
mod view;

pub use check::{cursor as check_cursor, symbols as check_symbols};
pub use life::Deadlines;
pub use limiter::{Limiter, Moment, TokioClock, limiter};
pub use local::LocalShard;
pub use outbox::{Outbox, Overflow};
pub use relay::{Relay, RelayConfig, Relayed};
pub use settings::Settings;
pub use shard::Shard;
pub use sockets::{Duplex, Socket, Sockets};
pub use subscriptions::ConnectionId;
