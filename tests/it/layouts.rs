//! The layouts, as people have them: each case in `layouts/` is a file in the form of its source, and its events.
//!
//! `== layout: path` begins a case, and the lines behind it are the file. `-> ` begins a line that `cat` prints, `!! `
//! what is said of a file that is refused, `?? ` a setting of `[feed.replay]`, `// ` a remark; behind `++ path` stands a
//! file that lies beside the first. A path through an archive, as `a.zip/b.csv`, is a member of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use tickerplant::feed::replay::{Config, LAYOUTS, Replay};
use tickerplant::feed::{Input, Skipped};
use tickerplant::files;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const LINE_BYTES: usize = 64 * 1024;

/// A file, and what a replay makes of it.
#[derive(Default)]
struct Case {
    place: String,
    layout: String,
    /// The file and those beside it, by path.
    files: Vec<(String, String)>,
    settings: String,
    /// What is expected: the layout's name and the lines of `cat`, or the words of a refusal.
    expected: String,
}

#[test]
fn the_files_of_every_source_are_read_as_they_are_meant() {
    let wrong: Vec<String> = cases().iter().filter_map(Case::fault).collect();

    assert!(wrong.is_empty(), "{} cases differ\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_layout_has_a_case() {
    let cases: BTreeSet<String> = cases().into_iter().map(|case| case.layout).collect();

    let without: Vec<&str> =
        LAYOUTS.iter().map(|entry| entry.name).filter(|name| !cases.contains(*name)).collect();

    assert!(without.is_empty(), "{without:?} have no case in tests/it/layouts");
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/layouts");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        for (line, number) in fs::read_to_string(&path).unwrap().lines().zip(1..) {
            if let Some((layout, path)) = line.strip_prefix("== ").and_then(|line| line.split_once(": ")) {
                let (place, layout) = (format!("{name}:{number}"), layout.to_owned());
                let files = vec![(path.to_owned(), String::new())];
                cases.push(Case { place, layout, files, ..Case::default() });
            } else if let Some(case) = cases.last_mut() {
                case.take_in(line);
            }
        }
    }
    cases
}

impl Case {
    fn take_in(&mut self, line: &str) {
        let file = self.files.last_mut().expect("a case begins with its file");
        let (text, line) = match line.get(..3) {
            Some("-> " | "!! ") => (&mut self.expected, line),
            Some("?? ") => (&mut self.settings, &line[3..]),
            Some("++ ") => return self.files.push((line[3..].to_owned(), String::new())),
            Some("// ") => return,
            _ => (&mut file.1, line),
        };
        text.extend([line, "\n"]);
    }

    /// What differs from what is expected.
    fn fault(&self) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in &self.files {
            write(&folder.path().join(path), content.trim_end_matches('\n'));
        }
        let path = folder.path().join(&self.files[0].0);
        let file = path.ancestors().find(|path| path.is_file()).unwrap().to_owned();
        let config = Config { files: vec![file], ..toml::from_str(&self.settings).unwrap() };
        let (layout, found) = read(&config);
        let is_right = match self.expected.strip_prefix("!! ") {
            Some(words) => found.contains(words.trim_end()) && found.contains(&self.layout),
            None => layout == self.layout && found == self.expected,
        };
        (!is_right).then(|| format!("{} {} is {layout}\n{found}", self.place, self.files[0].0))
    }
}

/// The layout's name, and the lines of `cat` or the error.
fn read(config: &Config) -> (String, String) {
    let replay = match Replay::open(config, &Input { line_bytes: LINE_BYTES, skipped: Skipped::default() }) {
        Ok(replay) => replay,
        Err(error) => return ("refused".to_owned(), format!("!! {error}\n")),
    };
    let layouts = replay.inspect().map(|inspection| inspection.unwrap().layout);
    let mut lines = Vec::new();
    files::cat(config, LINE_BYTES, &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let found: Vec<String> = lines.lines().map(|line| format!("-> {line}\n")).collect();
    (layouts.collect::<Vec<_>>().join(" "), found.concat())
}

/// Writes a file, or an archive where one is in its path.
fn write(path: &Path, content: &str) {
    let folder = path.parent().unwrap();
    if folder.extension().is_none_or(|ending| ending != "zip") {
        fs::create_dir_all(folder).unwrap();
        return fs::write(path, content).unwrap();
    }
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let mut archive = ZipWriter::new(File::create(folder).unwrap());
    let member = path.file_name().unwrap().to_str().unwrap();
    archive.start_file(member, SimpleFileOptions::default()).unwrap();
    archive.write_all(content.as_bytes()).unwrap();
    archive.finish().unwrap();
}
