//! tickerplant
pub mod bus;
pub mod market;
