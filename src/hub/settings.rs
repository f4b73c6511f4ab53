//! What a shard is told at its start.

use std::time::Duration;

use super::deadlines::Timeouts;

/// What a shard is told at its start.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time between heartbeats; one goes with an update up to an eighth of it early, where there is one.
    pub heartbeat: Duration,
    /// How many bytes may wait for a connection.
    pub every_buffer: usize,
    /// How many symbols a connection may have; 0 means no limit.
    pub max_symbols: usize,
    /// What connections have to do in time.
    pub timeouts: Timeouts,
    /// How long updates are collected before they are written; a paced feed publishes as much at a time as is worth a write.
    pub flush_window: Duration,
    /// How many bytes of missed events or of snapshots a connection is written at a time.
    pub catch_up_bytes: usize,
    /// How many conflated events a connection is written at a time.
    pub conflated_events: usize,
    /// How long an `every` client may keep a paced feed waiting before it has caught up or taken `catch_up_bytes`.
    pub stall_timeout: Duration,
}

impl Settings {
    /// About as much as a socket takes at a time.
    pub const CATCH_UP_BYTES: usize = 64 * 1024;

    /// About 256 KiB: with fewer, the search for the oldest of many would cost more than writing them.
    pub const CONFLATED_EVENTS: usize = 2048;
}
