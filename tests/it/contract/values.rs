//! Random values of the protocol, already encoded: frames of all kinds, as the server sends them.

use std::array;

use proptest::option;
use proptest::prelude::*;
use proptest::strategy::Union;
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use tickerplant::encoding::{Body, Encoding, Snapshot, Value};
use tickerplant::market::{
    Bar, Day, Event, FeedKind, FeedState, Interval, Kind, Payload, Price, Quote, Size, Symbol, Time, Trade,
    TradingState, TradingStatus,
};
use tickerplant::wire::{
    CommandId, Delivery, ErrorCode, ErrorReply, FeedFields, FeedInfo, GapReason, Message, Owner, Reply,
    SubscriptionState,
};

/// Returns a strategy for the text of one frame.
pub fn frame() -> impl Strategy<Value = String> {
    let event = (seq(), event()).prop_map(|(seq, event)| encoded(&Value::Event(seq, &event)));
    let close = (1000..5000_u16, ".{0,20}").prop_map(|(code, reason)| encoded(&Value::Close(code, &reason)));
    prop_oneof![2 => event, 2 => snapshot(), 4 => reply(), 1 => close]
}

fn encoded(value: &Value<'_>) -> String {
    let mut line = Vec::new();
    Encoding::Ndjson(Body::UntilClose).write(&mut line, value);
    String::from_utf8(line).unwrap()
}

fn event() -> impl Strategy<Value = Event> {
    (symbol(), time(), payload()).prop_map(|(symbol, time, payload)| Event { symbol, time, payload })
}

fn payload() -> impl Strategy<Value = Payload> {
    let kinds = Kind::ALL.map(|kind| match kind {
        Kind::Trade => trade().prop_map(Payload::Trade).boxed(),
        Kind::Quote => quote().boxed(),
        Kind::Bar => bar().prop_map(Payload::Bar).boxed(),
        Kind::Status => status().prop_map(Payload::Status).boxed(),
    });
    Union::new(kinds)
}

fn trade() -> impl Strategy<Value = Trade> {
    (price(), option::of(size())).prop_map(|(price, size)| Trade { price, size })
}

fn quote() -> impl Strategy<Value = Payload> {
    (option::of(price()), option::of(size()), option::of(price()), option::of(size()))
        .prop_map(|(bid, bid_size, ask, ask_size)| Payload::Quote(Quote { bid, bid_size, ask, ask_size }))
}

fn bar() -> impl Strategy<Value = Bar> {
    let interval = "[1-9][0-9]{0,3}[smhdw]".prop_map(|text| text.parse::<Interval>().unwrap());
    let prices = [option::of(price()), option::of(price()), option::of(price())];
    (option::of(interval), prices, price(), option::of(size())).prop_map(
        |(interval, [open, high, low], close, volume)| Bar { interval, open, high, low, close, volume },
    )
}

