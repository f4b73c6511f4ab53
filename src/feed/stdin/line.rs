//! Parses a line of standard input as an event.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{Field, Fields};
use super::line_error::{LineError, found};
use crate::feed::replay;
use crate::market::{Bar, Event, Payload, Price, Quote, Size, Time, Trade, TradingState, TradingStatus};

/// The values of `type` in server frames that are not events.
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

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An event that was parsed from an input line, and the line's unused fields.
#[derive(Debug)]
pub struct EventLine<'a> {
    pub event: Event,
    /// The event's type, for example `trade`.
    pub kind: &'static str,
    /// The remaining fields of the line, which the event does not use.
    pub left: Fields<'a>,
}

/// Parses a line. Returns `None` for a blank line, and for a server frame that is not an event.
///
/// If the line has no time, the event gets the time that `now` returns. If a byte order mark precedes the
/// JSON object, the mark is ignored. Joined files contain such marks between lines.
pub fn parse(line: &[u8], now: impl FnOnce() -> Time) -> Result<Option<EventLine<'_>>, LineError> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    if line.is_empty() {
        return Ok(None);
    }
    if line[0] != b'{' {
        return Err(LineError::no_object(line));
    }
    let mut left: Fields = serde_json::from_slice(line).map_err(|error| LineError::json(line, &error))?;
    // Discards the `seq` of a market frame, because the bus gives the event a new `seq`.
    left.take(Field::Seq);
    let r#type = required(Field::Type, &mut left, "a line is a trade, a quote, a bar or a status")?;
    let (kind, form) = match &*text(Field::Type, r#type, "\"trade\"")? {
        "trade" => ("trade", "a trade has symbol and price, and may have time and size"),
        "quote" => {
            ("quote", "a quote has symbol, bid or ask or both, and may have time, bid_size and ask_size")
        }
        "bar" => {
            ("bar", "a bar has symbol and close, and may have time, interval, open, high, low and volume")
        }
        "status" => ("status", "a status has symbol and status, and may have time and reason"),
        other if OTHER_FRAMES.contains(&other) => return Ok(None),
        other => return Err(LineError::Type(found(other))),
    };
    let symbol = required(Field::Symbol, &mut left, form)?;
    let symbol = text(Field::Symbol, symbol, "\"AAPL\"")?.parse()?;
    let payload = match kind {
        "trade" => Payload::Trade(Trade {
            price: price(Field::Price, required(Field::Price, &mut left, form)?)?,
            size: optional(Field::Size, &mut left, size)?,
        }),
        "quote" => {
            let quote = Quote {
                bid: optional(Field::Bid, &mut left, price)?,
                bid_size: optional(Field::BidSize, &mut left, size)?,
                ask: optional(Field::Ask, &mut left, price)?,
                ask_size: optional(Field::AskSize, &mut left, size)?,
            };
            if quote.bid.is_none() && quote.ask.is_none() {
                return Err(LineError::EmptyQuote);
            }
            Payload::Quote(quote)
        }
        "bar" => Payload::Bar(Bar {
            interval: optional(Field::Interval, &mut left, |field, value| {
                Ok(text(field, value, "\"1m\"")?.parse()?)
            })?,
            open: optional(Field::Open, &mut left, price)?,
            high: optional(Field::High, &mut left, price)?,
            low: optional(Field::Low, &mut left, price)?,
            close: price(Field::Close, required(Field::Close, &mut left, form)?)?,
            volume: optional(Field::Volume, &mut left, size)?,
        }),
        _ => Payload::Status(TradingStatus {
            state: state(required(Field::Status, &mut left, form)?)?,
            reason: optional(Field::Reason, &mut left, reason)?,
        }),
    };
    let time = left.take(Field::Time).map_or_else(|| Ok(now()), time)?;
    Ok(Some(EventLine { event: Event { symbol, time, payload }, kind, left }))
}

/// Removes a field and returns its value. If the field is missing, returns an error whose text includes
/// `form`, a description of the event's fields.
fn required<'a>(field: Field, left: &mut Fields<'a>, form: &'static str) -> Result<&'a RawValue, LineError> {
    left.take(field).ok_or_else(|| LineError::missing(field, form, left))
}

