//! The market frames that the benchmarks read and write.
//!
//! A frame's `seq` and time are parsed in a few nanoseconds, so that the clients are not the bottleneck.
//!
//! A frame begins with `{"type":"quote","symbol":"S001","seq":12,"time":"2024-01-03T14:30:00.123456789Z"`.
//! The kinds in these frames (`quote` and `trade`) have five letters, and the symbols have four characters.
//! So `seq` begins at a known position.

use tickerplant::market::Time;

const BEFORE_KIND: &[u8] = br#"{"type":""#;
const KIND: usize = BEFORE_KIND.len();
const BEFORE_SEQ: &[u8] = br#"","seq":"#;
const SEQ: usize = br#"{"type":"quote","symbol":"S001","seq":"#.len();
const BEFORE_TIME: &[u8] = br#","time":""#;

/// The length of a time without its decimals but with the decimal point, such as `2024-01-03T14:30:00.`
const SECOND: usize = 20;

/// Returns the `seq` of a market frame and the text after the `seq`, or `None` for any other frame.
pub fn seq(payload: &[u8]) -> Option<(u64, &[u8])> {
    let is_market = payload.len() > SEQ
        && payload.starts_with(BEFORE_KIND)
        && matches!(&payload[KIND..KIND + 5], b"quote" | b"trade")
        && payload[..SEQ].ends_with(BEFORE_SEQ);
    is_market.then(|| digits(&payload[SEQ..])).map(|(seq, _, rest)| (seq, rest))
}

/// Returns a quote of this symbol with the present time, as JSON. A quote that is written to a server's
/// standard input has no `seq`.
pub fn quote(symbol: &str, seq: Option<u64>) -> String {
    let seq = seq.map_or(String::new(), |seq| format!(r#""seq":{seq},"#));
    let time = Time::now();
    format!(
        r#"{{"type":"quote","symbol":"{symbol}",{seq}"time":"{time}","bid":96.97,"bid_size":800,"ask":96.98,"ask_size":1900}}"#
    )
}

/// Parses times. Successive times usually lie in the same second, so the last parsed second is cached.
#[derive(Debug, Default)]
pub struct Times {
    second: [u8; SECOND],
    nanos: i64,
}

impl Times {
    /// Parses the time that follows a frame's `seq`.
    pub fn read(&mut self, rest: &[u8]) -> Option<Time> {
        let text = rest.strip_prefix(BEFORE_TIME)?;
        let (second, fraction) = text.split_first_chunk()?;
        if second[SECOND - 1] != b'.' {
            return parse(text);
        }
        if *second != self.second {
            // The time without its fraction.
            let whole = [&second[..SECOND - 1], br#"Z""#].concat();
            (self.second, self.nanos) = (*second, parse(&whole)?.as_nanos());
        }
        let (value, count, _) = digits(fraction);
        let unit = 10_i64.checked_pow(9_u32.checked_sub(count)?)?;
        Some(Time::from_nanos(self.nanos + i64::try_from(value).ok()? * unit))
    }
}

/// Returns the number at the beginning of a text, the count of its digits, and the rest of the text.
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
