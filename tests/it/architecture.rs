//! The architecture's rule: imports go one way.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module may import those on its line.
const MAY: [(&str, &[&str]); 17] = [
    ("task", &[]),
    ("range", &[]),
    ("tally", &[]),
    ("market", &[]),
    ("wire", &["market", "tally"]),
    ("auth", &["wire", "market", "range"]),
    ("bus", &["market", "tally"]),
    ("feed", &["bus", "market", "tally", "range", "task"]),
    ("hub", &["bus", "wire", "market", "tally"]),
    ("session", &["auth", "hub", "bus", "wire", "market", "tally", "range"]),
    ("client", &[]),
    ("files", &["feed", "wire", "market"]),
    ("server", &["auth", "client", "session", "hub", "feed", "bus", "wire", "market", "tally", "range"]),
    ("config", &["auth", "server", "session", "hub", "feed", "bus", "wire", "market", "range"]),
    ("app", &["config", "server", "client", "session", "hub", "feed", "bus", "wire", "market"]),
    ("cli", &["app", "config", "client", "files", "feed", "market"]),
    ("exit_code", &["cli", "app", "config", "server", "client", "files", "feed"]),
];

#[test]
fn imports_go_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    for file in files(&src) {
        let inside = file.strip_prefix(&src).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let (_, may) =
            MAY.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{module} has no rule"));
        for imported in imports(&fs::read_to_string(&file).unwrap()) {
            if imported != module && !may.contains(&imported.as_str()) {
                faults.push(format!("{}: crate::{imported}", inside.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The modules that a file names behind `crate::`, in a list in braces too.
fn imports(text: &str) -> Vec<String> {
    let name =
        |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    text.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').map(name).collect(),
            None => vec![name(rest)],
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