fn optional<'a, T>(
    field: Field,
    left: &mut Fields<'a>,
    read: impl FnOnce(Field, &'a RawValue) -> Result<T, LineError>,
) -> Result<Option<T>, LineError> {
    left.take(field).map(|value| read(field, value)).transpose()
}

/// Parses a JSON string. If the value is not a string, the error text shows `example`, a valid value.
fn text<'a>(field: Field, value: &'a RawValue, example: &'static str) -> Result<Cow<'a, str>, LineError> {
    string(value).ok_or_else(|| LineError::NoText { field: field.name(), found: found(value.get()), example })
}

/// Parses a price from the text of a JSON number, so that no digit is lost. Returns an error for a JSON
/// string.
fn price(field: Field, value: &RawValue) -> Result<Price, LineError> {
    value.get().parse().map_err(|fault| LineError::number(field, value.get(), fault))
}

fn size(field: Field, value: &RawValue) -> Result<Size, LineError> {
    value.get().parse().map_err(|fault| LineError::number(field, value.get(), fault))
}

fn state(value: &RawValue) -> Result<TradingState, LineError> {
    let name = text(Field::Status, value, "\"halted\"")?;
    let state = [TradingState::Trading, TradingState::Halted].into_iter().find(|state| state.name() == name);
    state.ok_or_else(|| LineError::Status(found(&name)))
}

fn reason(field: Field, value: &RawValue) -> Result<Box<str>, LineError> {
    let reason = text(field, value, "\"volatility\"")?;
    if reason.chars().any(char::is_control) || reason.len() > TradingStatus::MAX_REASON_BYTES {
        return Err(LineError::Reason(found(&reason)));
    }
    Ok(reason.into())
}

/// Parses an RFC 3339 text or a Unix time. The magnitude of a Unix time determines its unit.
fn time(value: &RawValue) -> Result<Time, LineError> {
    match string(value) {
        Some(text) => text.parse().map_err(|_| LineError::Time(found(&text))),
        None => replay::unix_time(value.get()).ok_or_else(|| LineError::Time(found(value.get()))),
    }
}

