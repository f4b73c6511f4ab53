//! Decides whether a client's message is a command, is invalid, or is meant for the client's peers.

use serde::de::IgnoredAny;

use super::command::{CommandWithId, command};
use super::error_reply::{ErrorReply, bad_command};
use super::fields::{CommandId, Fields};
use super::message::Message;
use super::token_check::{bare, holds_token, object_holds_token};
use super::verb::take_verb;

/// The result of parsing a client's message.
#[derive(Debug)]
pub enum ParsedMessage {
    /// A message that the server relays to all peers.
    ForPeers,
    /// A command.
    Command(CommandWithId),
    /// An invalid message, which the server neither executes nor relays. The values are the message's `id`
    /// and the error reply.
    Error(Option<CommandId>, ErrorReply),
}

/// Parses a client's message. A binary message is never a command.
#[must_use]
pub fn parse_message(message: &Message) -> ParsedMessage {
    match message {
        Message::Text(text) => parse_text(text),
        Message::Binary(bytes) if bare(bytes).is_some_and(|text| holds_token(&text)) => {
            ParsedMessage::Error(None, could_hold_token())
        }
        Message::Binary(_) => ParsedMessage::ForPeers,
    }
}

/// Parses a client's text message.
///
/// A JSON object with the field `action` is never relayed, even if it is not a valid command.
#[must_use]
pub fn parse_text(text: &str) -> ParsedMessage {
    let Some(bare) = bare(text.as_bytes()) else {
        return ParsedMessage::ForPeers;
    };
    if let Some(fields) = Fields::parse(text) {
        return parse_object(fields);
    }
    if let Some(fields) = Fields::parse(&bare) {
        return match parse_object(fields) {
            ParsedMessage::Command(CommandWithId { id, .. }) => ParsedMessage::Error(id, is_padded()),
            other => other,
        };
    }
    if begins_with_action(&bare)
        && let Err(error) = serde_json::from_str::<IgnoredAny>(&bare)
    {
        return ParsedMessage::Error(
            None,
            bad_command(format_args!("this begins like a command, but is not JSON: {error}")),
        );
    }
    if holds_token(&bare) {
        return ParsedMessage::Error(None, could_hold_token());
    }
    ParsedMessage::ForPeers
}

fn parse_object(mut fields: Fields) -> ParsedMessage {
    let repeated = fields.repeated();
    let could_hold_token = object_holds_token(&fields).then(could_hold_token);
    let (id, bad_id) = match fields.take_id() {
        Ok(id) => (id, None),
        Err(error) => (None, Some(error)),
    };
    let error = match take_verb(&mut fields) {
        Ok(None) => match could_hold_token {
            Some(error) => error,
            None => return ParsedMessage::ForPeers,
        },
        Ok(Some(verb)) => match bad_id.or(repeated).map_or_else(|| command(verb, &mut fields), Err) {
            Ok(command) => return ParsedMessage::Command(CommandWithId { id, command }),
            Err(error) => error,
        },
        Err(error) => error,
    };
    ParsedMessage::Error(id, error)
}

/// Returns whether a text begins with `{"action"`, with or without white space after the brace.
fn begins_with_action(text: &str) -> bool {
    text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with("\"action\""))
}

fn could_hold_token() -> ErrorReply {
    bad_command(
        "this could hold a token, so the server did not relay it; \
         show a token as text: {\"action\":\"auth\",\"token\":\"…\"}",
    )
}

