//! Finds the words that a user probably meant.

/// The largest number of words that the program suggests.
const MOST: usize = 3;

/// Returns the candidates nearest to a word: those at the smallest edit distance, three at most. Letter case
/// does not count as a difference, and two swapped letters count as one difference. A candidate may differ
/// from the word in at most a third of the letters, rounded up.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = word.to_lowercase();
    let letters = lower.chars().count();
    // Every letter of a word of one letter would be its neighbour.
    let mut smallest = letters.div_ceil(3).min(letters.saturating_sub(1));
    let mut found = Vec::new();
    for candidate in candidates {
        let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
        if distance < smallest {
            smallest = distance;
            found.clear();
        }
        if distance == smallest {
            found.push(candidate);
        }
    }
    found.sort_unstable();
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_words_are_found_and_strange_words_are_not() {
        let symbols = ["AAPL", "MSFT", "MSTR", "GOOGL", "GOOG", "F", "BTC-USD"];
        for (word, expected) in [
            ("APPL", vec!["AAPL"]),
            ("aapl", vec!["AAPL"]),
            ("MSTF", vec!["MSFT", "MSTR"]),
            ("GOOGLE", vec!["GOOGL"]),
            ("BTCUSD", vec!["BTC-USD"]),
            ("f", vec!["F"]),
            ("X", vec![]),
            ("NVDA", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(nearest(word, symbols), expected, "{word}");
        }
    }
}