/// Returns the text of a JSON string. Returns `None` for any other value, and for a string with half a
/// surrogate pair.
fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    value
        .get()
        .starts_with('"')
        .then(|| serde_json::from_str(value.get()).ok().map(|Text(text)| text))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<EventLine<'_>>, LineError> {
        parse(line.as_bytes(), || "2024-01-03T14:30:00Z".parse().unwrap())
    }

    fn event(line: &str) -> Event {
        parsed(line).unwrap().unwrap().event
    }

    fn fault(line: &str) -> String {
        parsed(line).unwrap_err().to_string()
    }

    #[test]
    fn a_line_is_a_market_frame_and_its_numbers_are_exact() {
        let line = r#"{"type":"trade","symbol":"AAPL","time":"2024-01-03T09:30:00-05:00","price":184.250,"size":1e2}"#;

        let event = event(line);

        assert_eq!(event.time.to_string(), "2024-01-03T14:30:00Z");
        let Payload::Trade(trade) = event.payload else { panic!("{event:?}") };
        assert_eq!(
            (trade.price.to_string(), trade.size.unwrap().to_string()),
            ("184.250".into(), "100".into())
        );
    }

    #[test]
    fn a_status_says_whether_trading_goes_on_and_may_say_why() {
        let halt =
            event(r#"{"type":"status","symbol":"A","status":"halted","reason":"news \u2013 pending"}"#);
        let reason = Some("news – pending".into());
        assert_eq!(halt.payload, Payload::Status(TradingStatus { state: TradingState::Halted, reason }));

        let trading = event(r#"{"type":"status","symbol":"A","seq":3,"status":"trading"}"#);
        let status = TradingStatus { state: TradingState::Trading, reason: None };
        assert_eq!(trading.payload, Payload::Status(status));
    }

    #[test]
    fn a_status_with_a_wrong_value_is_an_error_that_names_the_right_ones() {
        let status = |rest: &str| fault(&format!(r#"{{"type":"status","symbol":"A"{rest}}}"#));

        assert!(status("").starts_with("missing field `status`; a status has symbol and status"));
        assert_eq!(
            status(r#","status":"Halt""#),
            "status: `Halt` is not a status; statuses are halted and trading"
        );
        assert!(status(r#","status":1"#).contains("e.g. \"halted\""));
        let longest = "é".repeat(32);
        assert!(
            parsed(&format!(r#"{{"type":"status","symbol":"A","status":"halted","reason":"{longest}"}}"#))
                .is_ok()
        );
        for reason in [&format!("{longest}s")[..], r"a\nb"] {
            let fault = status(&format!(r#","status":"halted","reason":"{reason}""#));
            assert!(fault.starts_with("reason: `") && fault.ends_with("at most 64 bytes"), "{fault}");
        }
    }

    #[test]
    fn an_event_without_a_time_happens_now() {
        for line in [
            r#"{"type":"quote","symbol":"A","bid":1.0}"#,
            r#"{"type":"quote","symbol":"A","bid":1.0,"time":null}"#,
        ] {
            assert_eq!(event(line).time.to_string(), "2024-01-03T14:30:00Z");
        }
    }

    #[test]
    fn the_output_of_watch_can_be_piped_in() {
        let bar =
            r#"{"type":"bar","symbol":"A","seq":7,"time":"2024-01-03T14:30:00Z","interval":"1m","close":2}"#;

        let line = parsed(bar).unwrap().unwrap();

        assert!(matches!(line.event.payload, Payload::Bar(_)));
        assert_eq!((line.left.known().count(), line.left.unknown().count()), (0, 0));
        assert!(matches!(parsed(r#"{"type":"heartbeat","seq":3,"sent":1}"#), Ok(None)));
        assert!(matches!(parsed(r#"{"type":"close","code":1001,"reason":""}"#), Ok(None)));
        assert!(matches!(parsed("  "), Ok(None)));
    }

    #[test]
    fn the_magnitude_of_a_unix_time_tells_its_unit_and_no_digit_is_lost() {
        for (time, expected) in [
            ("1704292200", "2024-01-03T14:30:00Z"),
            ("1704292200123", "2024-01-03T14:30:00.123Z"),
            ("1704292200123456", "2024-01-03T14:30:00.123456Z"),
            ("1704292200123456789", "2024-01-03T14:30:00.123456789Z"),
            ("1704292200.123456789", "2024-01-03T14:30:00.123456789Z"),
            ("1704292200123.456789", "2024-01-03T14:30:00.123456789Z"),
            ("1704292200123456.789", "2024-01-03T14:30:00.123456789Z"),
            ("1.704292200123456789e9", "2024-01-03T14:30:00.123456789Z"),
            ("1704292200.50", "2024-01-03T14:30:00.500Z"),
            ("-14182940", "1969-07-20T20:17:40Z"),
        ] {
            let line = format!(r#"{{"type":"quote","symbol":"A","bid":1,"time":{time}}}"#);
            assert_eq!(event(&line).time.to_string(), expected, "{time}");
        }
    }

    #[test]
    fn a_time_of_another_form_is_an_error_that_lists_the_forms() {
        for time in [
            "\"noon\"",
            "\"2024-01-03T14:30:00\"",
            "\"1704292200\"",
            "0",
            "5",
            "20240103143000",
            "638399000000000000",
            "1.7e9",
            "99999999999",
            "true",
            "[1704292200]",
        ] {
            let fault = fault(&format!(r#"{{"type":"quote","symbol":"A","bid":1,"time":{time}}}"#));
            let found = time.trim_matches('"');
            assert!(fault.starts_with(&format!("time: `{found}` is not a time; a time is text ")), "{fault}");
            assert!(fault.contains("e.g. \"2024-01-03T14:30:00Z\", or a number"), "{fault}");
        }
    }

    #[test]
    fn fields_that_an_event_does_not_have_are_left() {
        let line = r#"{"type":"trade","symbol":"A","price":1,"bid":2,"ask":null,"exchange":"X","low":3,"ex\u0063":[]}"#;

        let EventLine { left, .. } = parsed(line).unwrap().unwrap();

        assert_eq!(left.known().collect::<Vec<_>>(), ["bid", "low"]);
        let unknown: Vec<_> = left.unknown().map(|(name, value)| (name, value.get())).collect();
        assert_eq!(unknown, [("exchange", "\"X\""), ("exc", "[]")]);
    }

    #[test]
    fn a_byte_order_mark_and_white_space_around_an_object_are_ignored() {
        let event = event("\u{feff}{\"type\" : \"trade\" , \"symbol\":\"A\",\"price\":\t1 }\r");

        assert_eq!(event.symbol.as_str(), "A");
    }

    #[test]
    fn a_bad_field_is_an_error_that_says_what_to_do() {
        for (line, expected) in [
            (
                r#"{"type":"trade","symbol":"A"}"#,
                "missing field `price`; a trade has symbol and price, and may have time and size",
            ),
            (r#"{"type":"trade","price":1}"#, "missing field `symbol`; a trade has symbol and price"),
            (r#"{"type":"bar","symbol":"A","open":1}"#, "missing field `close`; a bar has symbol and close"),
            (
                r#"{"symbol":"A","price":1}"#,
                "missing field `type`; a line is a trade, a quote, a bar or a status",
            ),
            (r#"{"type":null}"#, "missing field `type`"),
            (
                r#"{"type":"trade","symbol":"A","p":1,"q":5}"#,
                "missing field `price`; a trade has symbol and price, and may have time and size; no event has the fields `p`, `q`",
            ),
            (
                r#"{"type":"trade","data":[{"s":"A","p":1}]}"#,
                "missing field `symbol`; a trade has symbol and price, and may have time and size; if the event is inside `data`, write only what is inside",
            ),
            (
                r#"{"stream":"a@trade","data":{"type":"trade","symbol":"A","price":1}}"#,
                "missing field `type`; a line is a trade, a quote, a bar or a status; if the event is inside `data`, write only what is inside",
            ),
            (
                r#"{"type":"trade","symbol":"A","price":"1"}"#,
                "price: `\"1\"` is not a number, but text: write the number without quotes, e.g. 189.53",
            ),
            (r#"{"type":"trade","symbol":"A","price":null}"#, "missing field `price`"),
            (r#"{"type":"trade","symbol":"A","price":true}"#, "price: `true` is not a number; numbers are"),
            (r#"{"type":"trade","symbol":"A","price":1,"size":-1}"#, "size: `-1`"),
            (r#"{"type":"trade","symbol":"A","price":1,"size":{}}"#, "size: `{}` is not a number"),
            (r#"{"type":"trade","symbol":"A B","price":1}"#, "symbol \"A B\" has a space"),
            (
                r#"{"type":"trade","symbol":5930,"price":1}"#,
                "symbol: `5930` is not text: write it in quotes, e.g. \"AAPL\"",
            ),
            (r#"{"type":"trade","symbol":["A"],"price":1}"#, "symbol: `[\"A\"]` is not text"),
            (
                r#"{"type":1,"symbol":"A","price":1}"#,
                "type: `1` is not text: write it in quotes, e.g. \"trade\"",
            ),
            (
                r#"{"type":"bar","symbol":"A","close":1,"interval":60}"#,
                "interval: `60` is not text: write it in quotes, e.g. \"1m\"",
            ),
            (r#"{"type":"bar","symbol":"A","close":1,"interval":"1 minute"}"#, "interval: `1 minute` is not"),
            (
                r#"{"type":"quote","symbol":"A","bid":null}"#,
                "missing field `bid` or `ask`; a quote has a bid or an ask",
            ),
            (
                r#"{"type":"tick","symbol":"A"}"#,
                "`tick` is not a type of event; types are trade, quote, bar and status",
            ),
            (r#"{"type":"trade","symbol":"A","price":1,"price":2}"#, "duplicate field `price` at column 49"),
        ] {
            let fault = fault(line);
            assert!(fault.starts_with(expected), "{line}: {fault}");
        }
    }

    #[test]
    fn a_line_that_is_no_object_is_an_error_that_says_what_it_looks_like() {
        for (line, found, advice) in [
            ("hello", "`hello` is not a JSON object", "a line is one event, e.g. {\"type\":\"trade\","),
            ("17", "`17` is not a JSON object", "a line is one event"),
            ("\"AAPL\"", "`\"AAPL\"` is not a JSON object", "a line is one event"),
            (
                "[{\"type\":\"trade\"}]",
                "`[{\"type\":\"trade\"}]` is",
                "it looks like a JSON array: write each event on a line",
            ),
            (
                "time,symbol,price",
                "`time,symbol,price` is",
                "it looks like CSV: `tickerplant cat FILE` prints",
            ),
            ("\"time\",\"price\"", "`\"time\",\"price\"` is", "it looks like CSV"),
            ("2024-01-03;AAPL;189,5", "`2024-01-03;AAPL;189,5` is", "it looks like CSV"),
            ("AAPL\t189.5", "`AAPL\u{fffd}189.5` is", "it looks like CSV"),
            (
                "  \"type\": \"trade\",",
                "`\"type\": \"trade\",` is",
                "it looks like a part of a JSON object: write the whole object on one line",
            ),
            ("}", "`}` is", "it looks like a part of a JSON object"),
            ("},", "`},` is", "it looks like a part of a JSON object"),
            ("]", "`]` is", "it looks like a part of a JSON object"),
            (
                "data: {\"type\":\"trade\"}",
                "`data: {\"type\":\"trade\"}` is",
                "it looks like Server-Sent Events: write only what follows `data:`",
            ),
            ("event: trade", "`event: trade` is", "it looks like Server-Sent Events"),
            ("{\0\"\0t\0y\0", "`{\u{fffd}", "it looks like UTF-16: write UTF-8"),
            ("\u{1f}8", "`\u{fffd}8` is", "a line is one event"),
        ] {
            let fault = fault(line);
            assert!(fault.starts_with(found), "{line:?}: {fault}");
            assert!(fault.contains(&format!("; {advice}")), "{line:?}: {fault}");
        }
        for (bytes, advice) in [
            (&b"\xff\xfe{\0"[..], "it looks like UTF-16"),
            (b"\x1f\x8b\x08\x00", "it looks like a packed file: unpack it first"),
            (b"\x28\xb5\x2f\xfd", "it looks like a packed file"),
            (b"PK\x03\x04", "it looks like a packed file"),
            (b"{\"type\":\"trade\",\"symbol\":\"\xe9\"}", "at column 27; write UTF-8"),
        ] {
            let fault = parse(bytes, Time::now).unwrap_err().to_string();
            assert!(fault.contains(advice), "{fault}");
        }
    }

    #[test]
    fn a_malformed_object_is_an_error_with_the_column_and_advice() {
        for (line, fault_at, advice) in [
            ("{", "the JSON object has no end", "write the whole object on one line"),
            (
                "{\"type\":\"trade\",\"symbol\":\"A",
                "the JSON object has no end",
                "write the whole object on one line",
            ),
            (
                "{\"type\":\"trade\"}{\"type\":\"trade\"}",
                "trailing characters at column 17",
                "a line is one event, so write the next one on a line of its own",
            ),
            ("{'type':'trade'}", "key must be a string at column 2", "names and texts are in double quotes"),
            ("{\"type\":'trade'}", "expected value at column 9", "names and texts are in double quotes"),
            (
                "{\"type\":\"trade\",\"price\":NaN}",
                "expected value at column 25",
                "JSON has no NaN and no infinity: leave the field out",
            ),
            (
                "{\"type\":\"trade\",\"price\":-Infinity}",
                "invalid number at column 26",
                "JSON has no NaN and no infinity",
            ),
            ("{\"type\":trade}", "expected ", "a line is one event, e.g. {\"type\":\"trade\","),
        ] {
            let fault = fault(line);
            assert!(fault.starts_with(fault_at), "{line}: {fault}");
            assert!(fault.contains(&format!("; {advice}")), "{line}: {fault}");
        }
    }
}
