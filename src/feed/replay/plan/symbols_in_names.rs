//! Checks that the names of two instruments' files do not give the same symbol.

use std::collections::HashMap;

use tracing::warn;

use super::super::path;
use super::Plan;
use crate::feed::error::FeedError;
use crate::market::{Symbol, Time};

/// The symbols that were found in the names of files, each with its files.
#[derive(Debug, Default)]
pub struct SymbolsInNames {
    files: HashMap<Symbol, Vec<FileName>>,
}

#[derive(Debug)]
struct FileName {
    path: String,
    /// The kind of rows, such as bars.
    kind: &'static str,
    words: Vec<String>,
    /// The numbers that are neither dates nor the length of the file's bars.
    numbers: Vec<String>,
    /// The times of the first and the last row.
    span: Option<(Time, Time)>,
}

impl SymbolsInNames {
    /// Adds files. Files with the same symbol in their names must be of one instrument: the names may differ
    /// in a date, a period or the mark of a copy. They may differ in other numbers if the files are parts, whose
    /// times do not overlap. Logs a warning if the times of two files of one kind overlap.
    ///
    /// # Errors
    ///
    /// Returns an error for the first file whose name differs in other words.
    pub(in crate::feed::replay) fn add(&mut self, plans: &[Plan]) -> Result<(), FeedError> {
        for plan in plans {
            let Some(symbol) = plan.symbol_in_name() else { continue };
            let name = FileName::of(plan);
            let others = self.files.entry(symbol.clone()).or_default();
            if let Some(other) = others.iter().find(|other| !other.is_of_one_instrument(&name)) {
                let (path, other) = (name.path.into(), other.path.clone().into());
                return Err(FeedError::SymbolOfTwoFiles { path, other, symbol: symbol.clone() });
            }
            if let Some(other) = others.iter().find(|other| other.kind == name.kind && other.overlaps(&name))
            {
                let (path, other) = (&name.path, &other.path);
                warn!(%symbol, "the times of {path} and {other} overlap, and both give one symbol (set it by --symbol)");
            }
            others.push(name);
        }
        Ok(())
    }
}

impl FileName {
    fn of(plan: &Plan) -> Self {
        let path = plan.part.virtual_path();
        let is_length = |number: &&str| number.parse().ok() == plan.minutes_between_rows;
        Self {
            path: plan.part.to_string(),
            kind: plan.layout.values.name(),
            words: path::distinct_words(&path),
            numbers: path::numbers(&path)
                .into_iter()
                .filter(|number| !is_length(number))
                .map(str::to_owned)
                .collect(),
            span: plan.scan.times.span,
        }
    }

    fn is_of_one_instrument(&self, other: &Self) -> bool {
        self.words == other.words && (self.numbers == other.numbers || !self.overlaps(other))
    }

    /// Returns whether some times are between the times of both files. Parts of one file may share one time.
    fn overlaps(&self, other: &Self) -> bool {
        let spans = self.span.zip(other.span);
        spans.is_some_and(|(one, other)| one == other || one.0 < other.1 && other.0 < one.1)
    }
}
