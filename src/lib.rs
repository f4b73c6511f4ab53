//! tickerplant
pub mod app;
pub mod bus;
pub mod cli;
pub mod client;
pub mod config;
pub mod feed;
pub mod hub;
pub mod market;
pub mod server;
pub mod session;
pub mod wire;
