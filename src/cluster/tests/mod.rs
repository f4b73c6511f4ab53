//! Tests of nodes in simulated time, over a stream with faults.

mod fake_log;
mod mutant;
mod simulation;
