//! Counts and logs ignored fields. An ignored field is part of an input line, but the event that is parsed
//! from the line does not use the field. Each field name is logged once.

use std::collections::HashSet;

use tracing::warn;

use super::fields::Fields;
use crate::feed::printable::printable;
use crate::feed::reject_counters::RejectCounters;

/// The maximum number of field names that are logged. Once this many names are logged, fields with other
/// names are only counted.
const NAMES: usize = 100;

/// The maximum length of a logged name, in bytes. A longer name is cut.
const NAME_BYTES: usize = 64;

/// Counts ignored fields, and remembers the names that were logged.
#[derive(Debug)]
pub struct IgnoredFields {
    names: HashSet<String>,
    /// Whether a warning was logged because of a name beyond the maximum number of names.
    is_full: bool,
    counters: RejectCounters,
}

impl IgnoredFields {
    /// Returns a counter that has not logged any field name yet.
    pub fn new(counters: RejectCounters) -> Self {
        Self { names: HashSet::new(), is_full: false, counters }
    }

    /// Counts the ignored fields in `left`, and logs each name that was not logged before. `kind` is the kind
    /// of the event, and `line` is the event's line number.
    pub fn observe(&mut self, left: &Fields<'_>, kind: &'static str, line: u64) {
        for name in left.known() {
            if self.is_new(name, line) {
                let field = name;
                warn!(line, field, kind, "ignored a field that belongs to another kind of event");
            }
        }
        for (name, _) in left.unknown() {
            if self.is_new(name, line) {
                let field = printable(cut(name));
                warn!(line, field, kind, "ignored a field that no event has");
            }
        }
    }

    /// Counts a field. Returns whether the name of the field must be logged.
    fn is_new(&mut self, name: &str, line: u64) -> bool {
        self.counters.increment_ignored_fields();
        let name = cut(name);
        if self.is_full || self.names.contains(name) {
            return false;
        }
        if self.names.len() == NAMES {
            self.is_full = true;
            warn!(line, names = NAMES, "ignored one more field, and logs no further names");
            return false;
        }
        self.names.insert(name.to_owned())
    }
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_and_the_number_of_names_is_bounded() {
        let counters = RejectCounters::default();
        let mut ignored = IgnoredFields::new(counters.clone());
        let names: Vec<String> = (0..NAMES).map(|n| format!("field{n}")).collect();

        assert!(names.iter().all(|name| ignored.is_new(name, 1)));
        assert!(!names.iter().any(|name| ignored.is_new(name, 2)));
        assert!(!ignored.is_new("one more", 3));

        assert_eq!(ignored.names.len(), NAMES);
        assert_eq!(counters.ignored_fields(), 2 * NAMES as u64 + 1);
    }

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        let mut ignored = IgnoredFields::new(RejectCounters::default());

        assert!(ignored.is_new(&"한".repeat(10_000), 1));
        assert!(!ignored.is_new(&"한".repeat(20_000), 2));

        assert_eq!(ignored.names.iter().next().unwrap().chars().count(), 21);
    }
}
