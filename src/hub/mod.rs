//! The hub: the shards, which pass events from the bus to the clients. Each worker thread has one shard.
//!
//! A [`Shard`] decides what each client gets, and does no I/O. The shard's [runner](ShardRunner) reads the
//! log, and writes new events directly to the sockets of their subscribers. The runner also passes relayed
//! messages to the shard, and wakes sessions.
//!
//! A shard produces values, such as events and replies. An [encoding](crate::encoding) turns these values
//! into bytes. So the hub does not depend on the format of the bytes.

mod batch;
mod catch_up_quota;
mod command_executor;
mod conflated_keys;
mod connection;
mod connection_state;
mod deadlines;
mod encoding_cache;
mod fan_out;
mod flush_window;
mod frame_buffer;
mod heartbeats;
mod liveness;
mod market_state;
mod outbox;
mod overload;
mod rate_limiter;
mod relay;
mod relay_frames;
mod settings;
mod shard;
mod shard_runner;
mod snapshot_set;
mod sockets;
mod spread;
mod subscribe_check;
mod subscription;
mod subscription_index;

pub use deadlines::Timeouts;
pub use market_state::{MarketState, snapshot};
pub use outbox::{Outbox, SlowConsumer};
pub use rate_limiter::{Limiter, Moment, TokioClock, limiter};
pub use relay::{OtherNodes, PeerName, Relay, RelayConfig, Relayed};
pub use settings::Settings;
pub use shard::Shard;
pub use shard_runner::ShardRunner;
pub use sockets::{Duplex, Socket, Sockets};
pub use subscribe_check::{Missed, cursor as check_cursor, symbols as check_symbols};
pub use subscription_index::ConnectionId;
