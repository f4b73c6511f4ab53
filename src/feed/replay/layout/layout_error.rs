//! The reasons why no layout is recognized.

use crate::feed::replay::time::DateOrder;

/// The reason why no layout was recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The header, which is the line with this index, has no time column.
    NoTime(usize),
    /// The header, which is the line with this index, has no price column.
    NoPrice(usize),
    /// The file has no header, and the line with this index does not fit any known layout.
    NoShape(usize),
    /// The file has no header, and nearly all rows fit the layout of this name. The line with this index does
    /// not fit.
    Misfit(usize, &'static str),
    /// The file has no column of this name, although its layout or the configuration requires the column.
    NoColumn(String),
    /// The column with this index, which is beside a date column, should hold times of day but holds none.
    NoTimeOfDay(usize),
    /// The prices may be in 32nds behind an apostrophe. The text is one of them.
    Fractions(String),
    /// The configured order of day, month and year fits none of the first dates. The text is one of them.
    DateOrder(String, DateOrder),
    /// The file has a header, which is the line with this index and has the first layout. The second one is
    /// configured.
    OtherLayout(usize, &'static str, &'static str),
    /// The times in the file have no date, and the file's path tells no day.
    NoDay,
    /// The file has a layout that cannot be replayed. The two texts are the name of this layout, and the kind
    /// of data in the file.
    Unfit(&'static str, &'static str),
}
