//! The judged rows: the rows of a file whose prices and sizes the scan parses, to see whether they are plausible.
//! To parse all of them would take as long as the replay itself.

/// Of a long file, all rows up to this number are judged.
const ALL_UP_TO: u64 = 1000;

/// Of the rows after [`ALL_UP_TO`], one in this many is judged.
const ONE_IN: u64 = 16;

/// Chooses the judged rows.
#[derive(Clone, Debug, Default)]
pub struct JudgedRows {
    /// The number of rows so far.
    rows: u64,
}

impl JudgedRows {
    /// Returns whether the next row is judged.
    pub const fn next_is_judged(&self) -> bool {
        self.rows < ALL_UP_TO || self.rows.is_multiple_of(ONE_IN)
    }

    /// Moves to the next row.
    pub const fn advance(&mut self) {
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thousand_rows_and_each_sixteenth_of_the_others_are_judged() {
        let mut rows = JudgedRows::default();
        let mut judged = Vec::new();
        for row in 0..1040 {
            if rows.next_is_judged() {
                judged.push(row);
            }
            rows.advance();
        }

        assert_eq!(judged[..1000], (0..1000).collect::<Vec<_>>());
        assert_eq!(judged[1000..], [1008, 1024]);
    }
}
