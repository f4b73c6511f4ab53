//! Makes text from the feed's input safe to print in a terminal or a log.

/// The maximum length of an excerpt from the feed's input, in characters.
const EXCERPT: usize = 200;

/// Replaces control characters, so that the text cannot move a terminal's cursor or start a new line.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Returns the first 200 characters of a text, with its control characters replaced.
pub fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * EXCERPT)]);
    printable(&text.chars().take(EXCERPT).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_of_a_text_is_bounded_and_cannot_end_a_line() {
        assert_eq!(excerpt(b"a\n\x1b[31mb"), "a\u{fffd}\u{fffd}[31mb");
        assert_eq!(excerpt("é".repeat(1000).as_bytes()), "é".repeat(200));
    }
}
