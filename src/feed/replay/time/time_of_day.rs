//! Parses the time of day at the beginning of a text, and the offset from UTC that may follow.

use super::date::two;
use super::digits::{digits, number};
use super::stamp::SECOND;

/// Parses the time of day at the beginning of a text. Returns nanoseconds since midnight, and the text after
/// the time of day.
///
/// The time `24:00:00` means the midnight at the end of the day. A leap second, `23:59:60`, becomes the last
/// nanosecond of its minute, because Unix time has no leap seconds. So events around a leap second stay in
/// order.
#[inline]
pub fn leading(text: &[u8]) -> Option<(i64, &[u8])> {
    match text {
        [h1, h2, b':', m1, m2, b':', s1, s2, after @ ..] => {
            let (nanos, after) = fraction(after);
            of_day([two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?], nanos, after)
        }
        _ => other(text),
    }
}

/// Parses a time of day in one of the less common notations that [`leading`] accepts.
fn other(text: &[u8]) -> Option<(i64, &[u8])> {
    // kdb+ writes a time of day as a timespan: `0D09:30:00.123456789`.
    // <https://code.kx.com/q/basics/datatypes/>
    if let Some(text) = text.strip_prefix(b"0D") {
        return leading(text).filter(|_| text.contains(&b':'));
    }
    let len = digits(text);
    let after = &text[len..];
    match (len, after) {
        (1 | 2, [b':', m1, m2, b':', s1, s2, after @ ..]) => {
            let (nanos, after) = fraction(after);
            of_day([number(&text[..len]), two(*m1, *m2)?, two(*s1, *s2)?], nanos, after)
        }
        (1 | 2, [b':', m1, m2, after @ ..]) => of_day([number(&text[..len]), two(*m1, *m2)?, 0], 0, after),
        (1 | 2, _) => of_day([number(&text[..len]), 0, 0], 0, after),
        (3 | 4, _) => of_day(sexagesimal(number(&text[..len]) * 100), 0, after),
        (5 | 6, _) => {
            let (nanos, after) = ticks(after).unwrap_or_else(|| fraction(after));
            of_day(sexagesimal(number(&text[..len])), nanos, after)
        }
        // The digits after the seconds are milliseconds, microseconds or nanoseconds.
        (8 | 9 | 11 | 12 | 14 | 15, _) => {
            let whole = 5 + (len + 1) % 3;
            let nanos = nanos_of(&text[whole..len]);
            of_day(sexagesimal(number(&text[..whole])), nanos, after)
        }
        _ => None,
    }
}

/// Parses the text after a time of day as an offset from UTC, such as `Z`, `+09:00`, ` +0000 UTC` or
/// ` GMT+0100 (CET)`. Returns the seconds by which local time is ahead of UTC. The name of a time zone after
/// the offset is ignored.
pub fn offset(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (is_named, text) = match text {
        [b'+' | b'-', ..] => (false, text),
        [b'Z' | b'z', after @ ..] => (true, after),
        [a, b, c, after @ ..] if [*a, *b, *c].eq_ignore_ascii_case(b"UTC") => (true, after),
        [a, b, c, after @ ..] if [*a, *b, *c].eq_ignore_ascii_case(b"GMT") => (true, after),
        _ => (false, text),
    };
    let (seconds, after) = match text {
        [b'+', after @ ..] => ahead(after)?,
        [b'-', after @ ..] => ahead(after).map(|(seconds, after)| (-seconds, after))?,
        _ if is_named => (0, text),
        _ => return None,
    };
    let repeats = match after {
        [] | [b'[', .., b']'] | [b' ', b'(', .., b')'] => true,
        [b' ', name @ ..] => name.iter().all(u8::is_ascii_alphabetic),
        _ => false,
    };
    repeats.then_some(seconds)
}

/// Parses an offset from UTC without its sign, such as `9`, `09`, `0900`, `09:00` or `09:00:00`. Returns the
/// offset in seconds, and the text after the offset.
fn ahead(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hours, minutes, seconds, after) = match text {
        [h1, h2, b':', m1, m2, b':', s1, s2, after @ ..] => {
            (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?, after)
        }
        [h1, h2, b':', m1, m2, after @ ..] => (two(*h1, *h2)?, two(*m1, *m2)?, 0, after),
        _ => match digits(text) {
            len @ (1 | 2) => (number(&text[..len]), 0, 0, &text[len..]),
            4 => (number(&text[..2]), number(&text[2..4]), 0, &text[4..]),
            _ => return None,
        },
    };
    (hours < 24 && minutes < 60 && seconds < 60).then_some((hours * 3600 + minutes * 60 + seconds, after))
}

/// Returns the time of day in nanoseconds since midnight, and the text after the time of day. `text` may
/// begin with AM or PM.
#[inline]
fn of_day([hour, minute, second]: [i64; 3], nanos: i64, text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, text) = match text {
        // CryptoDataDownload's older files write hours as `09-AM`.
        [b'-', b'a' | b'A' | b'p' | b'P', ..] => half_of_day(hour, &text[1..])?,
        [] | [b'Z' | b'+' | b'-', ..] => (hour, text),
        _ => half_of_day(hour, text)?,
    };
    // In every zone, a leap second ends an hour or half an hour.
    let is_leap = second == 60 && minute % 30 == 29;
    let (second, nanos) = if is_leap { (59, SECOND - 1) } else { (second, nanos) };
    let of_day = ((hour * 60 + minute) * 60 + second) * SECOND + nanos;
    let is_time_of_day = hour < 24 || (hour == 24 && of_day == 24 * 3600 * SECOND);
    (is_time_of_day && minute < 60 && second < 60).then_some((of_day, text))
}

