//! The same settings give the same events, to the byte, on every machine and in every later version.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::*;
use crate::market::Payload;

/// Returns the hash of the texts of the first 100,000 events.
fn hash(profile: &str) -> String {
    let mut text = String::new();
    for Event { symbol, time, payload } in events(&config(&format!("profile = \"{profile}\"")), 100_000) {
        match payload {
            Payload::Trade(trade) => {
                writeln!(text, "{time} {symbol} {} {}", trade.price, trade.size.unwrap()).unwrap();
            }
            Payload::Quote(quote) => {
                let [bid, ask] = [quote.bid, quote.ask].map(Option::unwrap);
                let [bid_size, ask_size] = [quote.bid_size, quote.ask_size].map(Option::unwrap);
                writeln!(text, "{time} {symbol} {bid} {bid_size} {ask} {ask_size}").unwrap();
            }
            Payload::Bar(_) | Payload::Status(_) => unreachable!("a simulation has trades and quotes"),
        }
    }
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn the_first_events_of_each_profile_stay_as_they_are() {
    let profiles = ["realistic", "gbm", "flat", "saw", "step"];

    let hashes = profiles.map(hash);

    assert_eq!(
        hashes,
        ["2f2cc7d53871b3f3", "9b3489627edc89cf", "f27f92568bb79cc1", "75302c8aef8b8be0", "395699d4eb8cebfc"]
    );
}
