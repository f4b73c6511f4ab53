//! Tests with arbitrary files, packed and unpacked, read with arbitrary settings. A replay must read each file to
//! its end or fail with a reason, and its memory must stay bounded. A file that is read twice must give the same
//! events, and `inspect` must count them.

use std::fs;
use std::io::{Cursor, Write};
use std::iter;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use tempfile::TempDir;
use tickerplant::bus::{self, Bus, Read, Segment};
use tickerplant::encoding::{self, Body, Encoding};
use tickerplant::feed::replay::{Config, Replay};
use tickerplant::feed::{self, FeedError, LineSettings, RejectCounters, Speed, schedule};
use tickerplant::market::{Event, FeedKind, FeedState};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::proptest_cases::cases;

/// If a replay takes longer than this, the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file with one event at the last possible time. In a replay together with another file, this event comes
/// last.
const LAST: &str = "time,symbol,price\n9223372036854775807,LAST,1\n";

const FILES: [&str; 30] = [
    "time,symbol,price,size\n2024-01-03T14:30:00Z,AAPL,184.25,100\n2024-01-03T14:30:01.5Z,MSFT,402.5,\n",
    "Date,Open,High,Low,Close,Adj Close,Volume\r\n2024-01-03,184.2,184.9,183.5,184.25,184.2,1204000\r\n\r\n",
    "timestamp;symbol;bid;bid_size;ask;ask_size;price\n1704292200000;\"A\";1.1;5;1.2;6;1.15\n1704292200001;B;1;;2;;\n",
    "ts_event\trtype\topen\thigh\tlow\tclose\tvolume\tsymbol\n1704292200000000000\t33\t189100000000\t189600000000\t189000000000\t189530000000\t7\tES\n",
    "date,time,close,interval\n2024-01-03,09:30,5,1m\n20240104,093000,-5.5e-3,4h\n1969-12-31,23:59:59.999999999,0,x\n",
    "\u{feff}# a comment\nunix,price\n-315619.5,1e28\n99999999999,1\n99999999999999,1\n253402300799,0.0000000000000000000000000001\n",
    "time,price\n1704292203,1\n1704292202,1\n1704292201,1\n1704292202,1\n",
    "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n2024-01-03,10:00:00,1,2,0.5,1,9\n",
    "ts_event,price,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,rtype\n1704292200,9223372036854775807,1,2,3,4,1\n",
    "time,name,last\n2024-01-03 14:30,\"NIFTY \"\"50\"\"\",1\n2024-01-03 14:31,삼성전자,71000\n",
    // Files without a header, each of another shape.
    "2024-01-03,184.2,184.9,183.5,184.25,1204000\n2024-01-04,184.3,185.0,184.1,184.9,1104000\n",
    "1704153600000,44183.2,44196.1,44180,44190.5,11.25,1704153659999,497000.5,120,5.5,243000.1,0\n",
    "20240103 093000,184.2,184.9,183.5,184.25,1204\n20240103 093100,184.3,185.0,184.1,184.9,1104\n",
    "01/03/2024,09:30:00,184.25,184.24,184.26,100\n01/03/2024,09:30:01,184.26,184.25,184.27,50\n",
    "34200000,1842500,1849000,1835000,1842500,1204\n34260000,1842500,1850000,1841000,1849000,1104\n",
    "EURUSD,2024.01.03 14:30:00.123,1.09421,1.09423\nEURUSD,2024.01.03 14:30:00.623,1.09422,1.09424\n",
    "1,184.25,100,18425,1704292200000,true,true\n2,184.26,50,9213,1704292200500,false,true\n",
    // Local times: the skipped hour of spring, and the repeated hour of autumn.
    "time,symbol,close\n2024-03-10 01:59:59,A,1\n2024-03-10 02:30:00,A,2\n2024-03-10 03:00:00,A,3\n",
    "time,symbol,close\n2024-11-03 00:30,A,1\n2024-11-03 01:30,A,2\n2024-11-03 01:30,B,2\n2024-11-03 01:30,A,3\n",
    "time,price\n2024-10-27T03:00:00+01:00,1\n2024-10-27 02:30:00.5,2\n2024-10-27T02:30:00+00:00,3\n",
    // A session that begins on the evening before its date.
    "date,time,symbol,price,size\n2024-01-03,18:00:01,ES,1,1\n2024-01-03,23:59:58,ES,2,1\n2024-01-03,00:00:02,ES,3,1\n",
    // Symbols of several columns: a pair, and the contracts of an option.
    "time,base,quote,price\n2024-01-03 09:30,BTC,USD,1\n2024-01-03 09:30,BTC,EUR,2\n2024-01-03 09:31,,USD,3\n",
    "date,symbol,expiry,strike,leg,close\n2024-01-03,NIFTY,25-Jan-2024,21500.00,CE,1\n2024-01-03,NIFTY,20240125,0,PE,2\n",
    // Several columns of times.
    "local_time,utc_time,price\n2024-01-03 09:30,2024-01-03 14:30,1\n2024-01-03 09:31,2024-01-03 14:31,2\n",
    "recv_time,exch_time,price\n2024-01-03 09:30:00.5,2024-01-03 09:30:00.1,1\n2024-01-03 09:31:00,2024-01-03 09:30:59,2\n",
    "unix,date,close\n1704292200,2024-01-03 09:30:00,1\n1704292260,2024-01-03 09:31:00,2\n",
    "year,month,day,hour,minute,close\n2024,1,3,9,30,1\n2024,02,30,24,60,2\n2024,12,31,,,3\n",
    "Date,Close\n2024-01-03,112'165\n2024-01-04,112-16+\n2024-01-05,112'317\n2024-01-06,112.5\n",
    // Statements of accounts.
    "Date,Action,Symbol,Quantity,Price,Status\n2024-01-03,Buy,KO,10,59.8,FILLED\n2024-01-04,Dividend,KO,10,0.46,\n",
    "time,symbol,side,level,price,size\n2024-01-03 09:30,KO,B,1,59.8,1\n2024-01-03 09:30,KO,B,2,59.7,2\n",
];

