//! The settings of a shard.

use std::time::Duration;

use super::deadlines::Timeouts;

/// The settings of a shard.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The time between two heartbeats to a connection. A heartbeat that is written with an update may be
    /// early by up to an eighth of this time.
    pub heartbeat: Duration,
    /// How many bytes of events, relayed messages and feed states may be pending for a connection.
    pub every_buffer: usize,
    /// How many symbols a connection may subscribe to; 0 means no limit.
    pub max_symbols: usize,
    /// The ping interval, and the time limits within which a client must act.
    pub timeouts: Timeouts,
    /// How long updates are collected, at most, before they are written. Updates of a flow-controlled feed
    /// are not collected, because such a feed already publishes many events at once.
    pub flush_window: Duration,
    /// Whether tokio's clock follows the system's clock; false in tests, which may pause tokio's clock.
    pub has_system_clock: bool,
    /// About how many bytes of missed events or snapshots are written for a connection at a time.
    pub catch_up_bytes: usize,
    /// The maximum number of conflated events that are flushed for a connection at a time.
    pub conflated_events: usize,
    /// How long an `every` client may keep a flow-controlled feed waiting. This time limit restarts when the
    /// client has caught up, or has read `catch_up_bytes` bytes.
    pub stall_timeout: Duration,
}

impl Settings {
    /// The value of `catch_up_bytes` that the server uses. A socket accepts about this many bytes at a time.
    pub const CATCH_UP_BYTES: usize = 64 * 1024;

    /// The value of `conflated_events` that the server uses. The frames of this many events take about 256
    /// KiB. If fewer events were flushed at a time, the search for the oldest events would cost more than the
    /// write.
    pub const CONFLATED_EVENTS: usize = 2048;
}
