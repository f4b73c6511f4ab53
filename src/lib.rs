//! tickerplant
pub mod bus;
pub mod feed;
pub mod hub;
pub mod market;
pub mod server;
pub mod session;
pub mod wire;
