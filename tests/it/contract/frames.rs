//! Compares the schemas of frames and commands with the encoder and the parser.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tickerplant::contract::{Schemas, asyncapi, commands, frames};
use tickerplant::wire::{ParsedMessage, parse_text};

use super::schema_check::SchemaCheck;
use super::values::frame;
use crate::support::proptest_cases::cases;

#[test]
fn every_frame_has_the_form_of_its_schema_and_every_property_occurs_in_a_frame() {
    let document = asyncapi();
    let check = SchemaCheck::new(document["components"]["schemas"].clone());

    let config = ProptestConfig { source_file: Some(file!()), ..cases(1000) };
    TestRunner::new(config)
        .run(&frame(), |text| {
            let frame: Value = serde_json::from_str(&text).unwrap();
            check.check_tagged("type", "Frame", &frame).map_err(TestCaseError::fail)
        })
        .unwrap();

    let frames = check.names("Frame");
    assert_eq!(frames.len(), 16, "{frames:?}");
    assert_eq!(check.missing(frames), [""; 0]);
}

#[test]
fn a_frame_with_an_undescribed_field_and_one_without_a_required_field_are_noticed() {
    let check = SchemaCheck::new(asyncapi()["components"]["schemas"].clone());
    let trade =
        json!({"type": "trade", "symbol": "AAPL", "seq": 1, "time": "2024-01-03T14:30:00Z", "price": 184.25});
    assert_eq!(check.check("TradeFrame", &trade), Ok(()));

    for (field, value) in [
        ("venue", json!("XNAS")),
        ("price", json!("184.25")),
        ("size", Value::Null),
        ("time", json!("today")),
        ("symbol", json!("AA PL")),
        ("seq", json!(-1)),
        ("type", json!("quote")),
    ] {
        let mut wrong = trade.clone();
        wrong[field] = value;
        assert!(check.check("TradeFrame", &wrong).is_err(), "{wrong}");
    }
    for field in ["type", "symbol", "seq", "time", "price"] {
        let mut wrong = trade.clone();
        wrong.as_object_mut().unwrap().remove(field);
        assert!(check.check("TradeFrame", &wrong).is_err(), "{wrong}");
    }
}

#[test]
fn prices_and_sizes_are_exact_decimals() {
    let schemas = &asyncapi()["components"]["schemas"];
    assert_eq!(schemas["Number"]["format"], "decimal");

    for (schema, fields) in [
        ("TradeFrame", &["price", "size"][..]),
        ("QuoteFrame", &["bid", "bid_size", "ask", "ask_size"]),
        ("BarFrame", &["open", "high", "low", "close", "volume"]),
        ("Day", &["open", "high", "low", "last", "volume", "change", "change_percent"]),
    ] {
        for field in fields {
            let reference = &schemas[schema]["properties"][field]["$ref"];
            assert_eq!(reference, "#/components/schemas/Number", "{schema}.{field}");
        }
    }
}

#[test]
fn the_parser_takes_every_command_that_has_the_form_of_its_schema() {
    let mut schemas = Schemas::default();
    commands::websocket(&mut schemas);
    let check = SchemaCheck::new(schemas.into_value());

    for command in [
        json!({"action": "subscribe", "symbols": "*", "channels": "bars", "id": 1.5}),
        json!({
            "action": "subscribe", "symbols": ["A", "B"], "channels": ["trades", "quotes"], "after": "k3f9-7",
            "delivery": "every", "interval_ms": 60_000, "id": "a"
        }),
        json!({"action": "unsubscribe", "symbols": ["*"], "channels": ["trades"], "id": 1}),
        json!({"action": "set", "delivery": "latest", "interval_ms": 0, "id": 1}),
        json!({"action": "auth", "token": "secret", "id": 1}),
        json!({"action": "ping", "id": 1}),
    ] {
        check.check_tagged("action", "Command", &command).unwrap();
        assert!(matches!(parse_text(&command.to_string()), ParsedMessage::Command(_)), "{command}");
    }
    for wrong in [
        json!({"action": "subscribe", "symbols": []}),
        json!({"action": "subscribe", "symbols": ["A"], "channels": "trade"}),
        json!({"action": "subscribe", "symbols": ["A"], "after": "k3f9"}),
        json!({"action": "set", "delivery": "all"}),
        json!({"action": "set", "interval_ms": 60_001}),
        json!({"action": "auth"}),
        json!({"action": "ping", "time": 1}),
        json!({"action": "ping", "id": true}),
    ] {
        assert!(check.check_tagged("action", "Command", &wrong).is_err(), "{wrong}");
        assert!(matches!(parse_text(&wrong.to_string()), ParsedMessage::Error(..)), "{wrong}");
    }
    let commands = check.names("Command");
    assert_eq!(commands.len(), 5, "{commands:?}");
    assert_eq!(check.missing(commands), [""; 0]);
}

#[test]
fn all_examples_have_the_form_of_their_schemas() {
    let mut schemas = Schemas::default();
    for (reference, ..) in commands::websocket(&mut schemas) {
        assert!(schemas.example(&reference.1).is_object(), "{reference:?}");
    }
    for frame in frames::stream_frames(&mut schemas).iter().chain(&frames::answers(&mut schemas)) {
        assert!(schemas.example(&frame.1).is_object(), "{frame:?}");
    }

    assert!(SchemaCheck::new(schemas.into_value()).check_examples() > 20);
}