fn is_padded() -> ErrorReply {
    bad_command(
        "a command is JSON and nothing else; leave out what is around it, e.g. a byte order mark or a NUL",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Command, Delivery, ErrorCode};
    use super::*;

    fn command(text: &str) -> Command {
        match parse_text(text) {
            ParsedMessage::Command(parsed) => parsed.command,
            other => panic!("{text} is {other:?}"),
        }
    }

    fn error_of(text: &str) -> (ErrorCode, String) {
        match parse_text(text) {
            ParsedMessage::Error(_, error) => (error.code, error.message),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn every_alias_of_a_subscribe_is_parsed() {
        let expected = command(r#"{"action":"subscribe","symbols":["AAPL"]}"#);

        for text in [
            r#"{"op":"subscribe","symbol":"AAPL"}"#,
            r#"{"type":"subscribe","tickers":["AAPL","AAPL"]}"#,
            r#" {"ticker":"AAPL","id":7,"action":"subscribe","channels":["trades","quotes","bars"]}"#,
        ] {
            assert_eq!(command(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_command_is_a_message() {
        for text in [
            "Hello, WebSocket Server!",
            "",
            "[1]",
            "{",
            r#"{"text":"hi"}"#,
            r#"{"type":"chat","text":"hi"}"#,
            r#"{"op":"buy"}"#,
            r#"{"type":5}"#,
        ] {
            assert!(matches!(parse_text(text), ParsedMessage::ForPeers), "{text}");
        }
    }

    #[test]
    fn an_unknown_action_is_an_error() {
        let (code, message) = error_of(r#"{"action":"subscrbe"}"#);
        assert_eq!(code, ErrorCode::UnknownAction);
        assert!(message.ends_with("; did you mean subscribe?"), "{message}");
        assert_eq!(error_of(r#"{"action":5,"op":"ping"}"#).0, ErrorCode::UnknownAction);
    }

    #[test]
    fn an_error_names_the_wrong_field() {
        let (code, message) = error_of(r#"{"action":"subscribe","symbols":["AAPL"],"chanels":["trades"]}"#);
        let expected = "subscribe has no field \"chanels\"; did you mean channels?";
        assert_eq!((code, message.as_str()), (ErrorCode::BadCommand, expected));

        let (code, message) = error_of(r#"{"action":"subscribe","symbols":["AA PL"]}"#);
        assert_eq!(code, ErrorCode::BadSymbol);
        assert!(message.starts_with("symbol \"AA PL\" has a space"), "{message}");

        for (text, expected) in [
            (
                r#"{"action":"unsubscribe","symbols":"AAPL","delivery":"every"}"#,
                "unsubscribe has no field \"delivery\"; only subscribe and set have it",
            ),
            (r#"{"action":"ping","token":"x"}"#, "ping has no field \"token\"; only auth has it"),
            (
                r#"{"action":"set","ticker":"AAPL"}"#,
                "set has no field \"ticker\"; only subscribe and unsubscribe have it",
            ),
            (r#"{"action":"ping","delivry":"every"}"#, "ping has no field \"delivry\""),
        ] {
            assert_eq!(error_of(text), (ErrorCode::BadCommand, expected.to_owned()));
        }

        assert_eq!(error_of(r#"{"action":"subscribe"}"#).0, ErrorCode::BadCommand);
        assert_eq!(error_of(r#"{"action":"subscribe","symbols":[]}"#).0, ErrorCode::BadCommand);
        assert_eq!(error_of(r#"{"action":"subscribe","symbols":5}"#).0, ErrorCode::BadCommand);
        assert_eq!(
            error_of(r#"{"action":"subscribe","symbols":"A","channels":"trade"}"#).0,
            ErrorCode::BadChannel
        );
        assert_eq!(error_of(r#"{"action":"subscribe","symbols":"A","after":"12"}"#).0, ErrorCode::BadCursor);
        assert_eq!(error_of(r#"{"action":"ping","id":null}"#).0, ErrorCode::BadCommand);
        assert_eq!(error_of(r#"{"action":"set","interval_ms":60001}"#).0, ErrorCode::BadCommand);
        assert_eq!(error_of(r#"{"action":"set","delivery":"newest"}"#).0, ErrorCode::BadCommand);
    }

    #[test]
    fn an_id_comes_back_with_every_digit() {
        let ParsedMessage::Command(parsed) = parse_text(r#"{"action":"ping","id":12345678901234567890.10}"#)
        else {
            panic!("it is a command");
        };

        assert_eq!(parsed.id.unwrap().get(), "12345678901234567890.10");
    }

    #[test]
    fn a_message_that_could_hold_a_token_is_not_relayed_and_not_repeated() {
        for text in [
            r#"{"token":"s3cret"}"#,
            r#"{"op":"login","Token":"s3cret","id":5}"#,
            r#"{"text":"hi","\u0074oken":"s3cret"}"#,
            r#"{"op":"chat","op":"auth","token ":"s3cret"}"#,
            r#"{"op":"chat","type":"AUTH","key":"s3cret"}"#,
            r#"[{"text":"hi"},{"action":"auth","token":"s3cret"}]"#,
            r#""{\"action\":\"auth\",\"token\":\"s3cret\"}""#,
            "\u{feff}{\"action\":\"auth\",\"token\":\"s3cret\"}",
            "{\"action\":\"auth\",\"token\":\"s3cret\"}\0",
            "\0 \u{feff}\u{a0}{\"TOKEN\":\"s3cret\"}\n\0",
            r#"{"action":"auth","token":"s3cret",}"#,
            r#"{"action":"auth", /* mine */ "token":"s3cret"}"#,
            r#"{"op":"auth","token":"s3cret"#,
            "{'action':'auth','token':'s3cret'}",
            "{action: \"auth\", token : \"s3cret\"}",
            "{\"text\":1}\n{\"token\":\"s3cret\"}",
            r#"["{\"action\":\"auth\",\"token\":\"s3cret\"}"]"#,
            r#"[["hi",[{"token":"s3cret"}]]]"#,
            r#"[[["{\"action\":\"auth\",\"token\":\"s3cret\"}"]]]"#,
            r#"42["auth",{"token":"s3cret"}]"#,
            r#"40{"token":"s3cret"}"#,
            r#"42/prices,17["auth",{"token":"s3cret"}]"#,
            r#"451-["auth",{"token":"s3cret"}]"#,
            "18\n{\"token\":\"s3cret\"}",
            r#"18:{"token":"s3cret"},"#,
            r#"{"\u200btoken":"s3cret"}"#,
        ] {
            let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
            let with_mark = |mark: &[u8], text: &[u8]| [mark, text].concat();
            let messages = [
                Message::Text(text.to_owned()),
                Message::Binary(text.as_bytes().to_vec()),
                Message::Binary(utf16(u16::to_le_bytes)),
                Message::Binary(with_mark(&[0xff, 0xfe], &utf16(u16::to_le_bytes))),
                Message::Binary(with_mark(&[0xfe, 0xff], &utf16(u16::to_be_bytes))),
            ];
            for message in messages {
                let ParsedMessage::Error(_, error) = parse_message(&message) else { panic!("{message:?}") };

                assert_eq!(error.code, ErrorCode::BadCommand, "{message:?}");
                assert!(!error.message.contains("s3cret"), "{message:?}: {}", error.message);
            }
        }
    }

    #[test]
    fn what_is_unseen_before_a_token_does_not_hide_the_token() {
        let unseen = "\x01\x1e\x1b\x7f\u{80}\u{9f}\u{a0}\u{ad}\u{34f}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\
                      \u{200e}\u{200f}\u{2028}\u{202e}\u{2060}\u{2064}\u{2066}\u{3000}\u{fe0f}\u{feff}\u{fff9}\
                      \u{fffd}\u{e0001}";
        for unseen in unseen.chars() {
            let text = format!("{unseen}{{\"action\":\"auth\",\"token\":\"s3cret\"}}{unseen}");
            let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
            for message in [
                Message::Text(text.clone()),
                Message::Binary(text.as_bytes().to_vec()),
                Message::Binary(utf16(u16::to_le_bytes)),
                Message::Binary(utf16(u16::to_be_bytes)),
            ] {
                assert!(matches!(parse_message(&message), ParsedMessage::Error(..)), "{message:?}");
            }
        }
    }

    #[test]
    fn a_token_within_very_many_lists_is_found_without_opening_each_list() {
        const DEPTH: usize = 100_000;
        let text = format!("{}{{\"token\":\"s3cret\"}}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));

        assert!(matches!(parse_text(&text), ParsedMessage::Error(..)));
        assert!(matches!(parse_text(&"[".repeat(DEPTH)), ParsedMessage::ForPeers));
    }

    #[test]
    fn a_message_about_tokens_is_relayed() {
        for text in [
            "which token: do I need?",
            r#"{"text":"my token: none"}"#,
            r#"{"text":"\"token\": 5"}"#,
            r#"{"coin":{"token":"BTC"}}"#,
            r#"{"tokens":["BTC"]}"#,
            r#"["token"]"#,
            r#""token""#,
            "[bot] no token today",
            r#"42["chat","which token: do I need?"]"#,
            r#"42["chat",{"coin":{"token":"BTC"}}]"#,
            "42 tokens: {\"token\":5}",
            "token=s3cret",
            "42",
            r#"["{\"coin\":{\"token\":\"BTC\"}}"]"#,
        ] {
            for message in [Message::Text(text.to_owned()), Message::Binary(text.as_bytes().to_vec())] {
                assert!(matches!(parse_message(&message), ParsedMessage::ForPeers), "{message:?}");
            }
        }
        let picture = Message::Binary(b"\x89PNG\r\n\x1a\n\0\0{\"token\":1}".to_vec());
        assert!(matches!(parse_message(&picture), ParsedMessage::ForPeers));
    }

    #[test]
    fn what_is_nearly_a_command_is_an_error_that_says_what_was_meant() {
        for (text, meant) in [
            (r#"{"action":"Subscribe","symbols":["AAPL"]}"#, r#""action":"subscribe""#),
            (r#"{"Action":"subscribe"}"#, r#""action":"subscribe""#),
            (r#"{"OP":"PING"}"#, r#""action":"ping""#),
            (r#"{"method":"subscribe","params":{"token":"x"}}"#, r#""action":"subscribe""#),
            (r#"{"event":"unSubscribe"}"#, r#""action":"unsubscribe""#),
            (r#"{"op":"chat","type":"set"}"#, r#""action":"set""#),
            ("\u{feff}{\"action\":\"ping\"}", "a command is JSON and nothing else"),
            ("{\"action\":\"ping\"}\0", "a command is JSON and nothing else"),
            (r#"{"action":"subscribe","symbols":["AAPL"}"#, "is not JSON: expected `,` or `]` at line 1"),
            ("\n{ \"action\"", "is not JSON: EOF"),
            ("{\"action\":\"ping\"}\n{\"action\":\"ping\"}", "is not JSON: trailing characters"),
        ] {
            let (code, message) = error_of(text);
            assert_eq!(code, ErrorCode::BadCommand, "{text}");
            assert!(message.contains(meant), "{text}: {message}");
        }
        for text in [r#"{"Action":"buy"}"#, r#"{"method":"buy"}"#, r#"{"verb":"ping"}"#, "{action:ping}"] {
            assert!(matches!(parse_text(text), ParsedMessage::ForPeers), "{text}");
        }
    }

    #[test]
    fn every_error_carries_the_id_of_its_command() {
        for text in [
            r#"{"id":7,"action":"buy"}"#,
            r#"{"id":7,"Action":"ping"}"#,
            r#"{"id":7,"token":"s3cret"}"#,
            r#"{"id":7,"action":"ping","action":"ping"}"#,
            "\u{feff}{\"id\":7,\"action\":\"ping\"}",
            r#"{"action":"subscribe","id":7,"symbols":"A","ticker":"B"}"#,
        ] {
            let ParsedMessage::Error(id, _) = parse_text(text) else { panic!("{text}") };
            assert_eq!(id.expect(text).get(), "7", "{text}");
        }
    }

    #[test]
    fn a_field_that_is_given_twice_is_an_error_that_names_it() {
        for (text, expected) in [
            (r#"{"action":"ping","action":"ping"}"#, "\"action\" is given twice"),
            (r#"{"action":"ping","id":1,"id":2}"#, "\"id\" is given twice"),
            (
                r#"{"action":"subscribe","ticker":"A","symbol":"B"}"#,
                "`symbol` and `ticker` mean the same; give only one of them",
            ),
        ] {
            assert_eq!(error_of(text), (ErrorCode::BadCommand, expected.to_owned()));
        }
    }

    #[test]
    fn a_subscribe_may_set_the_delivery() {
        let text = r#"{"action":"subscribe","symbols":"A","delivery":"every","interval_ms":250}"#;
        let Command::Subscribe { delivery, interval, .. } = command(text) else { panic!("{text}") };
        assert_eq!((delivery, interval), (Some(Delivery::Every), Some(Duration::from_millis(250))));
    }
}