fn status() -> impl Strategy<Value = TradingStatus> {
    let state = prop_oneof![Just(TradingState::Trading), Just(TradingState::Halted)];
    let reason = option::of(r#"[a-z"\\\\–]{0,16}"#.prop_map(String::into_boxed_str));
    (state, reason).prop_map(|(state, reason)| TradingStatus { state, reason })
}

/// Returns a strategy for a snapshot. The day is computed from one to three events.
fn snapshot() -> impl Strategy<Value = String> {
    let of_kind = |payload: BoxedStrategy<Payload>| option::of((seq(), time(), payload));
    let latest = (
        of_kind(trade().prop_map(Payload::Trade).boxed()),
        of_kind(quote().boxed()),
        of_kind(bar().prop_map(Payload::Bar).boxed()),
    );
    let folded = proptest::collection::vec((time(), trade()), 0..3);
    let halt = option::of(status())
        .prop_map(|status| status.map(|status| TradingStatus { state: TradingState::Halted, ..status }));
    (seq(), symbol(), latest, halt, folded).prop_map(|(seq, symbol, (trade, quote, bar), halt, folded)| {
        let mut day = None;
        for (time, trade) in &folded {
            Day::fold_trade(&mut day, *time, trade);
        }
        let events = [trade, quote, bar].map(|latest| {
            latest.map(|(seq, time, payload)| (seq, Event { symbol: symbol.clone(), time, payload }))
        });
        let latest = array::from_fn(|kind| events[kind].as_ref().map(|(seq, event)| (*seq, event)));
        let (halt, day) = (halt.as_ref(), day.as_ref());
        encoded(&Value::Snapshot(&Snapshot { seq, symbol: &symbol, latest, halt, day }))
    })
}

fn reply() -> impl Strategy<Value = String> {
    let subscription =
        (0..3_u8, option::of(id()), subscription_state()).prop_map(|(verb, id, state)| match verb {
            0 => encoded_reply(&Reply::subscribed(id.as_ref(), state)),
            1 => encoded_reply(&Reply::unsubscribed(id.as_ref(), state)),
            _ => encoded_reply(&Reply::set(id.as_ref(), state)),
        });
    let authenticated =
        (option::of(id()), ".{0,9}", any::<[bool; 2]>()).prop_map(|(id, name, [relay, control])| {
            encoded_reply(&Reply::authenticated(id.as_ref(), Owner { name: &name, relay, control }))
        });
    let pong =
        (option::of(id()), time()).prop_map(|(id, time)| encoded_reply(&Reply::pong(id.as_ref(), time)));
    let error = (option::of(id()), ".{0,20}").prop_map(|(id, message)| {
        encoded_reply(&Reply::error(id.as_ref(), ErrorReply::new(ErrorCode::BadCommand, message)))
    });
    let message = prop_oneof![".{0,20}".prop_map(Message::Text), any::<Vec<u8>>().prop_map(Message::Binary)]
        .prop_map(|message| encoded_reply(&Reply::message("c17", &message)));
    let heartbeat = (time(), any::<[u64; 3]>())
        .prop_map(|(time, [seq, sent, merged])| encoded_reply(&Reply::Heartbeat { time, seq, sent, merged }));
    prop_oneof![subscription, authenticated, pong, error, message, heartbeat, gap(), feed()]
}

fn encoded_reply(reply: &Reply<'_>) -> String {
    encoded(&Value::Reply(reply))
}

fn subscription_state() -> impl Strategy<Value = SubscriptionState> {
    let names = || proptest::collection::vec(symbol().prop_map(|symbol| symbol.to_string()), 0..3);
    let names = || prop_oneof![Just(vec!["*".to_owned()]), names()];
    let unknown = proptest::collection::vec(symbol().prop_map(|symbol| symbol.to_string()), 0..3);
    let delivery = prop_oneof![Just(Delivery::Latest), Just(Delivery::Every)];
    let feed = (kind(), state()).prop_map(|(kind, state)| FeedInfo { kind, state: (&state).into() });
    let rest = (seq(), any::<bool>(), 0..100_usize, delivery, 0..=60_000_u64, feed);
    ([names(), names(), names()], unknown, rest).prop_map(
        |([trades, quotes, bars], unknown, (seq, resumed, snapshots, delivery, interval_ms, feed))| {
            let epoch = "k3f9x2m1".to_owned();
            SubscriptionState {
                trades,
                quotes,
                bars,
                unknown,
                epoch,
                seq,
                resumed,
                snapshots,
                delivery,
                interval_ms,
                feed,
            }
        },
    )
}

fn gap() -> impl Strategy<Value = String> {
    let reason = prop_oneof![
        Just(GapReason::HistoryExhausted),
        Just(GapReason::EpochChanged),
        Just(GapReason::Lagged)
    ];
    let numbers = (option::of(seq()), option::of(seq()), option::of(0..100_usize));
    (reason, numbers, any::<bool>()).prop_map(|(reason, (after, until, snapshots), has_epoch)| {
        let epoch = has_epoch.then_some("k3f9x2m1");
        encoded_reply(&Reply::Gap { after, until, reason, epoch, snapshots })
    })
}

fn feed() -> impl Strategy<Value = String> {
    let seek = option::of((time(), 0..100_usize, seq()));
    (state(), seek).prop_map(|(state, seek)| {
        let fields = match seek {
            Some((position, snapshots, seq)) => FeedFields::after_seek(&state, position, snapshots, seq),
            None => (&state).into(),
        };
        encoded_reply(&Reply::Feed(fields))
    })
}

fn kind() -> impl Strategy<Value = FeedKind> {
    prop_oneof![Just(FeedKind::Simulated), Just(FeedKind::Replay), Just(FeedKind::Stdin)]
}

fn state() -> impl Strategy<Value = FeedState> {
    prop_oneof![
        Just(FeedState::Starting),
        Just(FeedState::Running),
        Just(FeedState::Paused),
        Just(FeedState::Stalled),
        Just(FeedState::Ended),
        ".{0,20}".prop_map(|detail| FeedState::Failed { detail }),
    ]
}

fn id() -> impl Strategy<Value = CommandId> {
    let text = ".{0,9}".prop_map(|text| serde_json::to_string(&text).unwrap());
    let number = any::<i64>().prop_map(|number| number.to_string());
    prop_oneof![text, number].prop_map(|json| RawValue::from_string(json).unwrap())
}

fn seq() -> impl Strategy<Value = u64> {
    any::<u64>()
}

fn symbol() -> impl Strategy<Value = Symbol> {
    r"[\p{L}\p{Nd}._:/^=+-]{1,32}"
        .prop_filter_map("not every letter of the expression is one of the protocol", |text| {
            text.parse().ok()
        })
}

fn time() -> impl Strategy<Value = Time> {
    any::<i64>().prop_map(Time::from_nanos)
}

fn price() -> impl Strategy<Value = Price> {
    decimal().prop_map(Price)
}

fn size() -> impl Strategy<Value = Size> {
    decimal().prop_map(Size)
}

fn decimal() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0..=28_u32).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}
