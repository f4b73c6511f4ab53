//! Sessions of one shard over sockets in memory, with a clock that only moves when nothing else does.

mod flow_control;
mod liveness;
mod slow_consumers;
mod snapshots_after_seek;
