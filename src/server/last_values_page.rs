//! Writes the answers of `/api/v1/symbols` and `/api/v1/snapshots` from the market state, in slices.
//!
//! A page of many symbols takes longer than a worker's thread may be busy. So the page is written in slices,
//! and the thread sends updates between two slices. Symbols keep their index in the market state. So each
//! slice continues with the index after the last symbol of the slice before.

use std::time::Instant;

use super::data_api::{Form, LastValuesRequest};
use crate::bus::{LastValueCache, SymbolValues};
use crate::encoding;
use crate::hub;
use crate::market::{Kind, Symbol};
use crate::wire::{ErrorCode, ErrorReply, quoted};

/// A slice reads the clock after this many symbols.
const SYMBOLS_A_CHECK: usize = 16;

/// A page of last values that is being written.
#[derive(Debug)]
pub struct LastValuesPage<'a> {
    request: &'a LastValuesRequest,
    out: Vec<u8>,
    /// The index of the next symbol: in the list of requested names, or in the last-value cache.
    position: usize,
    /// The number of symbols on the page so far.
    count: usize,
    /// The last symbol on the page so far.
    last: Option<Symbol>,
}

impl<'a> LastValuesPage<'a> {
    /// Begins a page.
    ///
    /// # Errors
    ///
    /// Returns an error if the symbol of `after` has no data. A symbol that the token does not allow gets the
    /// same error, so that nobody learns which symbols exist.
    pub fn begin(request: &'a LastValuesRequest, last_values: &LastValueCache) -> Result<Self, ErrorReply> {
        let position = match &request.after {
            None => 0,
            Some(after) => {
                let index = last_values.index_of(after).filter(|_| request.access.allows(after));
                let index = index.ok_or_else(|| {
                    let name = quoted(after.as_str());
                    let message = format!("`after` is {name}, which has no data; begin without `after`");
                    ErrorReply::new(ErrorCode::BadParameter, message)
                })?;
                index + 1
            }
        };
        let head: &[u8] = match request.form {
            Form::Summary => b"{\"symbols\":[",
            Form::Snapshot => b"{\"snapshots\":{",
        };
        Ok(Self { request, out: head.to_vec(), position, count: 0, last: None })
    }

    /// Writes symbols until the page is complete, or until `end`. Returns whether the page is complete.
    pub fn write(&mut self, last_values: &LastValueCache, end: Instant) -> bool {
        loop {
            for _ in 0..SYMBOLS_A_CHECK {
                if !self.has_next(last_values) {
                    self.finish(false);
                    return true;
                }
                if self.count == self.request.limit {
                    self.finish(true);
                    return true;
                }
                self.write_next(last_values);
            }
            if Instant::now() >= end {
                return false;
            }
        }
    }

    /// Returns the complete page.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn has_next(&self, last_values: &LastValueCache) -> bool {
        self.position < self.request.names.as_ref().map_or(last_values.len(), Vec::len)
    }

    /// Writes the next symbol. Writes nothing if the symbol has no data, or if the token does not allow it.
    fn write_next(&mut self, last_values: &LastValueCache) {
        let index = match &self.request.names {
            None => Some(self.position),
            Some(names) => last_values.index_of(&names[self.position]),
        };
        self.position += 1;
        let Some(index) = index else { return };
        let Some((symbol, values)) = last_values.get_index(index) else { return };
        if !self.request.access.allows(symbol) {
            return;
        }
        if self.count > 0 {
            self.out.push(b',');
        }
        match self.request.form {
            Form::Summary => write_summary(&mut self.out, symbol, values),
            Form::Snapshot => {
                let snapshot = hub::snapshot(last_values, index).expect("the symbol has this index");
                // The characters of a symbol need no escape in JSON.
                self.out.push(b'"');
                self.out.extend_from_slice(symbol.as_str().as_bytes());
                self.out.extend_from_slice(b"\":");
                encoding::snapshot(&mut self.out, &snapshot);
            }
        }
        self.count += 1;
        self.last = Some(symbol.clone());
    }

    /// Writes the end of the page. If more symbols follow, the end names the last symbol of the page.
    fn finish(&mut self, has_more: bool) {
        self.out.push(if self.request.form == Form::Summary { b']' } else { b'}' });
        if let Some(last) = self.last.as_ref().filter(|_| has_more) {
            self.out.extend_from_slice(format!(",\"next\":\"{last}\"").as_bytes());
        }
        self.out.push(b'}');
    }
}

fn write_summary(out: &mut Vec<u8>, symbol: &Symbol, values: &SymbolValues) {
    let newest = values.latest(Kind::Trade).or_else(|| values.latest(Kind::Bar));
    let last = newest.map(|newest| newest.event.time).zip(values.day());
    encoding::summary(out, symbol, last);
}
