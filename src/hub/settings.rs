//! The settings of a shard.

use std::time::Duration;

use super::deadlines::Timeouts;

/// The settings of a shard.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The time between heartbeats. A heartbeat may go with an update up to an eighth of this time early.
    pub heartbeat: Duration,
    /// How many bytes of events and news may be pending for a connection.
    pub every_buffer: usize,
    /// How many symbols a connection may subscribe to; 0 means no limit.
    pub max_symbols: usize,
    /// The times within which a client has to act.
    pub timeouts: Timeouts,
    /// For how long updates are collected before they are written. Updates of a flow-controlled feed are not
    /// collected, because it publishes enough at a time for one write.
    pub flush_window: Duration,
    /// About how many bytes of missed events or snapshots are written for a connection at a time.
    pub catch_up_bytes: usize,
    /// How many conflated events are flushed for a connection at a time.
    pub conflated_events: usize,
    /// How long an `every` client may keep a flow-controlled feed waiting without catching up and without
    /// reading `catch_up_bytes` bytes.
    pub stall_timeout: Duration,
}

impl Settings {
    /// About the number of bytes that a socket takes at a time.
    pub const CATCH_UP_BYTES: usize = 64 * 1024;

    /// The number of events in about 256 KiB. With fewer at a time, finding the oldest of many would cost
    /// more than writing them.
    pub const CONFLATED_EVENTS: usize = 2048;
}
