//! Tests that a replay reads the CSV layouts of many vendors. Each test case in `layouts/` contains a file as
//! its vendor writes it, and the events that a replay must read.
//!
//! Each line of a test case is a line of the file, or begins with one of these marks:
//!
//! - `== layout: path` begins a test case for a file with this layout and path.
//! - `-> ` is followed by a line that the command `cat` must print for the file.
//! - `!! ` is followed by a part of the error message, if the replay must refuse the file.
//! - `~~ ` is followed by a part of a warning that the replay must give.
//! - `?? ` is followed by a setting of the replay, as in the section `[feed.replay]` of the configuration.
//! - `%% ` is followed by the character encoding of the file, if it is not UTF-8.
//! - `++ path` begins another file of the same test case.
//! - `** ` is followed by a line that is repeated thirty times. In the repeated lines, numbers in braces
//!   count up: `{01}` becomes `01` to `30`.
//! - `// ` is followed by a remark.
//!
//! The path of a file can lead into an archive: `a.zip/b.csv` is the member `b.csv` of the archive `a.zip`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use encoding_rs::Encoding;
use tickerplant::feed::replay::{Config, LAYOUTS, Replay};
use tickerplant::feed::{LineSettings, RejectCounters};
use tickerplant::files::{self, FilesError};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const LINE_BYTES: usize = 64 * 1024;
/// How often a line that follows the mark `** ` is repeated.
const REPEATED: u64 = 30;

/// A test case: a file, and the events or the error that a replay of the file must give.
#[derive(Default)]
struct Case {
    location: String,
    layout: String,
    /// The files of the case, each with its path and content. A replay reads the first file.
    files: Vec<(String, String)>,
    coding: Option<&'static Encoding>,
    settings: String,
    /// Parts of the warnings that the replay must give, one a line.
    warnings: String,
    /// The lines that `cat` must print, or a part of the error message, each with its mark.
    expected: String,
}

#[test]
fn the_files_of_every_vendor_are_read_right() {
    let wrong: Vec<String> = cases().iter().filter_map(Case::fault).collect();

    assert!(wrong.is_empty(), "{} cases differ\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_layout_has_a_case() {
    let cases: BTreeSet<String> = cases().into_iter().map(|case| case.layout).collect();

    let without: Vec<&str> =
        LAYOUTS.iter().map(|entry| entry.name).filter(|name| !cases.contains(*name)).collect();

    assert!(without.is_empty(), "{without:?} have no case in tests/it/files/layouts");
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/files/layouts");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        for (line, number) in fs::read_to_string(&path).unwrap().lines().zip(1..) {
            if let Some((layout, path)) = line.strip_prefix("== ").and_then(|line| line.split_once(": ")) {
                let (location, layout) = (format!("{name}:{number}"), layout.to_owned());
                let files = vec![(path.to_owned(), String::new())];
                cases.push(Case { location, layout, files, ..Case::default() });
            } else if let Some(case) = cases.last_mut() {
                case.take_in(line);
            }
        }
    }
    cases
}

impl Case {
    fn take_in(&mut self, line: &str) {
        if let Some(pattern) = line.strip_prefix("** ") {
            return (0..REPEATED).for_each(|count| self.take_in(&counted(pattern, count)));
        }
        let file = self.files.last_mut().expect("a case begins with its file");
        let (text, line) = match line.get(..3) {
            Some("-> " | "!! ") => (&mut self.expected, line),
            Some("~~ ") => (&mut self.warnings, &line[3..]),
            Some("?? ") => (&mut self.settings, &line[3..]),
            Some("++ ") => return self.files.push((line[3..].to_owned(), String::new())),
            Some("%% ") => return self.coding = Some(Encoding::for_label(&line.as_bytes()[3..]).unwrap()),
            Some("// ") => return,
            _ => (&mut file.1, line),
        };
        text.extend([line, "\n"]);
    }

    /// Runs the test case. Returns a description of a wrong result, or `None` if the result is right.
    fn fault(&self) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in &self.files {
            let content = content.trim_end_matches('\n');
            let coded = self.coding.map_or(content.as_bytes().into(), |coding| coding.encode(content).0);
            write(&folder.path().join(path), &coded);
        }
        let path = folder.path().join(&self.files[0].0);
        let file = path.ancestors().find(|path| path.is_file()).unwrap().to_owned();
        let config = Config { files: vec![file], ..toml::from_str(&self.settings).unwrap() };
        let (layout, warnings, found) = read(&config)
            .unwrap_or_else(|error| ("refused".to_owned(), String::new(), format!("!! {error}\n")));
        let is_right = match self.expected.strip_prefix("!! ") {
            Some(words) => found.contains(words.trim_end()) && found.contains(&self.layout),
            None => layout == self.layout && found == self.expected,
        };
        let is_warned = self.warnings.lines().all(|part| warnings.contains(part));
        (!is_right || !is_warned)
            .then(|| format!("{} {} is {layout}\n{warnings}{found}", self.location, self.files[0].0))
    }
}

/// Reads the files of a configuration. Returns the names of the files' layouts, their warnings, and the lines
/// that `cat` prints.
fn read(config: &Config) -> Result<(String, String, String), FilesError> {
    let replay = Replay::open(
        config,
        &LineSettings { line_bytes: LINE_BYTES, reject_counters: RejectCounters::default() },
    )?;
    let inspections = replay.inspect().collect::<Result<Vec<_>, _>>()?;
    let layouts: Vec<&str> = inspections.iter().map(|inspection| inspection.layout).collect();
    let warnings: Vec<String> = inspections
        .iter()
        .flat_map(|inspection| &inspection.warnings)
        .map(|text| format!("~~ {text}\n"))
        .collect();
    let mut lines = Vec::new();
    files::cat(config, LINE_BYTES, &mut lines)?;
    let lines = String::from_utf8(lines).unwrap();
    let found: Vec<String> = lines.lines().map(|line| format!("-> {line}\n")).collect();
    Ok((layouts.join(" "), warnings.concat(), found.concat()))
}

/// Adds `count` to each number in braces in `pattern`, and removes the braces.
fn counted(pattern: &str, count: u64) -> String {
    let count_up = |part: &str| {
        let counted = part.split_once('}').and_then(|(start, after)| {
            let number = start.parse::<u64>().ok()? + count;
            Some(format!("{number:0width$}{after}", width = start.len()))
        });
        counted.unwrap_or_else(|| format!("{{{part}"))
    };
    let mut parts = pattern.split('{');
    let begin = parts.next().unwrap_or_default().to_owned();
    begin + &parts.map(count_up).collect::<String>()
}

/// Writes a file. If the path leads into an archive, writes an archive that contains only this file.
fn write(path: &Path, content: &[u8]) {
    let folder = path.parent().unwrap();
    if folder.extension().is_none_or(|ending| ending != "zip") {
        fs::create_dir_all(folder).unwrap();
        return fs::write(path, content).unwrap();
    }
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let mut archive = ZipWriter::new(File::create(folder).unwrap());
    let member = path.file_name().unwrap().to_str().unwrap();
    archive.start_file(member, SimpleFileOptions::default()).unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap();
}
