//! The feed on standard input: one JSON object per line, in the format of the server's market frames.
//!
//! The output of `watch --json` can be piped in. The field `seq` is ignored. Other frames of the server
//! (`subscribed`, `snapshot`, `heartbeat` and so on) are ignored, too. A bad line is rejected, counted, and
//! logged with its number. A bad line never stops the feed.

use std::borrow::Cow;
use std::io::{self, Read};
use std::mem;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tracing::warn;

use super::error::FeedError;
use super::line_settings::LineSettings;
use super::lines::{Line, Lines};
use super::printable::excerpt;
use super::reader::{self, BATCH, BatchSender, Batches};
use crate::market::{
    Bar, Event, IntervalError, NumberError, Payload, Price, Quote, Size, SymbolError, Time, TimeError, Trade,
};

/// The number of bad lines that are all logged. Of the later bad lines, only the 32nd, the 64th, the 128th
/// and so on are logged.
const LOGGED_LINES: u64 = 20;

/// The types of the server's frames that are not market frames.
const OTHER_FRAMES: [&str; 12] = [
    "subscribed",
    "unsubscribed",
    "snapshot",
    "heartbeat",
    "feed",
    "gap",
    "message",
    "set",
    "pong",
    "error",
    "authenticated",
    "close",
];

/// The reason why a line is rejected.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("{}", without_line(.0))]
    Json(#[from] serde_json::Error),
    #[error("`{0}` is not a type of event; types are trade, quote and bar")]
    Type(String),
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    #[error("time: {0}")]
    Time(#[from] TimeError),
    #[error("{field}: {fault}")]
    Number { field: &'static str, fault: NumberError },
    #[error("interval: {0}")]
    Interval(#[from] IntervalError),
    #[error("a quote has a bid or an ask")]
    EmptyQuote,
    #[error("a line has at most {0} bytes (feed.line_bytes)")]
    TooLong(usize),
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TradeFrame<'a> {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    #[serde(rename = "seq")]
    _seq: Option<IgnoredAny>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    time: Option<String>,
    price: &'a RawValue,
    size: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuoteFrame<'a> {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    #[serde(rename = "seq")]
    _seq: Option<IgnoredAny>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    time: Option<String>,
    bid: Option<&'a RawValue>,
    bid_size: Option<&'a RawValue>,
    ask: Option<&'a RawValue>,
    ask_size: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BarFrame<'a> {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    #[serde(rename = "seq")]
    _seq: Option<IgnoredAny>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    time: Option<String>,
    interval: Option<String>,
    open: Option<&'a RawValue>,
    high: Option<&'a RawValue>,
    low: Option<&'a RawValue>,
    close: &'a RawValue,
    volume: Option<&'a RawValue>,
}

/// Starts a thread that reads standard input.
///
/// The thread ends at the end of the input. Neither the feed nor the process waits for the thread, because a
/// read may block for ever.
pub fn open(input: LineSettings) -> Batches {
    reader::start("standard input", move |batches| read(io::stdin(), &input, batches))
}

/// Sends the events of an input. Lines that arrive together form one batch. A batch is sent before a read
/// that may block, so that no event waits for a later line.
fn read(
    from: impl Read,
    LineSettings { line_bytes, reject_counters }: &LineSettings,
    batches: &BatchSender,
) -> Result<(), FeedError> {
    let mut lines = Lines::new(from, *line_bytes);
    let mut batch = Vec::new();
    let mut bad = 0_u64;
    let outcome = loop {
        let read = match lines.next() {
            Ok(Some(Line::Whole(line))) => event(line, Time::now),
            Ok(Some(Line::TooLong)) => Err(LineError::TooLong(*line_bytes)),
            Ok(None) => break Ok(()),
            Err(source) => break Err(FeedError::Stdin { source }),
        };
        match read {
            Ok(event) => batch.extend(event),
            Err(error) => {
                bad += 1;
                reject_counters.increment(if matches!(error, LineError::TooLong(_)) {
                    "too_long"
                } else {
                    "bad_line"
                });
                if bad <= LOGGED_LINES || bad.is_power_of_two() {
                    let error = excerpt(error.to_string().as_bytes());
                    warn!(line = lines.number(), %error, bad, "rejected a line of standard input");
                }
            }
        }
        let is_due = batch.len() == BATCH || !lines.has_next_at_hand();
        if is_due && !batch.is_empty() && !reader::send(batches, mem::take(&mut batch)) {
            return Ok(());
        }
    };
    if bad > 0 {
        warn!(lines = lines.number(), bad, "lines of standard input were rejected");
    }
    outcome
}

/// Parses a line. Returns `None` for a blank line, and for a frame of the server that is not a market frame.
///
/// An event without a time gets the time that `now` returns.
fn event(line: &[u8], now: impl FnOnce() -> Time) -> Result<Option<Event>, LineError> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    let Frame { r#type } = serde_json::from_slice(line)?;
    let (symbol, time, payload) = match &*r#type {
        "trade" => {
            let frame: TradeFrame = serde_json::from_slice(line)?;
            let trade =
                Trade { price: price("price", frame.price)?, size: optional("size", frame.size, size)? };
            (frame.symbol, frame.time, Payload::Trade(trade))
        }
        "quote" => {
            let frame: QuoteFrame = serde_json::from_slice(line)?;
            let quote = Quote {
                bid: optional("bid", frame.bid, price)?,
                bid_size: optional("bid_size", frame.bid_size, size)?,
                ask: optional("ask", frame.ask, price)?,
                ask_size: optional("ask_size", frame.ask_size, size)?,
            };
            if quote.bid.is_none() && quote.ask.is_none() {
                return Err(LineError::EmptyQuote);
            }
            (frame.symbol, frame.time, Payload::Quote(quote))
        }
        "bar" => {
            let frame: BarFrame = serde_json::from_slice(line)?;
            let bar = Bar {
                interval: frame.interval.map(|interval| interval.parse()).transpose()?,
                open: optional("open", frame.open, price)?,
                high: optional("high", frame.high, price)?,
                low: optional("low", frame.low, price)?,
                close: price("close", frame.close)?,
                volume: optional("volume", frame.volume, size)?,
            };
            (frame.symbol, frame.time, Payload::Bar(bar))
        }
        other if OTHER_FRAMES.contains(&other) => return Ok(None),
        other => return Err(LineError::Type(other.chars().take(64).collect())),
    };
    let time = time.map_or_else(|| Ok(now()), |time| time.parse())?;
    Ok(Some(Event { symbol: symbol.parse()?, time, payload }))
}

/// Removes the line number from a JSON error. The number is always 1, because each line is parsed alone.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

/// Parses the text of a JSON number, so that no digit is lost. A JSON string is an error.
fn price(field: &'static str, number: &RawValue) -> Result<Price, LineError> {
    number.get().parse().map_err(|fault| LineError::Number { field, fault })
}

fn size(field: &'static str, number: &RawValue) -> Result<Size, LineError> {
    number.get().parse().map_err(|fault| LineError::Number { field, fault })
}

fn optional<T>(
    field: &'static str,
    number: Option<&RawValue>,
    read: fn(&'static str, &RawValue) -> Result<T, LineError>,
) -> Result<Option<T>, LineError> {
    number.map(|number| read(field, number)).transpose()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::feed::RejectCounters;

    const LIMIT: usize = 64 * 1024;

    fn parse(line: &str) -> Result<Option<Event>, LineError> {
        event(line.as_bytes(), || "2024-01-03T14:30:00Z".parse().unwrap())
    }

    fn fault(line: &str) -> String {
        parse(line).unwrap_err().to_string()
    }

    fn batches(input: impl Read) -> Vec<Vec<Event>> {
        read_all(input).0
    }

    /// Returns the batches, and the counters of rejected lines.
    fn read_all(from: impl Read) -> (Vec<Vec<Event>>, RejectCounters) {
        let (sender, mut receiver) = mpsc::channel(64);
        let input = LineSettings { line_bytes: LIMIT, reject_counters: RejectCounters::default() };
        read(from, &input, &sender).unwrap();
        drop(sender);
        let batches = std::iter::from_fn(|| receiver.blocking_recv()).map(Result::unwrap).collect();
        (batches, input.reject_counters)
    }

    #[test]
    fn a_line_is_a_market_frame_and_its_numbers_are_exact() {
        let line = r#"{"type":"trade","symbol":"AAPL","time":"2024-01-03T09:30:00-05:00","price":184.250,"size":1e2}"#;

        let event = parse(line).unwrap().unwrap();

        assert_eq!(event.time.to_string(), "2024-01-03T14:30:00Z");
        let Payload::Trade(trade) = event.payload else { panic!("{event:?}") };
        assert_eq!(
            (trade.price.to_string(), trade.size.unwrap().to_string()),
            ("184.250".into(), "100".into())
        );
    }

    #[test]
    fn an_event_without_a_time_happens_now() {
        let event = parse(r#"{"type":"quote","symbol":"A","bid":1.0}"#).unwrap().unwrap();

        assert_eq!(event.time.to_string(), "2024-01-03T14:30:00Z");
    }

    #[test]
    fn the_output_of_watch_can_be_piped_in() {
        let bar =
            r#"{"type":"bar","symbol":"A","seq":7,"time":"2024-01-03T14:30:00Z","interval":"1m","close":2}"#;

        assert!(matches!(parse(bar), Ok(Some(Event { payload: Payload::Bar(_), .. }))));
        assert!(matches!(parse(r#"{"type":"heartbeat","seq":3,"sent":1}"#), Ok(None)));
        assert!(matches!(parse(r#"{"type":"close","code":1001,"reason":""}"#), Ok(None)));
        assert!(matches!(parse("  "), Ok(None)));
    }

    #[test]
    fn a_bad_line_says_what_is_wrong() {
        assert!(fault(r#"{"type":"trade","symbol":"A","price":1,"bid":2}"#).contains("unknown field `bid`"));
        assert!(fault(r#"{"type":"trade","symbol":"A"}"#).contains("missing field `price`"));
        assert!(
            fault(r#"{"type":"trade","symbol":"A","price":"1"}"#)
                .starts_with("price: `\"1\"` is not a number")
        );
        assert!(fault(r#"{"type":"trade","symbol":"A","price":1,"size":-1}"#).starts_with("size: `-1`"));
        assert!(fault(r#"{"type":"trade","symbol":"A B","price":1}"#).contains("has a space"));
        assert!(
            fault(r#"{"type":"trade","symbol":"A","price":1,"time":"noon"}"#).starts_with("time: `noon`")
        );
        assert!(fault(r#"{"type":"quote","symbol":"A","bid":null}"#).contains("a bid or an ask"));
        assert!(fault(r#"{"type":"tick","symbol":"A"}"#).starts_with("`tick` is not a type of event"));
        assert!(fault("hello").ends_with(" at column 1"));
    }

    #[test]
    fn bad_lines_do_not_stop_the_good_ones() {
        let long = "x".repeat(LIMIT + 1);
        let good = r#"{"type":"trade","symbol":"A","price":1}"#;

        let (batches, reject_counters) = read_all(format!("{good}\n{long}\nhello\n\u{0}\n{good}").as_bytes());

        assert_eq!(batches.concat().len(), 2);
        assert_eq!((reject_counters.count("too_long"), reject_counters.count("bad_line")), (1, 2));
    }

    #[test]
    fn lines_that_arrive_together_are_one_batch_and_none_waits_for_the_next() {
        let line = "{\"type\":\"trade\",\"symbol\":\"A\",\"price\":1}\n";
        let half = &line[..20];
        let input = format!("{line}{line}{half}");

        let batches = batches(input.as_bytes().chain(&line.as_bytes()[20..]));

        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    }
}
