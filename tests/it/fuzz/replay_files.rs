//! Tests with arbitrary files. A replay must read each file to its end or fail with a reason, and its memory
//! must stay bounded.

use std::fs;
use std::iter;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use tempfile::TempDir;
use tickerplant::bus::{self, Bus, Read, Segment};
use tickerplant::encoding::{self, Body, Encoding};
use tickerplant::feed::{self, Speed, schedule};
use tickerplant::market::{Event, FeedKind, FeedState};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::proptest_cases::cases;

/// If a replay takes longer than this, the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file with one event at the last possible time. In a replay together with another file, this event comes
/// last.
const LAST: &str = "time,symbol,price\n9223372036854775807,LAST,1\n";

const FILES: [&str; 10] = [
    "time,symbol,price,size\n2024-01-03T14:30:00Z,AAPL,184.25,100\n2024-01-03T14:30:01.5Z,MSFT,402.5,\n",
    "Date,Open,High,Low,Close,Adj Close,Volume\r\n2024-01-03,184.2,184.9,183.5,184.25,184.2,1204000\r\n\r\n",
    "timestamp;symbol;bid;bid_size;ask;ask_size;price\n1704292200000;\"A\";1.1;5;1.2;6;1.15\n1704292200001;B;1;;2;;\n",
    "ts_event\trtype\topen\thigh\tlow\tclose\tvolume\tsymbol\n1704292200000000000\t33\t1\t2\t1\t189530000000\t7\tES\n",
    "date,time,close,interval\n2024-01-03,09:30,5,1m\n20240104,093000,-5.5e-3,4h\n1969-12-31,23:59:59.999999999,0,x\n",
    "\u{feff}# a comment\nunix,price\n-315619.5,1e28\n99999999999,1\n99999999999999,1\n253402300799,0.0000000000000000000000000001\n",
    "time,price\n1704292203,1\n1704292202,1\n1704292201,1\n1704292202,1\n",
    "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n2024-01-03,10:00:00+09:00,1,2,0.5,1,9\n",
    "ts_event,price,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,rtype\n1704292200,9223372036854775807,1,2,3,4,1\n",
    "time,name,last\n2024-01-03 14:30,\"NIFTY \"\"50\"\"\",1\n2024-01-03 14:31,삼성전자,71000\n",
];

/// The byte sequences that [`mutated`] inserts at random places.
const SPICE: [&[u8]; 26] = [
    b"\"",
    b"\"\"",
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"#",
    b"-",
    b".",
    b"e",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"79228162514264337593543950335",
    b"1e-28",
    b"1e999999999999",
    b"1677-09-21T00:12:43.145224192Z",
    b"2262-04-12",
    b"-009999-01-01",
    b"2024-02-30",
    b"24:00:60.9999999999",
    b"[Europe/Berlin]",
    b"time,price\n",
];

/// Generates a changed copy of one of [`FILES`]: parts are removed, doubled, replaced or inserted at random.
/// Some parts are inserted thousands of times.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let times = prop_oneof![8 => 1_usize..4, 1 => 60..3000_usize, 1 => Just(70_000_usize)];
    let change = (any::<[Index; 2]>(), 0..4_u8, select(&SPICE[..]), times);
    (select(&FILES[..]), vec(change, 0..6)).prop_map(|(file, changes)| {
        let mut file = file.as_bytes().to_vec();
        for (places, what, spice, times) in changes {
            let mut ends = places.map(|place| place.index(file.len() + 1));
            ends.sort_unstable();
            let [from, to] = ends;
            match what {
                0 => drop(file.drain(from..to)),
                1 => file.splice(to..to, file[from..to].to_vec()).for_each(drop),
                2 => file.splice(from..to, spice.to_vec()).for_each(drop),
                _ => file.splice(from..from, spice.repeat(times)).for_each(drop),
            }
        }
        file
    })
}

fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let behind_a_header =
        vec(any::<u8>(), 0..200).prop_map(|bytes| [b"time,price\n", bytes.as_slice()].concat());
    prop_oneof![1 => vec(any::<u8>(), 0..200), 2 => behind_a_header, 9 => mutated()]
}

