//! Tests with arbitrary bytes on standard input. Bad lines must not stop the program, and the program's
//! memory must stay bounded. A process has only one standard input, so each test runs the built program.

use std::process::Stdio;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::mutated_text::mutated;
use crate::support::proptest_cases::cases;

/// If the program takes longer than this to read its input, the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

const GOOD: &str = r#"{"type":"trade","symbol":"GOOD","price":1}"#;

const EVENTS: [&str; 7] = [
    r#"{"type":"trade","symbol":"AAPL","seq":7,"time":"2024-01-03T09:30:00-05:00","price":184.250,"size":1e2}"#,
    r#"{"type":"quote","symbol":"EUR/USD","bid":1.1,"bid_size":100000,"ask":1.2,"ask_size":null}"#,
    r#"{"type":"bar","symbol":"A","time":"2262-04-11T23:47:16.854775807Z","interval":"1m","open":1,"close":-2.5e-3}"#,
    r#"{"type":"trade","symbol":"삼성전자","price":79228162514264337593543950335,"size":0.0000000000000000000000000001}"#,
    r#"{"type":"heartbeat","time":"2024-01-03T14:30:00Z","seq":3,"sent":1,"merged":0}"#,
    r#"{"type":"snapshot","symbol":"A","seq":1044,"trade":{"seq":1042},"day":{"open":183.9}}"#,
    r#"{"type":"trade","symbol":"\u0041\ud83d","price":"1"}"#,
];

/// Runs the program with this standard input. Returns the number of events in the input, and the program's
/// peak memory in KiB.
async fn read(input: Vec<u8>) -> (u64, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickerplant"));
    command.args(["--feed", "stdin", "--listen", "127.0.0.1:0", "--log", "info"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TICKERPLANT_")) {
        command.env_remove(name);
    }
    command.kill_on_drop(true).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let write = async move {
        // The write fails if the program has stopped reading. The log of the program shows the reason.
        let _ = stdin.write_all(&input).await;
    };
    let ended = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the program goes on");
            assert!(!line.contains("panicked"), "{line}");
            if let Some((_, events)) = line.split_once("the feed has ended events=") {
                return events.parse().unwrap();
            }
        }
    };
    let both = async { tokio::join!(write, ended) };
    let ((), events) = timeout(PATIENCE, both).await.expect("the feed ends");
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    (events, peak.trim().trim_end_matches(" kB").parse().unwrap())
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let open = "[\\[{\":a]{0,400}".prop_map(String::into_bytes);
    prop_oneof![
        2 => vec(any::<u8>(), 0..60),
        1 => open,
        1 => (65_530_usize..65_545).prop_map(|len| vec![b'{'; len]),
        12 => mutated(&EVENTS).prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn a_bad_line_stops_nothing(lines in vec(any_line(), 1..150)) {
        let mut input = Vec::new();
        for line in &lines {
            input.extend_from_slice(line);
            input.extend_from_slice(format!("\n{GOOD}\n").as_bytes());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

        let (events, _) = runtime.block_on(read(input));

        prop_assert!(events >= lines.len() as u64, "{} events of {} good lines", events, lines.len());
    }
}

#[tokio::test]
async fn an_endless_line_takes_no_more_memory_than_a_short_one() {
    let line = format!("{GOOD}\n");
    let endless = vec![b'{'; 64 << 20];

    let (_, usual) = read(line.clone().into_bytes()).await;
    let (events, peak) = read([line.as_bytes(), &endless, b"\n", line.as_bytes()].concat()).await;

    assert_eq!(events, 2);
    assert!(peak < usual + 8 * 1024, "{peak} KiB instead of {usual}");
}