/// Parses AM or PM after the hour `hour`, also in notations such as ` p.m.`. Returns the hour from 0 to 23,
/// and the text after AM or PM.
fn half_of_day(hour: i64, text: &[u8]) -> Option<(i64, &[u8])> {
    // Browsers write a narrow no-break space before AM or PM.
    let half = text.strip_prefix("\u{202f}".as_bytes()).unwrap_or(text.trim_ascii_start());
    let (noon, after) = match half {
        [b'a' | b'A', after @ ..] => (0, after),
        [b'p' | b'P', after @ ..] => (12, after),
        _ => return Some((hour, text)),
    };
    match after {
        [b'.', b'm' | b'M', b'.', after @ ..] | [b'm' | b'M', after @ ..]
            if !after.first().is_some_and(u8::is_ascii_alphabetic) =>
        {
            (1..=12).contains(&hour).then_some((hour % 12 + noon, after))
        }
        // A zone such as `America/New_York` begins like AM.
        _ => Some((hour, text)),
    }
}

/// Splits a number such as 93000 into hours, minutes and seconds.
fn sexagesimal(number: i64) -> [i64; 3] {
    [number / 10_000, number / 100 % 100, number % 100]
}

/// Parses a point or a comma, and the fraction of a second that follows. Returns the fraction in nanoseconds,
/// and the text after the fraction.
fn fraction(text: &[u8]) -> (i64, &[u8]) {
    match text {
        [b'.' | b',', after @ ..] => {
            let (fraction, after) = after.split_at(digits(after));
            (nanos_of(fraction), after)
        }
        // Some programs write milliseconds behind a colon.
        [b':', after @ ..] if digits(after) == 3 => (nanos_of(&after[..3]), &after[3..]),
        _ => (0, text),
    }
}

/// Parses `NinjaTrader`'s fraction of a second: seven digits after a blank.
/// <https://ninjatrader.com/support/helpGuides/nt8/en-us/importing.htm>
fn ticks(text: &[u8]) -> Option<(i64, &[u8])> {
    let after = text.strip_prefix(b" ")?;
    (digits(after) == 7).then(|| (nanos_of(&after[..7]), &after[7..]))
}

/// Converts the decimals of a second to nanoseconds. Decimals after the ninth decimal are dropped.
fn nanos_of(fraction: &[u8]) -> i64 {
    const PLACES: [i64; 10] =
        [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let fraction = &fraction[..fraction.len().min(9)];
    number(fraction) * PLACES[fraction.len()]
}

#[cfg(test)]
mod tests {
    use crate::feed::replay::time::time_of_day;
    use crate::market::Time;

    fn of_day(cell: &str) -> String {
        let text = |nanos| Time::from_nanos(nanos).to_string();
        time_of_day(cell.as_bytes())
            .map_or("none".to_owned(), |nanos| text(nanos).replace("1970-01-01T", "").replace('Z', ""))
    }

    #[test]
    fn a_time_of_day_alone_is_read() {
        for (cell, time) in [
            ("9:30", "09:30:00"),
            (" 09:30:00 ", "09:30:00"),
            ("9:30:00.275292966", "09:30:00.275292966"),
            ("09:30:00,5", "09:30:00.500"),
            ("09:30:00:123", "09:30:00.123"),
            ("0D09:30:00.123456789", "09:30:00.123456789"),
            ("9:30 AM", "09:30:00"),
            ("9:30:00 pm", "21:30:00"),
            ("9:30:00.5 P.M.", "21:30:00.500"),
            ("12:00:00 AM", "00:00:00"),
            ("12:15PM", "12:15:00"),
            ("9 AM", "09:00:00"),
            ("09-AM", "09:00:00"),
            ("12-PM", "12:00:00"),
            ("930", "09:30:00"),
            ("0930", "09:30:00"),
            ("93000", "09:30:00"),
            ("093000", "09:30:00"),
            ("093000.5", "09:30:00.500"),
            ("93000123", "09:30:00.123"),
            ("093000123", "09:30:00.123"),
            ("093000123456", "09:30:00.123456"),
            ("093000123456789", "09:30:00.123456789"),
            ("0", "00:00:00"),
            ("000000", "00:00:00"),
            ("23:59:60", "23:59:59.999999999"),
            ("052960", "05:29:59.999999999"),
            ("24:00:00", "1970-01-02T00:00:00"),
        ] {
            assert_eq!(of_day(cell), time, "{cell}");
        }
        for cell in [
            "",
            "9",
            "15",
            "9:3",
            "9:30:0",
            "03:42:60",
            "34260.5",
            "09.30.00",
            "960",
            "2500",
            "9:30:00Z",
            "noon",
            "1430000",
            "13:00 AM",
            "240001",
            "-9:30",
            "123:00",
            "0930001234567890",
            "09:30:00:12",
            "0D093000",
            "1D09:30:00",
        ] {
            assert_eq!(of_day(cell), "none", "{cell}");
        }
    }
}
