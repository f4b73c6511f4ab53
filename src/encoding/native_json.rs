//! The native dialect: writes each value as one JSON object of the protocol.
//!
//! Events and snapshots are written without the serde library, so that each number keeps all its digits.

use rust_decimal::Decimal;

use super::Snapshot;
use crate::market::{Bar, Day, Event, Kind, Payload, Symbol, Time, TradingStatus};
use crate::wire::Reply;

/// Appends a reply as one JSON object.
pub fn reply(out: &mut Vec<u8>, reply: &Reply<'_>) {
    serde_json::to_writer(out, reply).expect("a reply is plain data, and writing to a vector never fails");
}

/// Appends an event as one JSON object.
pub fn event(out: &mut Vec<u8>, seq: u64, event: &Event) {
    head(out, event);
    put(out, ",\"seq\":");
    integer(out, seq);
    time_and_values(out, event);
    out.push(b'}');
}

/// Appends an event as one JSON object without a sequence number, for the command `cat`.
pub fn event_without_seq(out: &mut Vec<u8>, event: &Event) {
    head(out, event);
    time_and_values(out, event);
    out.push(b'}');
}

/// Appends the opening brace of an event's JSON object, and the fields `type` and `symbol`.
fn head(out: &mut Vec<u8>, event: &Event) {
    put(out, "{\"type\":\"");
    put(out, event.kind().name());
    put(out, "\",\"symbol\":\"");
    // The characters of a symbol need no escape in JSON.
    put(out, event.symbol.as_str());
    out.push(b'"');
}

/// Appends a snapshot as one JSON object.
pub fn snapshot(out: &mut Vec<u8>, snapshot: &Snapshot<'_>) {
    put(out, "{\"type\":\"snapshot\",\"symbol\":\"");
    put(out, snapshot.symbol.as_str());
    put(out, "\",\"seq\":");
    integer(out, snapshot.seq);
    for (kind, latest) in Kind::CHANNELS.into_iter().zip(snapshot.latest) {
        if let Some((seq, event)) = latest {
            put(out, ",\"");
            put(out, kind.name());
            put(out, "\":{\"seq\":");
            integer(out, seq);
            time_and_values(out, event);
            out.push(b'}');
        }
    }
    if let Some(status) = snapshot.halt {
        status_values(out, status);
    }
    if let Some(day) = snapshot.day {
        put(out, ",\"day\":{\"open\":");
        decimal(out, day.open.0);
        number(out, "high", Some(day.high.0));
        number(out, "low", Some(day.low.0));
        number(out, "last", Some(day.last.0));
        number(out, "volume", day.volume.map(|size| size.0));
        number(out, "change", day.change());
        number(out, "change_percent", day.change_percent());
        out.push(b'}');
    }
    out.push(b'}');
}

/// Appends the bars of one symbol and one interval as one JSON object. Each bar comes with its start, and with
/// whether it is partial.
pub fn bars<'a>(
    out: &mut Vec<u8>,
    symbol: &Symbol,
    interval: &str,
    bars: impl IntoIterator<Item = (Time, &'a Bar, bool)>,
) {
    put(out, "{\"symbol\":\"");
    put(out, symbol.as_str());
    put(out, "\",\"interval\":\"");
    put(out, interval);
    put(out, "\",\"bars\":[");
    for (index, (start, bar, is_partial)) in bars.into_iter().enumerate() {
        put(out, if index == 0 { "{\"time\":\"" } else { ",{\"time\":\"" });
        start.write_to(out);
        out.push(b'"');
        bar_values(out, bar);
        put(out, if is_partial { ",\"partial\":true}" } else { "}" });
    }
    put(out, "]}");
}

/// Appends a summary of a symbol as one JSON object: the last price, the time of the last price, and the
/// change and the volume of the day. The object has only the symbol's name if the symbol has no price yet.
pub fn summary(out: &mut Vec<u8>, symbol: &Symbol, last: Option<(Time, &Day)>) {
    put(out, "{\"symbol\":\"");
    put(out, symbol.as_str());
    out.push(b'"');
    if let Some((time, day)) = last {
        number(out, "last", Some(day.last.0));
        put(out, ",\"time\":\"");
        time.write_to(out);
        out.push(b'"');
        number(out, "change", day.change());
        number(out, "change_percent", day.change_percent());
        number(out, "volume", day.volume.map(|size| size.0));
    }
    out.push(b'}');
}

/// Appends the fields for the time and the values of an event. An event frame and a snapshot both contain
/// these fields.
fn time_and_values(out: &mut Vec<u8>, event: &Event) {
    put(out, ",\"time\":\"");
    event.time.write_to(out);
    out.push(b'"');
    match &event.payload {
        Payload::Trade(trade) => {
            number(out, "price", Some(trade.price.0));
            number(out, "size", trade.size.map(|size| size.0));
        }
        Payload::Quote(quote) => {
            number(out, "bid", quote.bid.map(|price| price.0));
            number(out, "bid_size", quote.bid_size.map(|size| size.0));
            number(out, "ask", quote.ask.map(|price| price.0));
            number(out, "ask_size", quote.ask_size.map(|size| size.0));
        }
        Payload::Bar(bar) => {
            if let Some(interval) = bar.interval {
                put(out, ",\"interval\":\"");
                put(out, &interval.to_string());
                out.push(b'"');
            }
            bar_values(out, bar);
        }
        Payload::Status(status) => status_values(out, status),
    }
}