/// Settings with which the files are read, as in the section `[feed.replay]` of the configuration.
const SETTINGS: [&str; 15] = [
    "",
    "",
    "",
    "tz = \"America/New_York\"",
    "tz = \"Europe/Berlin\"\ndate_order = \"dmy\"",
    "tz = \"+05:30\"\nto = \"2024-01-03 14:30:01\"",
    "from = \"2024-01-03 14:30:01\"",
    "map = { time = 0, price = 1 }",
    "map = { time = \"date+time\", close = \"close\" }",
    "map = { time = 0, open = 1, high = 2, low = 3, close = 4, volume = \"-\" }",
    "delimiter = \",\"\nprice_scale = 4",
    "decimal = \"comma\"\nsort_rows = 2",
    "layout = \"lean-bars\"",
    "prices = \"32nds\"",
    "time_of_day = \"seconds\"",
];

/// How the content of a file is packed.
#[derive(Clone, Copy, Debug)]
enum Container {
    None,
    Gzip,
    /// The content is split into two members of the archive.
    Zip,
    Zstd,
}

/// A file, and the settings with which it is read.
#[derive(Clone, Debug)]
struct Input {
    content: Vec<u8>,
    settings: &'static str,
}

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

fn any_content() -> impl Strategy<Value = Vec<u8>> {
    let behind_a_header =
        vec(any::<u8>(), 0..200).prop_map(|bytes| [b"time,price\n", bytes.as_slice()].concat());
    prop_oneof![1 => vec(any::<u8>(), 0..200), 2 => behind_a_header, 9 => mutated()]
}

/// Generates a file. One in three is packed, and every second packed file is damaged: cut short, or with one
/// byte replaced.
fn any_input() -> impl Strategy<Value = Input> {
    let container = prop_oneof![
        6 => Just(Container::None),
        1 => Just(Container::Gzip),
        1 => Just(Container::Zip),
        1 => Just(Container::Zstd),
    ];
    let damage = (any::<Index>(), proptest::option::of(any::<u8>()));
    let damage = proptest::option::of(damage);
    (any_content(), container, damage, select(&SETTINGS[..])).prop_map(
        |(content, container, damage, settings)| {
            let mut content = packed(&content, container);
            let damage = damage.filter(|_| !matches!(container, Container::None));
            if let Some((place, byte)) = damage {
                let place = place.index(content.len());
                match byte {
                    Some(byte) => content[place] = byte,
                    None => content.truncate(place),
                }
            }
            Input { content, settings }
        },
    )
}

