//! Lists of words that are written as one text, with blanks between the words.

/// Returns whether a word is one of a list.
pub fn is_among(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|known| known == word)
}

/// Does the same as [`is_among`], whether ASCII letters are capitals or not.
pub fn is_among_in_any_case(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(word))
}
