//! Parses the parts of a number: sign, currency, groups of digits, decimals and magnitude.

use rust_decimal::Decimal;

use super::decimal_sign::DecimalSign;

/// Words for "no value" in number columns, in lower case. These words apply only to number columns, because
/// in a symbol column, `NA` may be a symbol.
const MISSING: [&str; 14] =
    ["-", "--", "–", "—", ".", "null", "nan", "na", "<na>", "n/a", "#n/a", "#n/a n/a", "none", "nil"];

/// Currency signs, which come before or after a number.
const CURRENCIES: [&str; 11] = ["$", "€", "£", "¥", "₩", "원", "₹", "₽", "₺", "₿", "zł"];

/// Non-ASCII blanks: the no-break space, the narrow no-break space and the thin space.
const BLANKS: [&str; 3] = ["\u{a0}", "\u{202f}", "\u{2009}"];

/// Signs that may separate thousands in a number, besides the point and the comma.
const BETWEEN_THOUSANDS: [&str; 6] = [" ", "\u{a0}", "\u{202f}", "\u{2009}", "'", "’"];

/// A parsed number: its sign, its digits and the number of decimals. A negative number of decimals adds zeros
/// after the digits: the digit 5 with -3 decimals means 5000.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    is_negative: bool,
    digits: u128,
    decimals: i64,
}

impl Number {
    const ZERO: Self = Self { is_negative: false, digits: 0, decimals: 0 };

    /// Returns a whole number and a fraction together; `None` if there are too many digits.
    fn plus(self, fraction: Fraction) -> Option<Self> {
        let Fraction { parts, halvings } = fraction;
        let whole = self.digits.checked_mul(10_u128.pow(halvings))?;
        let digits = whole.checked_add(parts * 5_u128.pow(halvings))?;
        Some(Self { digits, decimals: i64::from(halvings), ..self })
    }

    /// Returns the number divided by ten to the power of `places`; `None` if [`Decimal`] cannot hold all
    /// digits.
    pub fn shifted(self, places: u32) -> Option<Decimal> {
        let decimals = self.decimals.checked_add(i64::from(places))?;
        let zeros = u32::try_from((-decimals).max(0)).ok()?;
        let digits = i128::try_from(self.digits).ok()?.checked_mul(10_i128.checked_pow(zeros)?)?;
        let scale = u32::try_from(decimals.max(0)).ok()?;
        Decimal::try_from_i128_with_scale(if self.is_negative { -digits } else { digits }, scale).ok()
    }
}

/// Parses a trimmed text as a number.
pub fn number(text: &[u8], decimal: DecimalSign) -> Option<Number> {
    let (in_parentheses, text) = match text {
        [b'(', text @ .., b')'] => (true, trim(text)),
        _ => (false, text),
    };
    let (sign, currency, text) = front(text);
    let (mut number, text) = match fraction(text) {
        Some((fraction, after)) => (Number::ZERO.plus(fraction)?, after),
        None => digits(text, decimal)?,
    };
    number.is_negative = in_parentheses || sign == Some(b'-');
    let text = match text {
        [b'e' | b'E', exponent @ ..] => {
            number.decimals = number.decimals.checked_sub(exponent_of(exponent)?)?;
            &[]
        }
        _ => text,
    };
    let text = match fraction_behind(text).filter(|_| number.decimals == 0) {
        Some((fraction, after)) => {
            number = number.plus(fraction)?;
            after
        }
        None => trim_start(text),
    };
    let (zeros, text) = magnitude(text).unwrap_or((0, text));
    number.decimals -= zeros;
    let text = trim_start(text);
    let rest = if currency { text } else { strip_any(text, &CURRENCIES).unwrap_or(text) };
    // Parentheses and a sign together are ambiguous.
    (rest.is_empty() && !(in_parentheses && sign.is_some())).then_some(number)
}

/// A fraction of a whole: so many parts, each of them a half to the power of `halvings`.
#[derive(Clone, Copy, Debug)]
struct Fraction {
    parts: u128,
    halvings: u32,
}

/// Parses a fraction behind the digits of a number: ` 1/8`, `-1/8` or `½`. Returns the fraction, and the text after it.
fn fraction_behind(text: &[u8]) -> Option<(Fraction, &[u8])> {
    let behind = text.strip_prefix(b"-").unwrap_or_else(|| trim_start(text));
    fraction(behind)
}

/// Parses a fraction at the start of a text: `1/8` or `½`. The parts are halves to 256ths. Returns the fraction, and
/// the text after it.
fn fraction(text: &[u8]) -> Option<(Fraction, &[u8])> {
    const SIGNS: [(&str, u128, u32); 7] =
        [("½", 1, 1), ("¼", 1, 2), ("¾", 3, 2), ("⅛", 1, 3), ("⅜", 3, 3), ("⅝", 5, 3), ("⅞", 7, 3)];
    let sign = SIGNS.into_iter().find_map(|(sign, parts, halvings)| {
        let after = text.strip_prefix(sign.as_bytes())?;
        Some((Fraction { parts, halvings }, after))
    });
    if sign.is_some() {
        return sign;
    }
    let (parts, after) = text.split_at(run(text).min(3));
    let after = after.strip_prefix(b"/")?;
    let (of, after) = after.split_at(run(after).min(3));
    let of = append(0, of).filter(|of| (2..=256).contains(of) && of.is_power_of_two())?;
    let parts = append(0, parts).filter(|number| !parts.is_empty() && *number < of)?;
    Some((Fraction { parts, halvings: of.ilog2() }, after))
}