fn packed(content: &[u8], container: Container) -> Vec<u8> {
    match container {
        Container::None => content.to_vec(),
        Container::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Container::Zip => {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            let (first, second) = content.split_at(content.len() / 2);
            for (name, member) in [("a.csv", first), ("b.csv", second)] {
                writer.start_file(name, SimpleFileOptions::default()).unwrap();
                writer.write_all(member).unwrap();
            }
            writer.finish().unwrap().into_inner()
        }
        Container::Zstd => zstd::encode_all(content, 1).unwrap(),
    }
}

/// Writes files with these contents to a new folder. Returns the folder, and the configuration of a feed that
/// replays the files with the given settings. The files' names have a day, for files without dates.
fn files(contents: &[&[u8]], settings: &str) -> (TempDir, feed::Config) {
    let folder = tempfile::tempdir().unwrap();
    let write = |(number, content)| {
        let path: PathBuf = folder.path().join(format!("20240103_{number}.csv"));
        fs::write(&path, content).unwrap();
        path
    };
    let files = contents.iter().enumerate().map(write).collect();
    let symbol = Some("X".to_owned());
    let replay = Config { files, symbol, ..toml::from_str(settings).unwrap() };
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

fn check_replay(content: &[u8]) -> Result<(), TestCaseError> {
    let (_folder, config) = files(&[content, LAST.as_bytes()], "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let all = runtime.block_on(async { timeout(PATIENCE, replayed(&config)).await });
    let (events, failure) = all.map_err(|_| TestCaseError::fail("the replay hangs"))?;
    if let Some(text) = failure {
        return check_reason(&text);
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

/// Checks that a reason for which a file cannot be read is one line of text, and not a panic.
fn check_reason(text: &str) -> Result<(), TestCaseError> {
    prop_assert!(text.len() < 1500 && !text.contains(char::is_control), "{:?}", text);
    prop_assert!(!text.contains("has panicked"), "{:?}", text);
    Ok(())
}

/// Reads a file twice, and compares the events with each other and with the counts of `inspect`.
fn check_counts(input: &Input) -> Result<(), TestCaseError> {
    let (_folder, config) = files(&[&input.content], input.settings);
    let line_bytes = config.line_bytes;
    let lines = LineSettings { line_bytes, reject_counters: RejectCounters::default() };
    let read = || -> Result<_, FeedError> {
        let replay = Replay::open(&config.replay, &lines)?;
        let inspections = replay.inspect().collect::<Result<Vec<_>, _>>()?;
        let events = || replay.events()?.collect::<Result<Vec<Event>, _>>();
        Ok((inspections, events()?, events()?))
    };
    let (inspections, events, again) = match read() {
        Ok(read) => read,
        Err(error) => return check_reason(&error.in_full()),
    };
    prop_assert_eq!(&events, &again);
    prop_assert!(events.is_sorted_by_key(|event| event.time));
    prop_assert_eq!(inspections.iter().map(|inspection| inspection.events).sum::<u64>(), events.len() as u64);
    for found in &inspections {
        let rejected: u64 = found.rejected.iter().map(|(_, rows)| rows).sum();
        let good = found.rows.checked_sub(rejected);
        let good = good.ok_or_else(|| TestCaseError::fail("more rows are rejected than there are"))?;
        // A row with both a price and a bid or ask gives two events.
        prop_assert!((good..=2 * good).contains(&found.events), "{:?}", found);
        prop_assert_eq!(found.symbols.values().sum::<u64>(), found.events);
    }
    if let [found] = &inspections[..] {
        prop_assert_eq!((found.first.as_ref(), found.last.as_ref()), (events.first(), events.last()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_file_is_read_to_its_end_or_refused_in_one_line(content in any_content()) {
        check_replay(&content)?;
    }

    #[test]
    fn a_file_gives_the_same_events_when_it_is_read_again_and_inspect_counts_them(input in any_input()) {
        check_counts(&input)?;
    }
}

#[test]
fn a_file_of_one_endless_line_takes_no_more_memory_than_a_short_one() {
    let endless = vec![b'9'; 8 << 20];
    let open = |content: &[u8]| {
        let (_folder, config) = files(&[content], "");
        allocation_counter::measure(|| drop(feed::open(&config))).bytes_max
    };

    let header = open(&endless);
    let row = open(&[b"time,price\n1704292201,1\n1704292202,", endless.as_slice()].concat());
    let quoted = open(&[b"time,price\n1704292201,1\n1704292202,\"", endless.as_slice(), b"\"\n"].concat());

    assert!(header.max(row).max(quoted) < 1 << 20, "{header} {row} {quoted}");
}
