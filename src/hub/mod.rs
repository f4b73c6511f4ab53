//! The hub: the shards, one a thread, between the bus and the clients.
//!
//! A [`Shard`] decides and its [loop](LocalShard::run) moves: it reads the log and writes what is new straight to the
//! sockets of those who take it, it takes relayed messages from its inbox, and it wakes the
//! sessions that have something to do. A shard produces values, and an [encoding](crate::encoding) turns them into bytes;
//! nothing here knows how these look.

mod batch;
mod catch_up_quota;
mod commands;
mod conflated_keys;
mod connection;
mod connection_state;
mod deadlines;
mod encoding_cache;
mod fan_out;
mod heartbeats;
mod liveness;
mod local_shard;
mod outbox;
mod overload;
mod rate_limiter;
mod relay;
mod settings;
mod shard;
mod snapshot_set;
mod sockets;
mod spread;
mod subscribe_check;
mod subscription_index;
mod view;

pub use deadlines::Timeouts;
pub use local_shard::LocalShard;
pub use outbox::{Outbox, SlowConsumer};
pub use rate_limiter::{Limiter, Moment, TokioClock, limiter};
pub use relay::{Relay, RelayConfig, Relayed};
pub use settings::Settings;
pub use shard::Shard;
pub use sockets::{Duplex, Socket, Sockets};
pub use subscribe_check::{cursor as check_cursor, symbols as check_symbols};
pub use subscription_index::ConnectionId;