/// Writes files with these contents to a new folder. Returns the folder, and the configuration of a feed that
/// replays the files.
fn files(contents: &[&[u8]]) -> (TempDir, feed::Config) {
    let folder = tempfile::tempdir().unwrap();
    let write = |(number, content)| {
        let path: PathBuf = folder.path().join(format!("{number}.csv"));
        fs::write(&path, content).unwrap();
        path
    };
    let files = contents.iter().enumerate().map(write).collect();
    let symbol = Some("X".to_owned());
    let replay = feed::replay::Config { files, symbol, ..feed::replay::Config::default() };
    let clock = schedule::Config { speed: Speed::Max, ..schedule::Config::default() };
    (folder, feed::Config { kind: FeedKind::Replay, clock, replay, ..feed::Config::default() })
}

/// Returns a bus whose history is large enough for all events of any test file.
fn large_bus() -> Arc<Bus> {
    let size = NonZeroUsize::new(1 << 30).unwrap();
    Bus::new(&bus::Config { history: size, history_bytes: size }, FeedKind::Replay, "test".to_owned())
}

/// Replays the files. Returns all events that were published, and the reason if the replay failed.
async fn replayed(config: &feed::Config) -> (Vec<Event>, Option<String>) {
    let (mut events, mut failure) = (Vec::new(), None);
    let feed = match feed::open(config) {
        Ok(feed) => feed,
        Err(error) => return (events, Some(error.in_full())),
    };
    let bus = large_bus();
    feed::pump(feed, Arc::clone(&bus), CancellationToken::new()).await;
    let (mut reader, _) = bus.reader("test");
    for read in iter::from_fn(|| reader.try_next()) {
        let Read::Segment(segment) = read else { panic!("the bus holds all") };
        match &*segment {
            Segment::Events { events: more, .. } => events.extend_from_slice(more),
            Segment::FeedState { state: FeedState::Failed { detail }, .. } => failure = Some(detail.clone()),
            Segment::FeedState { .. } | Segment::Seek { .. } => {}
        }
    }
    (events, failure)
}

fn check(content: &[u8]) -> Result<(), TestCaseError> {
    let (_folder, config) = files(&[content, LAST.as_bytes()]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let all = runtime.block_on(async { timeout(PATIENCE, replayed(&config)).await });
    let (events, failure) = all.map_err(|_| TestCaseError::fail("the replay hangs"))?;
    if let Some(text) = failure {
        prop_assert!(text.len() < 1500 && !text.contains(char::is_control), "{:?}", text);
        prop_assert!(!text.contains("has panicked"), "{:?}", text);
        return Ok(());
    }
    prop_assert_eq!(events.last().map(|event| event.symbol.as_str()), Some("LAST"));
    prop_assert!(events.is_sorted_by_key(|event| event.time));
    prop_assert!(events.len() <= content.len() + 1);
    for event in &events {
        let mut frame = Vec::new();
        Encoding::Ndjson(Body::UntilClose).write(&mut frame, &encoding::Value::Event(1, event));
        prop_assert!(serde_json::from_slice::<Value>(&frame).is_ok(), "{:?}", event);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_file_is_read_to_its_end_or_refused_in_one_line(content in any_file()) {
        check(&content)?;
    }
}

#[test]
fn a_file_of_one_endless_line_takes_no_more_memory_than_a_short_one() {
    let endless = vec![b'9'; 8 << 20];
    let open = |content: &[u8]| {
        let (_folder, config) = files(&[content]);
        allocation_counter::measure(|| drop(feed::open(&config))).bytes_max
    };

    let header = open(&endless);
    let row = open(&[b"time,price\n1704292201,1\n1704292202,", endless.as_slice()].concat());
    let quoted = open(&[b"time,price\n1704292201,1\n1704292202,\"", endless.as_slice(), b"\"\n"].concat());

    assert!(header.max(row).max(quoted) < 1 << 20, "{header} {row} {quoted}");
}
