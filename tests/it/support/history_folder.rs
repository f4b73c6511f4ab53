//! Finds the folder with real files of market history.
//!
//! The files belong to their owners and are not part of this project. The folder is `../shared/data/history`,
//! relative to the checkout. The environment variable `TICKERPLANT_HISTORY` can name another folder. If there
//! is no folder with files, the tests that need the files print a note and pass.

use std::env;
use std::path::{Path, PathBuf};

pub fn history_folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/history");
    let folder = env::var_os("TICKERPLANT_HISTORY").map_or(beside, PathBuf::from);
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    println!("skipped: no market data in {}", folder.display());
    None
}
