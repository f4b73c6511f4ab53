//! Arbitrary text from a client. Each text is a message, a command, or an error with a reason. A command can
//! be written and parsed again.

use std::time::Duration;

use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tickerplant::market::{Kind, KindSet};
use tickerplant::wire::{
    Command, CommandWithId, Cursor, Delivery, ErrorReply, ParsedText, Symbols, TokenHash, UrlParameters,
    parse_text,
};

use crate::support::mutated_text::mutated;
use crate::support::proptest_cases::cases;
use crate::support::shard_harness::channels;

/// No error message may be longer than this, even if the client's text is.
const LONGEST: usize = 1200;

const SAID: [&str; 12] = [
    r#"{"action":"subscribe","symbols":["AAPL","MSFT"],"channels":["trades"],"after":"k3f9-1042","id":7}"#,
    r#"{"action":"subscribe","symbols":"*"}"#,
    r#"{"op":"subscribe","ticker":"BRK.B","channels":"quotes"}"#,
    r#"{"type":"unsubscribe","tickers":["EUR/USD","삼성전자"],"channels":["bars","quotes"],"id":"\ud83d\ude00"}"#,
    r#"{"action":"set","delivery":"every"}"#,
    r#"{"action":"set","delivery":"latest","interval_ms":60000,"id":-1.5e300}"#,
    r#"{"action":"auth","token":"secret"}"#,
    r#"{"action":"ping","id":null}"#,
    r#"{"action":"buy","symbols":[["A"]]}"#,
    r#"{"text":{"a":[1,2,{"b":"}"}]}}"#,
    r#" {"action" : "ping" , "action" : "ping" }"#,
    "Hello, WebSocket Server!",
];

const ASKED: [&str; 4] = [
    "symbols=AAPL,BRK.B,EUR%2FUSD&channels=trades,bars&delivery=every&interval_ms=250&after=k3f9-7",
    "symbols=*&token=a%20b",
    "symbols=A+B%2BC&channels=quotes",
    "interval_ms=60000&delivery=latest",
];

fn any_text(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    let open = "[\\[{\" ]{0,300}".prop_map(|text| format!("{{\"action\":{text}"));
    prop_oneof![1 => ".{0,60}", 1 => any::<String>(), 1 => open, 6 => mutated(texts)]
}

fn a_symbol() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:/^=+é가-]{1,32}"
}

fn a_cursor() -> impl Strategy<Value = Cursor> {
    ("[a-zA-Z0-9]{1,32}", any::<u64>()).prop_map(|(epoch, seq)| Cursor { epoch, seq })
}

fn some_symbols() -> impl Strategy<Value = Symbols> {
    let names = btree_set(a_symbol().prop_map(|name| name.parse().unwrap()), 0..4);
    (any::<bool>(), names).prop_map(|(all, names)| Symbols { all: all || names.is_empty(), names })
}

fn a_subscribe() -> impl Strategy<Value = Command> {
    (some_symbols(), (1_u8..8).prop_map(channels), prop::option::of(a_cursor()))
        .prop_map(|(symbols, channels, after)| Command::Subscribe { symbols, channels, after })
}

fn a_command() -> impl Strategy<Value = Command> {
    let delivery = select(vec![Delivery::Latest, Delivery::Every]);
    let interval = || prop::option::of((0..=60_000_u64).prop_map(Duration::from_millis));
    prop_oneof![
        3 => a_subscribe(),
        2 => (some_symbols(), (1_u8..8).prop_map(channels))
            .prop_map(|(symbols, channels)| Command::Unsubscribe { symbols, channels }),
        2 => (delivery, interval())
            .prop_map(|(delivery, interval)| Command::Set { delivery: Some(delivery), interval }),
        1 => Just(Command::Auth { token: TokenHash::of("t") }),
        1 => Just(Command::Ping),
    ]
}

fn names(symbols: &Symbols) -> Vec<String> {
    let star = symbols.all.then(|| "*".to_owned());
    star.into_iter().chain(symbols.names.iter().map(ToString::to_string)).collect()
}

fn list(channels: KindSet) -> Vec<&'static str> {
    let names = [(Kind::Trade, "trades"), (Kind::Quote, "quotes"), (Kind::Bar, "bars")];
    names.into_iter().filter(|(kind, _)| channels.contains(*kind)).map(|(_, name)| name).collect()
}

