//! Digits, read byte by byte.

/// The digits behind a unit's point, in nanoseconds.
pub fn part_of(unit: i64, fraction: &[u8]) -> i64 {
    let mut place = unit;
    let parts = fraction.iter().map(|digit| {
        place /= 10;
        place * i64::from(digit - b'0')
    });
    parts.take(9).sum()
}

/// How many digits a text begins with.
#[inline]
pub fn digits(text: &[u8]) -> usize {
    let mut rest = text;
    while let [b'0'..=b'9', after @ ..] = rest {
        rest = after;
    }
    text.len() - rest.len()
}

/// The number that these digits make, at most 18 of them.
#[inline]
pub fn number(digits: &[u8]) -> i64 {
    leading_number(digits).0.cast_signed()
}

/// The number at the beginning of a text, right if it has at most 19 digits, and what follows it.
#[inline]
pub fn leading_number(mut text: &[u8]) -> (u64, &[u8]) {
    let mut number: u64 = 0;
    while let [digit @ b'0'..=b'9', after @ ..] = text {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        text = after;
    }
    (number, text)
}
