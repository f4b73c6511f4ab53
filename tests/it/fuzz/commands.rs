//! Tests with arbitrary text from a client. From each text, the parser makes a message, a command, or an
//! error with a reason. A command that is written as JSON and parsed again must stay the same.

use std::time::Duration;

use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tickerplant::market::{Kind, KindSet};
use tickerplant::wire::{
    Command, CommandWithId, Cursor, Delivery, ErrorReply, Message, ParsedMessage, Symbols, TokenHash,
    UrlParameters, parse_message, parse_text,
};

use crate::support::mutated_text::mutated;
use crate::support::proptest_cases::cases;
use crate::support::shard_harness::channels;

/// An error message must be shorter than this many bytes, even if the client's text is longer.
const LONGEST: usize = 1200;

const SAID: [&str; 16] = [
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
    r#"{"METHOD":"Subscribe","params":{"token":"secret"},"id":[]}"#,
    r#"[{"op":"chat"},{"Token" : "secret"},"\u0000"]"#,
    "\u{feff}\0{\"event\":\"auth\",'token': secret,}\0",
    r#""{\"action\":\"auth\",\"token\":\"\\\"secret\"}""#,
    r#" {"action" : "ping" , "action" : "ping" }"#,
    "Hello, WebSocket Server!",
];

const ASKED: [&str; 5] = [
    "symbols=AAPL,BRK.B,EUR%2FUSD&channels=trades,bars&delivery=every&interval_ms=250&after=k3f9-7",
    "symbols=*&token=a%20b",
    "symbols=A+B%2BC&channels=quotes",
    "interval_ms=60000&delivery=latest",
    "ticker=A&tickers=B&token=a+b",
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
    (some_symbols(), (1_u8..8).prop_map(channels), prop::option::of(a_cursor())).prop_map(
        |(symbols, channels, after)| Command::Subscribe {
            symbols,
            channels,
            after,
            delivery: None,
            interval: None,
        },
    )
}

/// Generates a subscribe command that may also set the delivery. The tests of URLs do not use this function,
/// because the parser returns the delivery in a URL separately from the command.
fn a_subscribe_with_delivery() -> impl Strategy<Value = Command> {
    (a_subscribe(), prop::option::of(a_delivery()), prop::option::of(an_interval())).prop_map(
        |(mut command, new_delivery, new_interval)| {
            if let Command::Subscribe { delivery, interval, .. } = &mut command {
                (*delivery, *interval) = (new_delivery, new_interval);
            }
            command
        },
    )
}

fn a_delivery() -> impl Strategy<Value = Delivery> {
    select(vec![Delivery::Latest, Delivery::Every])
}

fn an_interval() -> impl Strategy<Value = Duration> {
    (0..=60_000_u64).prop_map(Duration::from_millis)
}

fn a_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => a_subscribe_with_delivery(),
        2 => (some_symbols(), (1_u8..8).prop_map(channels))
            .prop_map(|(symbols, channels)| Command::Unsubscribe { symbols, channels }),
        2 => (a_delivery(), prop::option::of(an_interval()))
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

/// Writes a command as JSON, as a client would write it.
fn said(command: &Command) -> Value {
    match command {
        Command::Subscribe { symbols, channels, after, delivery, interval } => {
            let (symbols, channels) = (names(symbols), list(*channels));
            let mut said = json!({"action":"subscribe","symbols":symbols,"channels":channels});
            if let Some(after) = after {
                said["after"] = after.to_string().into();
            }
            say_delivery(&mut said, *delivery, *interval);
            said
        }
        Command::Unsubscribe { symbols, channels } => {
            json!({"action":"unsubscribe","symbols":names(symbols),"channels":list(*channels)})
        }
        Command::Set { delivery, interval } => {
            let mut said = json!({"action":"set"});
            say_delivery(&mut said, *delivery, *interval);
            said
        }
        Command::Auth { .. } => json!({"action":"auth","token":"t"}),
        Command::Ping => json!({"action":"ping"}),
    }
}

fn say_delivery(said: &mut Value, delivery: Option<Delivery>, interval: Option<Duration>) {
    if let Some(delivery) = delivery {
        said["delivery"] = serde_json::to_value(delivery).unwrap();
    }
    if let Some(interval) = interval {
        said["interval_ms"] = u64::try_from(interval.as_millis()).unwrap().into();
    }
}

/// Writes a subscribe command as URL parameters.
fn asked(command: &Command) -> String {
    let Command::Subscribe { symbols, channels, after, .. } = command else { panic!("{command:?}") };
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
            ParsedMessage::ForPeers => {}
            ParsedMessage::Error(_, error) => check_error(&error)?,
            ParsedMessage::Command(CommandWithId { id, command }) => {
                prop_assert!(id.is_none_or(|id| text.contains(id.get())));
                let again = parse_text(&said(&command).to_string());
                let is_same = |said: &Command| *said == command || matches!(command, Command::Auth { .. });
                prop_assert!(matches!(&again, ParsedMessage::Command(said) if is_same(&said.command)), "{:?}", again);
            }
        }
    }

    #[test]
    fn no_form_of_an_object_with_a_token_is_relayed(
        token in "[a-zA-Z0-9 é\"\\\\{}:,]{0,40}",
        name in "[tT][oO][kK][eE][nN]",
        before in btree_set("[a-z]{1,6}", 0..3),
        padding in "[\u{feff}\0 \t\r\n]{0,4}",
        cut in 0_usize..2,
    ) {
        let mut fields: serde_json::Map<_, _> =
            before.into_iter().map(|field| (field, Value::from(1))).collect();
        fields.insert(name, token.clone().into());
        let object = json!(fields).to_string();
        // Without its closing brace, the object is no longer JSON.
        let text = format!("{padding}{}{padding}", &object[..object.len() - cut]);
        let utf16 = text.encode_utf16().flat_map(u16::to_le_bytes).collect();

        let messages =
            [Message::Text(text.clone()), Message::Binary(text.clone().into_bytes()), Message::Binary(utf16)];
        for message in messages {
            let ParsedMessage::Error(_, error) = parse_message(&message) else { panic!("{message:?}") };
            check_error(&error)?;
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80), text in any_text(&SAID)) {
        for bytes in [bytes, text.into_bytes()] {
            match parse_message(&Message::Binary(bytes)) {
                ParsedMessage::ForPeers => {}
                ParsedMessage::Error(id, error) => {
                    prop_assert!(id.is_none());
                    check_error(&error)?;
                }
                ParsedMessage::Command(command) => panic!("{command:?}"),
            }
        }
    }

    #[test]
    fn a_command_is_understood_as_it_was_meant(command in a_command(), id in prop::option::of(any::<i64>())) {
        let mut text = said(&command);
        if let Some(id) = id {
            text["id"] = id.into();
        }

        let ParsedMessage::Command(request) = parse_text(&text.to_string()) else { panic!("{text} is a command") };

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