/// Returns whether a trimmed text means "no value".
pub fn is_missing(text: &[u8]) -> bool {
    text.is_empty()
        || MISSING.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
        || is_greatest_double(text)
}

/// Returns whether a text is the greatest 64-bit floating-point number. Some programs write this number for
/// "no value", as `1.7976931348623157E308` or as `1.79769313486232E+308`.
fn is_greatest_double(text: &[u8]) -> bool {
    let begins = matches!(text, [b'1', b'.' | b',', digits @ ..] if digits.starts_with(b"79769313486231")
        || digits.starts_with(b"79769313486232"));
    let ends =
        |end: &[u8]| text.len() > end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end);
    begins && (ends(b"e308") || ends(b"e+308"))
}

/// Splits off the sign and the currency before the digits of a number. Either of the two may come first.
fn front(mut text: &[u8]) -> (Option<u8>, bool, &[u8]) {
    let (mut sign, mut currency) = (None, false);
    loop {
        text = match text {
            [found @ (b'-' | b'+'), after @ ..] if sign.is_none() => {
                sign = Some(*found);
                after
            }
            _ => match strip_any(text, &CURRENCIES) {
                Some(after) if !currency => {
                    currency = true;
                    after
                }
                _ => return (sign, currency, text),
            },
        };
        text = trim_start(text);
    }
}

/// Parses the digits of a number, with its separators of thousands and its decimals. Returns the number, and
/// the text after the number.
fn digits(text: &[u8], decimal: DecimalSign) -> Option<(Number, &[u8])> {
    let (first, mut text) = text.split_at(run(text));
    let mut digits = append(0, first)?;
    // A number that begins with a zero has no separator of thousands: in `0,500`, the comma is the decimal
    // sign.
    if (1..=3).contains(&first.len()) && first[0] != b'0' {
        let other = [decimal.other().byte()];
        let between = |text| {
            let after = strip_any(text, &BETWEEN_THOUSANDS).or_else(|| text.strip_prefix(&other))?;
            // In India, the groups above the thousands have two digits: `67,49,270`.
            let is_group = run(after) == 3 || matches!(after, [_, _, b',', ..] if run(after) == 2);
            is_group.then(|| (&text[..text.len() - after.len()], after))
        };
        if let Some((sign, mut after)) = between(text) {
            loop {
                let group = run(after);
                digits = append(digits, &after[..group])?;
                text = &after[group..];
                match between(text) {
                    Some((again, next)) if again == sign => after = next,
                    _ => break,
                }
            }
        }
    }
    let mut fraction: &[u8] = &[];
    if let [sign, after @ ..] = text
        && *sign == decimal.byte()
    {
        (fraction, text) = after.split_at(run(after));
    }
    if first.is_empty() && fraction.is_empty() {
        return None;
    }
    let decimals = i64::try_from(fraction.len()).ok()?;
    Some((Number { is_negative: false, digits: append(digits, fraction)?, decimals }, text))
}

/// Parses a letter `K`, `M`, `B` or `T` at the start of a text. Returns how many zeros the letter means, and
/// the text after the letter.
fn magnitude(text: &[u8]) -> Option<(i64, &[u8])> {
    let (letter, after) = text.split_first()?;
    let zeros = match letter.to_ascii_lowercase() {
        b'k' => 3,
        b'm' => 6,
        b'b' => 9,
        b't' => 12,
        _ => return None,
    };
    Some((zeros, after))
}

/// Parses an exponent such as `-7` or `+03`.
fn exponent_of(text: &[u8]) -> Option<i64> {
    let (is_negative, text) = match text {
        [b'-', text @ ..] => (true, text),
        [b'+', text @ ..] => (false, text),
        _ => (false, text),
    };
    if !(1..=4).contains(&text.len()) || run(text) != text.len() {
        return None;
    }
    let exponent = text.iter().fold(0, |exponent, digit| exponent * 10 + i64::from(digit - b'0'));
    Some(if is_negative { -exponent } else { exponent })
}

fn append(number: u128, digits: &[u8]) -> Option<u128> {
    digits
        .iter()
        .try_fold(number, |number, digit| number.checked_mul(10)?.checked_add(u128::from(digit - b'0')))
}

/// Returns the number of digits at the start of a text.
fn run(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn strip_any<'a>(text: &'a [u8], prefixes: &[&str]) -> Option<&'a [u8]> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix.as_bytes()))
}

/// Removes blanks, including non-ASCII blanks, from the start and the end of a text.
pub fn trim(text: &[u8]) -> &[u8] {
    let mut text = trim_start(text).trim_ascii_end();
    while let Some(before) = BLANKS.iter().find_map(|blank| text.strip_suffix(blank.as_bytes())) {
        text = before.trim_ascii_end();
    }
    text
}

fn trim_start(text: &[u8]) -> &[u8] {
    let mut text = text.trim_ascii_start();
    while let Some(after) = strip_any(text, &BLANKS) {
        text = after.trim_ascii_start();
    }
    text
}
