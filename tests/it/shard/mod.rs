//! Tests of the log, of one shard and of its outboxes. The tests call the functions of these types directly,
//! without tasks and sockets.

mod conflation_interval;
mod full_speed;
mod lag_and_close;
mod last_values;
mod mixed_encodings;
mod outbox;
mod random_steps;
mod resume;
mod resume_across_seek;
mod seek;
mod subscribe_at_every_point;
