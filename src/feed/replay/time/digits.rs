//! Functions that parse digits byte by byte.

/// Converts the decimals of a number to nanoseconds. The number counts seconds or a smaller unit of time, and
/// `unit` is the length of that unit in nanoseconds.
pub fn part_of(unit: i64, fraction: &[u8]) -> i64 {
    let mut place = unit;
    let parts = fraction.iter().map(|digit| {
        place /= 10;
        place * i64::from(digit - b'0')
    });
    parts.take(9).sum()
}

/// Returns the number of digits at the start of a text.
#[inline]
pub fn digits(text: &[u8]) -> usize {
    let mut rest = text;
    while let [b'0'..=b'9', after @ ..] = rest {
        rest = after;
    }
    text.len() - rest.len()
}

/// Converts at most 18 digits to a number.
#[inline]
pub fn number(digits: &[u8]) -> i64 {
    leading_number(digits).0.cast_signed()
}

/// Parses the number at the start of a text. Returns the number, and the text after the number. If the text
/// begins with more than 19 digits, the returned number may be wrong.
#[inline]
pub fn leading_number(mut text: &[u8]) -> (u64, &[u8]) {
    let mut number: u64 = 0;
    while let [digit @ b'0'..=b'9', after @ ..] = text {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        text = after;
    }
    (number, text)
}
