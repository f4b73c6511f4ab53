//! tickerplant
fn main() {}
