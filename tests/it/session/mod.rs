//! Tests of the sessions of one shard, over in-memory sockets and with a paused clock.

mod fairness;
mod flow_control;
mod flush_timing;
mod lag_and_resume;
mod liveness;
mod memory;
mod slow_consumers;
mod snapshots_after_seek;