/// Appends the fields of a trading status.
fn status_values(out: &mut Vec<u8>, status: &TradingStatus) {
    put(out, ",\"status\":\"");
    put(out, status.state.name());
    out.push(b'"');
    if let Some(reason) = &status.reason {
        put(out, ",\"reason\":");
        serde_json::to_writer(out, reason)
            .expect("a text is plain data, and writing to a vector never fails");
    }
}

/// Appends the fields for the prices and the volume of a bar.
fn bar_values(out: &mut Vec<u8>, bar: &Bar) {
    number(out, "open", bar.open.map(|price| price.0));
    number(out, "high", bar.high.map(|price| price.0));
    number(out, "low", bar.low.map(|price| price.0));
    number(out, "close", Some(bar.close.0));
    number(out, "volume", bar.volume.map(|size| size.0));
}

/// Appends a JSON field with a number. Appends nothing if `value` is `None`.
fn number(out: &mut Vec<u8>, name: &str, value: Option<Decimal>) {
    if let Some(value) = value {
        put(out, ",\"");
        put(out, name);
        put(out, "\":");
        decimal(out, value);
    }
}

/// Appends a decimal number with all its digits, as a JSON number without an exponent.
fn decimal(out: &mut Vec<u8>, value: Decimal) {
    let mantissa = value.mantissa();
    let scale = value.scale() as usize;
    let mut buffer = itoa::Buffer::new();
    let digits = match u64::try_from(mantissa.unsigned_abs()) {
        Ok(short) => buffer.format(short),
        Err(_) => buffer.format(mantissa.unsigned_abs()),
    };
    if mantissa < 0 {
        out.push(b'-');
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    put(out, if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        out.push(b'.');
        out.resize(out.len() + scale - fraction.len(), b'0');
        put(out, fraction);
    }
}

fn integer(out: &mut Vec<u8>, value: u64) {
    put(out, itoa::Buffer::new().format(value));
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Bar, Quote, Trade};

    fn made(payload: Payload) -> Event {
        Event {
            symbol: "AAPL".parse().unwrap(),
            time: "2024-01-03T14:30:00.123456Z".parse().unwrap(),
            payload,
        }
    }

    fn text(seq: u64, of: &Event) -> String {
        let mut out = Vec::new();
        event(&mut out, seq, of);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_trade_has_the_form_of_the_protocol() {
        let trade = Trade { price: "184.25".parse().unwrap(), size: Some("100".parse().unwrap()) };

        assert_eq!(
            text(1042, &made(Payload::Trade(trade))),
            r#"{"type":"trade","symbol":"AAPL","seq":1042,"time":"2024-01-03T14:30:00.123456Z","price":184.25,"size":100}"#
        );
    }

    #[test]
    fn fields_that_the_source_does_not_have_are_left_out() {
        let quote = Quote { bid: None, bid_size: None, ask: Some("184.26".parse().unwrap()), ask_size: None };
        let bar = Bar {
            interval: None,
            open: None,
            high: None,
            low: None,
            close: "184.25".parse().unwrap(),
            volume: None,
        };

        assert_eq!(
            text(1, &made(Payload::Quote(quote))),
            r#"{"type":"quote","symbol":"AAPL","seq":1,"time":"2024-01-03T14:30:00.123456Z","ask":184.26}"#
        );
        assert_eq!(
            text(2, &made(Payload::Bar(bar))),
            r#"{"type":"bar","symbol":"AAPL","seq":2,"time":"2024-01-03T14:30:00.123456Z","close":184.25}"#
        );
    }

    #[test]
    fn numbers_keep_the_digits_of_their_source() {
        let written = |text: &str| {
            let mut out = Vec::new();
            decimal(&mut out, Decimal::from_str_exact(text).unwrap());
            String::from_utf8(out).unwrap()
        };
        for text in ["0", "0.1", "0.00000012", "12345.678901234", "189.530", "-37.63", "-0.5", "100"] {
            assert_eq!(written(text), text);
        }
        assert_eq!(written("7922816251426433759354395.0335"), "7922816251426433759354395.0335");
        assert_eq!(written("-0.00"), "0.00");
    }

    #[test]
    fn a_snapshot_holds_the_latest_of_each_kind_and_the_day() {
        let trade = Trade { price: "184.25".parse().unwrap(), size: None };
        let trade_event = made(Payload::Trade(trade.clone()));
        let mut day = None;
        Day::fold_trade(&mut day, trade_event.time, &trade);

        let mut out = Vec::new();
        let latest = [Some((3, &trade_event)), None, None];
        snapshot(
            &mut out,
            &Snapshot { seq: 7, symbol: &trade_event.symbol, latest, halt: None, day: day.as_ref() },
        );

        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"type":"snapshot","symbol":"AAPL","seq":7,"#,
                r#""trade":{"seq":3,"time":"2024-01-03T14:30:00.123456Z","price":184.25},"#,
                r#""day":{"open":184.25,"high":184.25,"low":184.25,"last":184.25,"change":0.00,"change_percent":0}}"#
            )
        );
    }
}
