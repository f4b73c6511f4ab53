//! Expands a path to a list of files. The path may be a file, a folder or a pattern such as `*.csv`.

use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use tracing::warn;
use walkdir::WalkDir;

use crate::feed::error::FeedError;
use crate::feed::printable::printable;

/// The file-name extensions of market-data files. When a folder is replayed, its files with other extensions
/// are ignored.
const ENDINGS: [&str; 8] = ["csv", "txt", "tsv", "gz", "zip", "zst", "dat", "prn"];

/// Returns the files that a path stands for, sorted by name.
///
/// - A folder expands to the market-data files in the folder and its subfolders, recognized by their
///   extensions.
/// - A pattern expands to all files that match the pattern.
/// - A pattern may have `*`, `?`, `[…]`, `{…,…}`, and `**` for any number of folders.
/// - An existing path is never a pattern, even if it contains `*`, `?`, `[` or `{`.
///
/// # Errors
///
/// Returns an error if a folder has no market-data file, or if no file matches a pattern.
pub fn expand(path: &Path) -> Result<Vec<PathBuf>, FeedError> {
    let text = path.to_string_lossy();
    let none = |fault| Err(FeedError::NoSuchFiles { path: path.to_owned(), fault });
    if path.is_dir() {
        let is_data = |file: &Path| {
            let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
        };
        let files = below(path, usize::MAX, is_data);
        return if files.is_empty() { none("no file in it has an ending of market data") } else { Ok(files) };
    }
    if path.exists() || !text.contains(['*', '?', '[', '{']) {
        return Ok(vec![path.to_owned()]);
    }
    let glob = GlobBuilder::new(&text).literal_separator(true).build();
    let Ok(glob) = glob else { return none("it is not a valid pattern") };
    let matcher = glob.compile_matcher();
    let fixed =
        |part: &std::path::Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    let root: PathBuf = path.components().take_while(fixed).collect();
    let is_here = root.as_os_str().is_empty();
    // Without `**`, each part of the pattern matches one level of folders, so deeper folders are not
    // searched.
    let depth = path.components().count() - root.components().count();
    let depth = if text.contains("**") { usize::MAX } else { depth };
    let files = below(if is_here { Path::new(".") } else { &root }, depth, |file| {
        matcher.is_match(if is_here { file.strip_prefix(".").unwrap_or(file) } else { file })
    });
    if files.is_empty() { none("no file matches it") } else { Ok(files) }
}

/// Returns the files for which `is_wanted` is true, up to `depth` levels below a folder. Skips hidden files
/// and hidden folders. Logs a warning for each file or folder that cannot be read.
fn below(folder: &Path, depth: usize, is_wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let is_shown = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    };
    let walk = WalkDir::new(folder).max_depth(depth).follow_links(true).sort_by_file_name();
    let mut files = Vec::new();
    for entry in walk.into_iter().filter_entry(is_shown) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && is_wanted(entry.path()) => {
                files.push(entry.into_path());
            }
            Ok(_) => {}
            Err(error) => {
                warn!(error = printable(&error.to_string()), "ignored a folder or file that cannot be read");
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_a_folder_and_a_pattern_expand_to_files_sorted_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("2024")).unwrap();
        fs::create_dir(folder.path().join(".hidden")).unwrap();
        for name in ["b.csv", "a.csv.gz", "README.md", "2024/c.TXT", "[x].csv", ".hidden/d.csv", ".e.csv"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let meant = |name: &str| {
            let files = expand(&folder.path().join(name)).map_err(|error| error.to_string())?;
            let name = |file: &PathBuf| file.strip_prefix(folder.path()).unwrap().display().to_string();
            Ok::<_, String>(files.iter().map(name).collect::<Vec<_>>())
        };

        assert_eq!(meant("b.csv").unwrap(), ["b.csv"]);
        assert_eq!(meant("").unwrap(), ["2024/c.TXT", "[x].csv", "a.csv.gz", "b.csv"]);
        assert_eq!(meant("*.csv").unwrap(), ["[x].csv", "b.csv"]);
        assert_eq!(meant("**/*.{TXT,gz}").unwrap(), ["2024/c.TXT", "a.csv.gz"]);
        assert_eq!(meant("[x].csv").unwrap(), ["[x].csv"]);
        assert!(meant("*.parquet").unwrap_err().ends_with("no file matches it"));
        assert_eq!(meant("not-there.csv").unwrap(), ["not-there.csv"]);
    }
}
