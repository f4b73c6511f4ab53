//! Sessions of one shard over sockets in memory, with a clock that only moves when nothing else does.

mod fairness;
mod flow_control;
mod flush_timing;
mod lag_and_resume;
mod liveness;
mod memory;
mod slow_consumers;
mod snapshots_after_seek;
