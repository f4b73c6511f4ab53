//! Tests with real market data files. The tests compare the results of `inspect` and `cat` with the results
//! of an independent reader.

use std::collections::BTreeMap;
use std::fs;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tickerplant::market::Time;

use crate::support::history_folder::history_folder;
use crate::support::process::{run, tickerplant};

/// The flags for each file that cannot be read without flags. Such a file has no symbol, or its dates do not
/// show the order of day and month.
const GIVEN: [(&str, &[&str]); 4] = [
    ("nasdaq/HistoricalData.csv", &["--symbol", "AAPL"]),
    ("backtrader/2006-min-005.txt", &["--symbol", "FESX"]),
    ("backtrader/ticksample.csv", &["--symbol", "TICK"]),
    ("backtrader/bidask.csv", &["--symbol", "QUOTE", "--date-order", "mdy"]),
];

/// What a reader found in a file: a map from the name of each result to its value. Each price, size
/// or sum is a string without unnecessary zeros, such as `1.5` for 1.50.
type Reading = BTreeMap<&'static str, Value>;

#[tokio::test]
async fn real_files_read_as_an_independent_reading_says() {
    let Some(folder) = history_folder() else { return };
    let expected: BTreeMap<String, Value> =
        serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut table: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut wrong = Vec::new();

    for (name, file) in &expected {
        let level = file["need"].as_str().unwrap();
        let given = GIVEN.iter().find(|(of, _)| of == name).map_or(&[][..], |(_, given)| given);
        let path = folder.join(name).display().to_string();
        let found = inspected(&path, given).await;
        let differs = match &found {
            Ok(found) => differences(found, &expectation(file)),
            Err(error) => vec![error.clone()],
        };
        let zoned = in_its_zone(&path, given, file).await;
        let counts = table.entry(level).or_default();
        counts[usize::from(!(differs.is_empty() && zoned.is_empty()))] += 1;
        wrong.extend(differs.iter().chain(&zoned).map(|fault| format!("{name}: {fault}")));
    }

    println!("{:<8} {:>5} {:>5}", "level", "right", "wrong");
    for (level, [right, wrong]) in &table {
        println!("{level:<8} {right:>5} {wrong:>5}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Reads a file with `inspect --json` and `cat`. Returns what the commands found, and the sums of all prices
/// and of all sizes.
async fn inspected(path: &str, given: &[&str]) -> Result<Reading, String> {
    let output = async |command: &[&str]| {
        let arguments: Vec<&str> = command.iter().chain(&[path]).chain(given).copied().collect();
        let (code, output, errors) = run(tickerplant(&arguments)).await;
        if code == 0 { Ok(output) } else { Err(format!("{command:?} ends with {code}: {errors}")) }
    };
    let said: Value = serde_json::from_str(&output(&["inspect", "--json"]).await?).unwrap();
    let events = output(&["cat"]).await?;
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum = |fields: &[&str]| -> Value {
        let numbers =
            events.iter().flat_map(|event| fields.iter().filter_map(|field| number(&event[*field])));
        json!(numbers.sum::<Decimal>().normalize().to_string())
    };
    Ok([
        ("kind", said["kind"].clone()),
        ("rows", said["rows"].clone()),
        ("events", said["events"].clone()),
        ("skipped", said["skipped"].clone()),
        ("order", said["order"].clone()),
        ("symbols", said["symbols"].clone()),
        ("first", plain(&said["first"])),
        ("last", plain(&said["last"])),
        ("first line", events.first().map(plain).unwrap_or_default()),
        ("last line", events.last().map(plain).unwrap_or_default()),
        ("lines", json!(events.len())),
        ("prices", sum(&["price", "close", "bid", "ask"])),
        ("sizes", sum(&["size", "volume", "bid_size", "ask_size"])),
    ]
    .into())
}

fn expectation(file: &Value) -> Reading {
    [
        ("kind", file["kind"].clone()),
        ("rows", file["rows"].clone()),
        ("events", file["quotes"].clone()),
        ("skipped", file["skipped"].clone()),
        ("order", file["order_in_file"].clone()),
        ("symbols", file["symbol_counts"].clone()),
        ("first", expected_event(&file["first"])),
        ("last", expected_event(&file["last"])),
        ("first line", expected_event(&file["first"])),
        ("last line", expected_event(&file["last"])),
        ("lines", file["quotes"].clone()),
        ("prices", file["price_sum"].clone()),
        ("sizes", file["size_sum"].clone()),
    ]
    .into()
}

fn differences(found: &Reading, expected: &Reading) -> Vec<String> {
    let differ = expected.iter().filter(|(what, value)| found[*what] != **value);
    differ.map(|(what, value)| format!("{what} is {}, not {value}", found[what])).collect()
}

/// Reads a file in its vendor's time zone, and compares the times of its first and last event with the
/// expected times. Returns the differences.
async fn in_its_zone(path: &str, given: &[&str], file: &Value) -> Vec<String> {
    let (Some(zone), Some(first)) = (file["zone"].as_str(), file["first"]["ts_zone_ns"].as_i64()) else {
        return Vec::new();
    };
    let last = file["last"]["ts_zone_ns"].as_i64().unwrap();
    let arguments: Vec<&str> =
        ["inspect", "--json", path, "--tz", zone].iter().chain(given).copied().collect();
    let (_, output, errors) = run(tickerplant(&arguments)).await;
    let Ok(said) = serde_json::from_str::<Value>(&output) else { return vec![errors] };
    let found = [nanos(&said["first"]), nanos(&said["last"])];
    if found == [first, last] { Vec::new() } else { vec![format!("in {zone} it runs from {found:?}")] }
}

fn nanos(event: &Value) -> i64 {
    event["time"].as_str().unwrap().parse::<Time>().unwrap().as_nanos()
}

/// Returns the fields of an event that the program printed, except the fields `type` and `interval`. Each
/// price or size is a string without unnecessary zeros, such as `1.5` for 1.50.
fn plain(event: &Value) -> Value {
    let Some(fields) = event.as_object() else { return Value::Null };
    let fields = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "type" | "interval"));
    let plain = fields.map(|(name, value)| match name.as_str() {
        "time" => ("nanos".to_owned(), json!(nanos(event))),
        "symbol" => (name.clone(), value.clone()),
        _ => (name.clone(), json!(number(value).unwrap().normalize().to_string())),
    });
    Value::Object(plain.collect())
}

fn expected_event(event: &Value) -> Value {
    let fields = event.as_object().unwrap().iter().filter_map(|(name, value)| match name.as_str() {
        "ts_utc" | "ts_zone" | "ts_zone_ns" => None,
        "ts_utc_ns" => Some(("nanos".to_owned(), value.clone())),
        _ => value.as_str().map(|_| (name.clone(), value.clone())),
    });
    Value::Object(fields.collect())
}

/// Parses a JSON number as a decimal. The result is exact for numbers of up to 15 digits, and no number in
/// the test files has more digits.
fn number(value: &Value) -> Option<Decimal> {
    value.as_number().map(|number| Decimal::from_str_exact(&number.to_string()).unwrap())
}
