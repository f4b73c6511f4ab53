//! Reads of a market frame what the clients check, in a few nanoseconds: they must not be what limits a server.
//!
//! A frame begins `{"type":"quote","symbol":"S001","seq":12,"time":"2024-01-03T14:30:00.123456789Z"`; the
//! names of the symbols have four characters, so that all lies at a place that is known.

use tickerplant::market::Time;

const BEFORE_KIND: &[u8] = br#"{"type":""#;
const KIND: usize = BEFORE_KIND.len();
const BEFORE_SEQ: &[u8] = br#"","seq":"#;
const SEQ: usize = br#"{"type":"quote","symbol":"S001","seq":"#.len();
const BEFORE_TIME: &[u8] = br#","time":""#;

/// The second of a time, with the point behind it: `2024-01-03T14:30:00.`.
const SECOND: usize = 20;

/// The `seq` of a market frame and what follows it; `None` for all other frames.
pub fn seq(payload: &[u8]) -> Option<(u64, &[u8])> {
    let is_market = payload.len() > SEQ
        && payload.starts_with(BEFORE_KIND)
        && matches!(&payload[KIND..KIND + 5], b"quote" | b"trade")
        && payload[..SEQ].ends_with(BEFORE_SEQ);
    is_market.then(|| digits(&payload[SEQ..])).map(|(seq, _, rest)| (seq, rest))
}

/// Reads times; most are of the second that was read last.
#[derive(Debug, Default)]
pub struct Times {
    second: [u8; SECOND],
    nanos: i64,
}

impl Times {
    /// The time at the beginning of what follows a frame's `seq`.
    pub fn read(&mut self, rest: &[u8]) -> Option<Time> {
        let text = rest.strip_prefix(BEFORE_TIME)?;
        let (second, fraction) = text.split_first_chunk()?;
        if second[SECOND - 1] != b'.' {
            return parse(text);
        }
        if *second != self.second {
            // Without its point.
            let whole = [&second[..SECOND - 1], br#"Z""#].concat();
            (self.second, self.nanos) = (*second, parse(&whole)?.as_nanos());
        }
        let (value, count, _) = digits(fraction);
        let unit = 10_i64.checked_pow(9_u32.checked_sub(count)?)?;
        Some(Time::from_nanos(self.nanos + i64::try_from(value).ok()? * unit))
    }
}

/// The number at the beginning of a text, how many digits it has, and what follows it.
fn digits(text: &[u8]) -> (u64, u32, &[u8]) {
    let (mut value, mut rest, mut count) = (0_u64, text, 0);
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        rest = behind;
        count += 1;
    }
    (value, count, rest)
}

fn parse(text: &[u8]) -> Option<Time> {
    let end = text.iter().position(|byte| *byte == b'"')?;
    str::from_utf8(&text[..end]).ok()?.parse().ok()
}
