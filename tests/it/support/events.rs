//! Creates the events that tests publish.

use tickerplant::market::{Bar, Event, Payload, Quote, Trade, TradingState, TradingStatus};

pub fn trade(symbol: &str, price: &str) -> Event {
    let trade = Trade { price: price.parse().unwrap(), size: Some("100".parse().unwrap()) };
    event(symbol, Payload::Trade(trade))
}

pub fn quote(symbol: &str, bid: &str, ask: &str) -> Event {
    let price = |text: &str| Some(text.parse().unwrap());
    event(symbol, Payload::Quote(Quote { bid: price(bid), bid_size: None, ask: price(ask), ask_size: None }))
}

pub fn bar(symbol: &str, close: &str) -> Event {
    let close = close.parse().unwrap();
    event(
        symbol,
        Payload::Bar(Bar { interval: None, open: None, high: None, low: None, close, volume: None }),
    )
}

pub fn halt(symbol: &str, reason: &str) -> Event {
    event(symbol, Payload::Status(TradingStatus { state: TradingState::Halted, reason: Some(reason.into()) }))
}

pub fn trading(symbol: &str) -> Event {
    event(symbol, Payload::Status(TradingStatus { state: TradingState::Trading, reason: None }))
}

fn event(symbol: &str, payload: Payload) -> Event {
    Event { symbol: symbol.parse().unwrap(), time: "2024-01-03T14:30:00Z".parse().unwrap(), payload }
}
