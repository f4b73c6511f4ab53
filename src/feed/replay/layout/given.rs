//! What the recognition of a layout knows besides the lines of the file.

use super::columns::Map;
use crate::feed::replay::number::{DecimalSign, PriceNotation};
use crate::feed::replay::time::DateOrder;

/// What the recognition of a layout uses besides the lines of the file: settings, and facts about the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The name of the configured layout, if any.
    pub layout: Option<&'static str>,
    /// The configured columns, if any, each for a role such as time or price.
    pub map: Option<&'a Map>,
    /// Whether the configuration has the symbol of files without a symbol column.
    pub has_symbol: bool,
    pub date_order: Option<DateOrder>,
    pub decimal: Option<DecimalSign>,
    pub price_scale: Option<u32>,
    pub prices: Option<PriceNotation>,
    /// The absolute path of the file, in which a zip archive counts as a folder.
    pub path: &'a str,
    /// The day in the file's path, if any: the midnight at which this day begins, in nanoseconds since 1970.
    pub day: Option<i64>,
    /// Whether the delimiter is not a comma, so that a comma may be a decimal sign.
    pub has_free_comma: bool,
}
