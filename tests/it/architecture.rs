//! Checks the rules of the crate's architecture. Modules must not import each other in a circle. The hub must
//! not mention the WebSocket protocol, and must not write JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// For each module, the modules that it may import.
const ALLOWED: [(&str, &[&str]); 24] = [
    ("exact_timer", &[]),
    ("fault", &[]),
    ("task", &[]),
    ("range", &[]),
    ("nearest", &[]),
    ("counters", &[]),
    ("market", &[]),
    ("wire", &["market", "nearest"]),
    ("encoding", &["wire", "market"]),
    ("contract", &["wire", "market"]),
    ("auth", &["wire", "market", "range"]),
    ("bus", &["market", "counters", "range"]),
    ("bars", &["bus", "fault", "market", "range"]),
    ("feed", &["bus", "fault", "market", "counters", "range", "task"]),
    ("cluster", &["bus", "exact_timer", "feed", "market", "range"]),
    ("hub", &["bus", "cluster", "exact_timer", "fault", "encoding", "wire", "market", "counters", "range"]),
    ("session", &["auth", "hub", "encoding", "wire", "market", "counters", "range"]),
    ("client", &[]),
    ("files", &["feed", "encoding", "market"]),
    (
        "server",
        &[
            "auth", "bars", "cluster", "session", "hub", "feed", "bus", "encoding", "wire", "market",
            "counters", "contract", "task", "fault", "range", "nearest",
        ],
    ),
    ("config", &["auth", "bars", "cluster", "server", "session", "hub", "feed", "bus", "range"]),
    ("app", &["auth", "bars", "cluster", "config", "server", "session", "hub", "feed", "bus", "task"]),
    ("cli", &["app", "config", "client", "files", "feed", "market", "nearest", "task"]),
    ("exit_code", &["cli", "app", "cluster", "config", "server", "client", "files", "feed", "task"]),
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
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module} is not in ALLOWED"));
        for imported in imports(&fs::read_to_string(&file).unwrap()) {
            if imported != module && !allowed.contains(&imported.as_str()) {
                faults.push(format!("{}: crate::{imported}", inside.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_hub_names_nothing_of_the_websocket_protocol_and_writes_no_json() {
    const FORBIDDEN: [&str; 8] =
        ["websocket", "6455", "tungstenite", "opcode", "serde_json", "json!", "{\\\"", "#\"{\""];
    let hub = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/hub");
    let mut faults = Vec::new();
    for file in files(&hub).into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let text = fs::read_to_string(&file).unwrap().to_lowercase();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        faults
            .extend(FORBIDDEN.iter().filter(|word| code.contains(**word)).map(|word| (file.clone(), *word)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn no_files_of_a_folder_import_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut circles = Vec::new();
    for folder in folders(&src) {
        let imports: BTreeMap<String, BTreeSet<String>> = sibling_imports(&folder);
        for module in imports.keys() {
            // A module must not import itself, directly or through others.
            let mut reached: BTreeSet<&String> = imports[module].iter().collect();
            let mut pending: Vec<&String> = reached.iter().copied().collect();
            while let Some(next) = pending.pop() {
                let more = imports.get(next).into_iter().flatten();
                pending.extend(more.filter(|one| reached.insert(one)));
            }
            if reached.contains(module) {
                circles.push(folder.join(module));
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

/// Returns the modules of a folder, each with the modules of the same folder that it imports. Leaves out
/// `mod.rs`, which may import all modules of the folder.
fn sibling_imports(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let is_module = |path: &PathBuf| !matches!(name(path).as_str(), "mod" | "lib" | "main" | "tests");
    let paths: Vec<PathBuf> = paths.filter(is_module).collect();
    let siblings: BTreeSet<String> = paths.iter().map(|path| name(path)).collect();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in &paths {
        let (files, super_path) = if path.is_dir() {
            (self::files(path), "super::super::")
        } else {
            (vec![path.clone()], "super::")
        };
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let imported = names_after(code, super_path).into_iter();
            let imported = imported.filter(|one| siblings.contains(one) && *one != name(path));
            imports.entry(name(path)).or_default().extend(imported);
        }
    }
    imports
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let inner = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    inner.flat_map(|path| folders(&path)).chain([folder.to_owned()]).collect()
}

/// Returns the modules whose names follow `crate::` in a source file. If `crate::` is followed by a list in
/// braces, returns each module of the list.
fn imports(text: &str) -> Vec<String> {
    names_after(text, "crate::")
}

/// Returns each name that follows `path` in a text.
fn names_after(text: &str, path: &str) -> Vec<String> {
    let name =
        |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    text.split(path)
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
