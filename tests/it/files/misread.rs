//! Tests that no file is wrong in silence: each file in `misread/` is read right, or it is refused with the true
//! reason, or a warning says what was assumed. The table `misread/cases.txt` says for each file what is right.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::process::{run, tickerplant};

/// A file, and what is right for it.
#[derive(Default)]
struct Case {
    /// The name of the case's folder.
    folder: String,
    /// The arguments of `inspect` and `cat`, which run in the folder.
    arguments: Vec<String>,
    /// The lists of events that are right.
    readings: Vec<Vec<Expected>>,
    /// Words of the errors with which the file may be refused.
    refusals: Vec<String>,
    /// Words of the warnings with which the events may be others.
    warnings: Vec<String>,
}

/// A line of a list of events.
enum Expected {
    Event(String),
    /// The number of events that the list leaves out here.
    Omitted(usize),
}

/// What the program does with a file.
enum Outcome {
    Right,
    Refused(String),
    Said(String),
    Wrong(String),
}

#[tokio::test]
async fn each_file_is_read_right_or_refused_or_what_was_assumed_is_said() {
    let mut faults = Vec::new();

    for case in cases() {
        let outcome = case.outcome().await;
        println!("{:<40} {outcome}", case.folder);
        if let Outcome::Wrong(fault) = outcome {
            faults.push(format!("{}: {fault}", case.folder));
        }
    }

    assert!(faults.is_empty(), "{} cases differ\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_table_has_each_folder() {
    let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let mut folders: Vec<String> = folders
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut listed: Vec<String> = cases().into_iter().map(|case| case.folder).collect();
    listed.sort();

    assert_eq!(listed, folders);
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/files/misread")
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in fs::read_to_string(folder().join("cases.txt")).unwrap().lines() {
        if let Some((folder, arguments)) = line.strip_prefix("== ").and_then(|line| line.split_once(": ")) {
            let arguments = shlex::split(arguments).unwrap();
            cases.push(Case { folder: folder.to_owned(), arguments, ..Case::default() });
        } else if let Some(case) = cases.last_mut() {
            case.take_in(line);
        }
    }
    cases
}

impl Case {
    fn take_in(&mut self, line: &str) {
        let Some((mark, text)) = line.split_once(' ') else {
            if line == "or" {
                self.readings.push(Vec::new());
            }
            return;
        };
        let expected = match mark {
            "->" => Expected::Event(plain(text)),
            ".." => Expected::Omitted(text.parse().unwrap()),
            "!!" => return self.refusals.push(text.to_owned()),
            "??" => return self.warnings.push(text.to_owned()),
            "//" => return,
            _ => panic!("{}: `{mark}` is not a mark", self.folder),
        };
        if self.readings.is_empty() {
            self.readings.push(Vec::new());
        }
        self.readings.last_mut().expect("there is a list").push(expected);
    }

    /// Runs `inspect` and `cat`, and compares what they print with what is right.
    async fn outcome(&self) -> Outcome {
        let run_in_folder = async |command: &[&str]| {
            let arguments = command.iter().copied().chain(self.arguments.iter().map(String::as_str));
            let mut program = tickerplant(&arguments.collect::<Vec<_>>());
            program.current_dir(folder().join(&self.folder));
            run(program).await
        };
        let (inspect_code, report, inspect_errors) =
            run_in_folder(&["inspect", "--json", "--log", "warn"]).await;
        let (code, events, errors) = run_in_folder(&["cat", "--log", "warn"]).await;
        let reason = errors.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        if inspect_code != code {
            return Outcome::Wrong(format!(
                "`cat` exits with {code}, `inspect` with {inspect_code}: {reason}"
            ));
        }
        if code != 0 {
            let is_clean = events.is_empty() && !reason.is_empty();
            return if is_clean && self.refusals.iter().any(|words| errors.contains(words.as_str())) {
                Outcome::Refused(reason.to_owned())
            } else {
                Outcome::Wrong(format!("refused with another reason: {reason}"))
            };
        }
        let events: Vec<String> = events.lines().map(plain).collect();
        let counted: u64 = report
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["events"].as_u64().unwrap())
            .sum();
        if counted != events.len() as u64 {
            return Outcome::Wrong(format!("inspect counts {counted} events, cat prints {}", events.len()));
        }
        if self.readings.iter().any(|reading| is_same(reading, &events)) {
            return Outcome::Right;
        }
        let said = [report, inspect_errors, errors].concat();
        match self.warnings.iter().find(|words| said.contains(words.as_str())) {
            Some(words) => Outcome::Said(words.clone()),
            None => Outcome::Wrong(format!("in silence, {} events: {}", events.len(), events.join(" "))),
        }
    }
}

/// Returns whether the events are those of the list.
fn is_same(list: &[Expected], events: &[String]) -> bool {
    let mut rest = events;
    for expected in list {
        let count = match expected {
            Expected::Event(event) if rest.first() == Some(event) => 1,
            Expected::Event(_) => return false,
            Expected::Omitted(count) => *count,
        };
        let Some(behind) = rest.get(count..) else { return false };
        rest = behind;
    }
    rest.is_empty()
}

/// Returns an event as `cat` prints it, without its interval and without zeros at the end of a number: both
/// may differ although the event is right.
fn plain(event: &str) -> String {
    let fields = event.trim_matches(['{', '}']).split(',').filter(|field| !field.starts_with("\"interval\""));
    let fields = fields.map(|field| {
        let is_decimal = field.contains('.') && field.ends_with(|last: char| last.is_ascii_digit());
        if is_decimal { field.trim_end_matches('0').trim_end_matches('.') } else { field }
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => f.write_str("right"),
            Self::Refused(reason) => write!(f, "refused  {reason}"),
            Self::Said(words) => write!(f, "said     {words}"),
            Self::Wrong(fault) => write!(f, "WRONG    {fault}"),
        }
    }
}
