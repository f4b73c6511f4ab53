//! The evidence for the notation of a file's numbers: whether the decimal sign is a point or a comma, and
//! whether prices are in fixed point.

use std::cmp::Ordering;

use super::super::cells::Cells;
use super::super::layout::{Layout, NumberRule};
use super::super::number::{DecimalSign, Numbers, sign_shown};
use crate::feed::printable::excerpt;

/// What the numbers of the rows so far prove.
#[derive(Debug, Default)]
pub struct NumberEvidence {
    /// The columns of prices and sizes.
    columns: Vec<usize>,
    /// Those among them in which a point may separate thousands: the sizes, or all columns of a file with semicolons
    /// between cells, as where a comma is the decimal sign, unless a vendor's layout is known.
    open: Vec<usize>,
    is_fixed_point: bool,
    has_point: bool,
    points: u64,
    commas: u64,
    /// A number whose comma may be the decimal sign or separate thousands.
    ambiguous: Option<String>,
    /// A number whose point may be the decimal sign or separate thousands.
    ambiguous_point: Option<String>,
    /// Such a number in one of the columns `open`.
    ambiguous_open: Option<String>,
    /// Whether a number in one of the columns `open` has thousands without a point between them.
    has_plain_thousands: bool,
}

impl NumberEvidence {
    pub fn new(layout: &Layout, delimiter: u8) -> Self {
        let is_open = delimiter == b';' && layout.vendor.is_none();
        Self {
            columns: layout.numbers().collect(),
            open: if is_open { layout.numbers().collect() } else { layout.sizes().collect() },
            is_fixed_point: layout.number_rule == NumberRule::FixedPoint,
            ..Self::default()
        }
    }

    /// Returns whether further rows may change the notation.
    pub const fn is_open(&self) -> bool {
        let has_both = self.points > 0 && self.commas > 0;
        let has_none = self.points == 0 && self.commas == 0 && self.ambiguous.is_some();
        self.is_fixed_point && !self.has_point || has_both || has_none
    }

    /// Adds the numbers of a row.
    pub fn observe(&mut self, row: &Cells<'_>) {
        for column in &self.columns {
            let cell = row.get(*column).unwrap_or_default();
            let has_comma = cell.contains(&b',');
            let has_point = cell.contains(&b'.');
            self.has_point |= has_point;
            if !has_comma && !has_point {
                self.has_plain_thousands |=
                    self.open.contains(column) && cell.len() > 3 && cell.iter().all(u8::is_ascii_digit);
                continue;
            }
            match sign_shown(cell) {
                Some(DecimalSign::Point) => self.points += 1,
                Some(DecimalSign::Comma) => self.commas += 1,
                None if has_comma && self.ambiguous.is_none() && is_number(cell) => {
                    self.ambiguous = Some(excerpt(cell));
                }
                None if !has_comma && is_number(cell) => {
                    if self.ambiguous_open.is_none() && self.open.contains(column) {
                        self.ambiguous_open = Some(excerpt(cell));
                    }
                    self.ambiguous_point.get_or_insert_with(|| excerpt(cell));
                }
                None => {}
            }
        }
    }

    /// Returns the decimal sign that most numbers prove; `None` if they prove none. If nothing is proved, a
    /// comma is the decimal sign in a file with semicolons between cells.
    pub fn decimal(&self, delimiter: u8) -> Option<DecimalSign> {
        match self.points.cmp(&self.commas) {
            Ordering::Greater => Some(DecimalSign::Point),
            Ordering::Less => Some(DecimalSign::Comma),
            Ordering::Equal => (delimiter == b';' && self.ambiguous.is_some()).then_some(DecimalSign::Comma),
        }
    }

    /// Returns whether a price has a point, which prices in fixed point never have.
    pub const fn forbids_fixed_point(&self) -> bool {
        self.has_point
    }

    /// Returns a number with a comma that no other number explains. If `decimal`, the assumed decimal sign, is a
    /// comma, a number with a point is as good. If it is a point, so is one in a column where it may
    /// separate thousands, unless others there have plain thousands.
    pub fn unexplained(self, decimal: DecimalSign) -> Option<String> {
        // There, numbers with three decimals each are as likely to be thousands.
        let point = match decimal {
            DecimalSign::Comma => self.ambiguous_point,
            DecimalSign::Point => self.ambiguous_open.filter(|_| !self.has_plain_thousands),
        };
        self.ambiguous.or(point).filter(|_| self.points == self.commas)
    }
}

fn is_number(cell: &[u8]) -> bool {
    matches!(Numbers::default().price(cell), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use super::super::super::cells::Splitter;
    use super::*;

    fn evidence(is_fixed_point: bool, lines: &[&str]) -> NumberEvidence {
        let mut evidence =
            NumberEvidence { columns: vec![0, 1], is_fixed_point, ..NumberEvidence::default() };
        for line in lines {
            evidence.observe(&Splitter::new(b';').split(line.as_bytes(), usize::MAX));
        }
        evidence
    }

    #[test]
    fn most_proofs_decide_the_decimal_sign() {
        for (lines, delimiter, sign) in [
            (&["1,5;2", "1,234"][..], b'\t', Some(DecimalSign::Comma)),
            (&["1.5;2", "1,234"], b';', Some(DecimalSign::Point)),
            (&["1,5;2,5", "1.5"], b';', Some(DecimalSign::Comma)),
            (&["1,234;2,345"], b';', Some(DecimalSign::Comma)),
            (&["1,234;2,345"], b'\t', None),
            (&["1.234;2.345"], b';', None),
            (&["1234;x,y"], b';', None),
        ] {
            assert_eq!(evidence(false, lines).decimal(delimiter), sign, "{lines:?}");
        }
    }

    #[test]
    fn further_rows_matter_only_while_something_is_not_decided() {
        assert!(evidence(true, &["1;2"]).is_open());
        assert!(!evidence(true, &["1;2.5"]).is_open());
        assert!(evidence(true, &["1;2.5"]).forbids_fixed_point());
        assert!(!evidence(false, &["1;2"]).is_open());
        assert!(!evidence(false, &["151.234;151.236"]).is_open());
        assert!(evidence(false, &["1,234;2"]).is_open());
        assert!(!evidence(false, &["1,234;2.5"]).is_open());
        assert!(evidence(false, &["1,5;2.5"]).is_open());
        let unexplained = |lines, decimal| evidence(false, lines).unexplained(decimal);
        assert_eq!(unexplained(&["1,234;2"], DecimalSign::Point).as_deref(), Some("1,234"));
        assert_eq!(unexplained(&["1,234;2.5"], DecimalSign::Point), None);
        assert_eq!(unexplained(&["1.234;2"], DecimalSign::Comma).as_deref(), Some("1.234"));
        assert_eq!(unexplained(&["1.234;2"], DecimalSign::Point), None);
        let unexplained_open = |lines: &[&str]| {
            let mut evidence = evidence(false, &[]);
            evidence.open = vec![1];
            for line in lines {
                evidence.observe(&Splitter::new(b';').split(line.as_bytes(), usize::MAX));
            }
            evidence.unexplained(DecimalSign::Point)
        };
        assert_eq!(unexplained_open(&["1.234;12.345"]).as_deref(), Some("12.345"));
        assert_eq!(unexplained_open(&["1.234;12.345", "1.234;999"]).as_deref(), Some("12.345"));
        assert_eq!(unexplained_open(&["1.234;12.345", "1.234;1000"]), None);
        assert_eq!(unexplained_open(&["1.234;12.345", "1.234;0.5"]), None);
        assert_eq!(unexplained_open(&["1.234;0.345"]), None);
    }
}
