//! Generates texts that are almost valid, by random changes to given texts.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Short texts that [`mutated`] inserts at random places in a given text.
const SPICE: [&str; 24] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\u{0}",
    "\u{fffd}",
    "null",
    "1e999",
    "-0",
    "18446744073709551616",
    "\\ud800",
    "*",
    "&",
    "=",
    "%",
    "%ff",
    "+",
    "-",
    "é",
    " ",
];

/// Generates a changed copy of one of the given texts. Parts of the text are removed, repeated or inserted at
/// random.
pub fn mutated(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    let times = prop_oneof![4 => 1_usize..20, 1 => 20_usize..3000];
    let change = (any::<[Index; 2]>(), 0..4_u8, select(&SPICE[..]), times);
    (select(texts), vec(change, 0..5)).prop_map(|(text, changes)| {
        let mut text: Vec<char> = text.chars().collect();
        for (places, what, spice, times) in changes {
            let mut ends = places.map(|place| place.index(text.len() + 1));
            ends.sort_unstable();
            let [from, to] = ends;
            let spice = spice.chars();
            match what {
                0 => drop(text.drain(from..to)),
                1 => text.splice(to..to, text[from..to].to_vec()).for_each(drop),
                2 => text.splice(from..from, spice).for_each(drop),
                _ => text.splice(from..from, spice.cycle().take(times)).for_each(drop),
            }
        }
        text.into_iter().collect()
    })
}
