//! Finds the known names that are most similar to a wrong name, and suggests these names in an error message.

/// The largest number of names that a message suggests.
const MOST: usize = 3;

/// The minimum length of an abbreviation such as `sub` for `subscribe`, in bytes.
const LEAST_ABBREVIATION: usize = 3;

/// Returns `; did you mean NAME?` with the nearest names, or an empty text if no name is near.
pub fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(wrong, names).as_slice() {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(" or ")),
    }
}

/// Returns the candidates with the smallest edit distance to a word, but at most three candidates. Letter
/// case does not count as a difference, and two swapped letters count as one difference. The maximum distance
/// is a third of the number of the word's letters, rounded up. If every candidate has a larger distance,
/// returns candidates of two other sorts. The word may abbreviate the candidate (the word `sub` for
/// `subscribe`). Or the word may continue the candidate with more letters (the word `authenticate` for
/// `auth`).
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = word.to_lowercase();
    let letters = lower.chars().count();
    // Every letter of a word of one letter would be its neighbour.
    let mut smallest = letters.div_ceil(3).min(letters.saturating_sub(1));
    let mut found = Vec::new();
    let mut abbreviated = Vec::new();
    for candidate in candidates {
        let lower_candidate = candidate.to_lowercase();
        if abbreviates(&lower, &lower_candidate) {
            abbreviated.push(candidate);
        }
        let distance = strsim::osa_distance(&lower, &lower_candidate);
        if distance < smallest {
            smallest = distance;
            found.clear();
        }
        if distance == smallest {
            found.push(candidate);
        }
    }
    let mut nearest = if found.is_empty() { abbreviated } else { found };
    nearest.sort_unstable();
    nearest.truncate(MOST);
    nearest
}

/// Returns whether one of two names is the beginning of the other. If the word begins with the candidate,
/// only letters may follow. So the file name `catalog.csv` is not mistaken for the command `cat`.
fn abbreviates(word: &str, candidate: &str) -> bool {
    let is_continued = |rest: &str| rest.chars().all(char::is_alphabetic);
    word.len().min(candidate.len()) >= LEAST_ABBREVIATION
        && (candidate.starts_with(word) || word.strip_prefix(candidate).is_some_and(is_continued))
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
            ("BTC", vec!["BTC-USD"]),
            ("f", vec!["F"]),
            ("X", vec![]),
            ("NVDA", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(nearest(word, symbols), expected, "{word}");
        }
        assert_eq!(nearest("catalog.csv", ["cat", "watch"]), Vec::<&str>::new());
    }

    #[test]
    fn a_wrong_name_suggests_the_most_similar_name_and_no_other() {
        let names = ["subscribe", "unsubscribe", "set", "auth", "ping"];
        for (wrong, suggestion) in [
            ("subscrbe", "; did you mean subscribe?"),
            ("Subscribed", "; did you mean subscribe?"),
            ("sub", "; did you mean subscribe?"),
            ("unsub", "; did you mean unsubscribe?"),
            ("authenticate", "; did you mean auth?"),
            ("pings", "; did you mean ping?"),
            ("buy", ""),
            ("stop", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(wrong, names), suggestion, "{wrong}");
        }
        assert_eq!(did_you_mean("MSTF", ["MSFT", "MSTR"]), "; did you mean MSFT or MSTR?");
    }
}