/// Writes a command as a client would.
fn said(command: &Command) -> Value {
    match command {
        Command::Subscribe { symbols, channels, after } => {
            let (symbols, channels) = (names(symbols), list(*channels));
            let mut said = json!({"action":"subscribe","symbols":symbols,"channels":channels});
            if let Some(after) = after {
                said["after"] = after.to_string().into();
            }
            said
        }
        Command::Unsubscribe { symbols, channels } => {
            json!({"action":"unsubscribe","symbols":names(symbols),"channels":list(*channels)})
        }
        Command::Set { delivery, interval } => {
            let mut said = json!({"action":"set"});
            if let Some(delivery) = delivery {
                said["delivery"] = serde_json::to_value(delivery).unwrap();
            }
            if let Some(interval) = interval {
                said["interval_ms"] = u64::try_from(interval.as_millis()).unwrap().into();
            }
            said
        }
        Command::Auth { .. } => json!({"action":"auth","token":"t"}),
        Command::Ping => json!({"action":"ping"}),
    }
}

/// Writes a subscription as URL parameters.
fn asked(command: &Command) -> String {
    let Command::Subscribe { symbols, channels, after } = command else { panic!("{command:?}") };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("symbols", &names(symbols).join(","));
    query.append_pair("channels", &list(*channels).join(","));
    if let Some(after) = after {
        query.append_pair("after", &after.to_string());
    }
    query.finish()
}

fn check_error(error: &ErrorReply) -> Result<(), TestCaseError> {
    let code = serde_json::to_value(error.code).unwrap();
    prop_assert!(code.as_str().is_some_and(|code| !code.is_empty()));
    prop_assert!((1..LONGEST).contains(&error.message.len()), "{} bytes", error.message.len());
    Ok(())
}

proptest! {
    #![proptest_config(cases(1024))]

    #[test]
    fn a_text_is_a_message_a_command_that_can_be_said_again_or_refused_with_a_code(text in any_text(&SAID)) {
        match parse_text(&text) {
            ParsedText::Message => {}
            ParsedText::Error(_, error) => check_error(&error)?,
            ParsedText::Command(CommandWithId { id, command }) => {
                prop_assert!(id.is_none_or(|id| text.contains(id.get())));
                let again = parse_text(&said(&command).to_string());
                let is_same = |said: &Command| *said == command || matches!(command, Command::Auth { .. });
                prop_assert!(matches!(&again, ParsedText::Command(said) if is_same(&said.command)), "{:?}", again);
            }
        }
    }

    #[test]
    fn a_command_is_understood_as_it_was_meant(command in a_command(), id in prop::option::of(any::<i64>())) {
        let mut text = said(&command);
        if let Some(id) = id {
            text["id"] = id.into();
        }

        let ParsedText::Command(request) = parse_text(&text.to_string()) else { panic!("{text} is a command") };

        prop_assert_eq!(request.command, command);
        prop_assert_eq!(request.id.map(|id| id.get().to_owned()), id.map(|id| id.to_string()));
    }

    #[test]
    fn a_query_is_a_stream_that_can_be_asked_for_again_or_refused_with_a_code(query in any_text(&ASKED)) {
        match UrlParameters::parse(&query) {
            Err(error) => check_error(&error)?,
            Ok(UrlParameters { subscribe: Some(command), .. }) => {
                prop_assert_eq!(UrlParameters::parse(&asked(&command)).unwrap().subscribe, Some(command));
            }
            Ok(_) => {}
        }
    }

    #[test]
    fn a_subscription_by_url_is_understood_as_it_was_meant(command in a_subscribe()) {
        prop_assert_eq!(UrlParameters::parse(&asked(&command)).unwrap().subscribe, Some(command));
    }

    #[test]
    fn a_cursor_reads_as_it_is_written_or_is_refused(text in "[a-z0-9+-]{0,8}-?[0-9+-]{0,24}", real in a_cursor()) {
        prop_assert_eq!(real.to_string().parse::<Cursor>().unwrap(), real);
        match text.parse::<Cursor>() {
            Ok(cursor) => prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor),
            Err(error) => check_error(&error)?,
        }
    }
}
