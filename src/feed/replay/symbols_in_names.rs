//! Checks that the names of two instruments' files do not give the same symbol.

use std::collections::HashMap;

use super::path;
use super::plan::Plan;
use crate::feed::error::FeedError;
use crate::market::Symbol;

/// The symbols that were found in the names of files, each with its first file.
#[derive(Debug, Default)]
pub struct SymbolsInNames {
    first_files: HashMap<Symbol, FileName>,
}

#[derive(Debug)]
struct FileName {
    path: String,
    words: Vec<String>,
}

impl SymbolsInNames {
    /// Adds files. Files with the same symbol in their names must be of one instrument: the names may differ
    /// in a date, a period or the mark of a copy.
    ///
    /// # Errors
    ///
    /// Returns an error for the first file whose name differs in other words.
    pub(super) fn add(&mut self, plans: &[Plan]) -> Result<(), FeedError> {
        for plan in plans {
            let Some(symbol) = plan.symbol_in_name() else { continue };
            let (path, words) = (plan.part.to_string(), path::distinct_words(&plan.part.virtual_path()));
            let first = self.first_files.entry(symbol.clone());
            let first = first.or_insert_with(|| FileName { path: path.clone(), words: words.clone() });
            if first.words != words {
                let (path, other) = (path.into(), first.path.clone().into());
                return Err(FeedError::SymbolOfTwoFiles { path, other, symbol: symbol.clone() });
            }
        }
        Ok(())
    }
}
