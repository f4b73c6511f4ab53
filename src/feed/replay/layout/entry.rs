//! An entry of the table of layouts: how a layout is recognized, and its rules.

/// A layout in the table.
#[derive(Debug)]
pub struct Entry {
    /// The name of the layout in the flag `--layout` and in the output of the command `inspect`.
    pub name: &'static str,
    /// The vendor of files with this layout.
    pub vendor: &'static str,
    /// How the layout is recognized.
    pub recognized_by: RecognizedBy,
    /// A pattern that the file name must match. If the pattern contains `/`, the whole path must match it. An
    /// empty pattern matches any path.
    pub path: &'static str,
    /// The rules that are specific to this layout.
    pub rules: Rules,
}

/// How a layout is recognized.
#[derive(Clone, Copy, Debug)]
pub enum RecognizedBy {
    /// Recognized by the column names in the header. The text is a description of the columns, as in the
    /// module `header`.
    Header(&'static str),
    /// Recognized by the kind of value in each column. The text is a description of the columns, as in the
    /// module `shape`.
    Shape(&'static str),
}

/// The rules that are specific to a layout.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// The notation of the numbers in a file.
    pub numbers: NumberRule,
    /// The name of a column, and its allowed values. Rows with another value in this column are filtered out.
    pub only: Option<(&'static str, &'static [&'static str])>,
    /// The name of a column that has only zeros in files with this layout.
    pub zero: Option<&'static str>,
    /// How the length of a bar, such as a minute, is written in a file.
    pub interval: IntervalRule,
    /// Whether the file name consists of a symbol and the period of the bars, as in `EURUSD1440`.
    pub has_period_in_name: bool,
    /// Whether the rows have no time, so that the day must come from the path of the file.
    pub is_of_one_day: bool,
    /// For a layout whose times are in a separate file: two texts that give the path of this file. In the
    /// path of the file without times, the first text is replaced with the second text.
    pub times_beside: Option<(&'static str, &'static str)>,
    /// Whether the size of a sale has a minus sign, so that -1 is a sale of one.
    pub has_signed_sizes: bool,
    /// If files with this layout cannot be replayed, the kind of data in them; otherwise `None`.
    pub unfit: Option<&'static str>,
}

/// The notation of the numbers in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberRule {
    /// Numbers are plain decimals.
    #[default]
    Plain,
    /// Databento's notation: prices without a decimal point are in units of 1e-9.
    /// <https://databento.com/docs/standards-and-conventions/common-fields-enums-types>
    FixedPoint,
    /// LOBSTER's notation: prices are in units of 1e-4, and 9999999999 means "no price".
    /// <https://lobsterdata.com/info/DataStructure.php>
    Lobster,
    /// Prices are in points and 32nds, as the configuration says. A number with a point is a decimal number.
    ThirtySeconds,
    /// Prices are in points and 32nds, as the configuration says, and a point may stand between both.
    ThirtySecondsAfterPoint,
    /// LEAN's notation: prices of equities and options are in units of 1e-4, other prices are plain decimals.
    /// The path of the file tells which kind of instrument the file contains.
    /// <https://www.quantconnect.com/docs/v2/lean-cli/datasets/format-and-storage>
    Lean,
}

/// How the length of a bar, such as a minute, is written in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntervalRule {
    /// The length of a bar is a text such as `1m`.
    #[default]
    Text,
    /// The length of a bar is one of Databento's record types, e.g. 33 for a minute.
    RecordType,
    /// The length of a bar is written as in `MetaStock` files: a number of minutes, `D` for a day or `W` for
    /// a week.
    Period,
}

impl Rules {
    /// No rules: plain decimals, and no exceptions.
    pub const NONE: Self = Self {
        numbers: NumberRule::Plain,
        only: None,
        zero: None,
        interval: IntervalRule::Text,
        has_period_in_name: false,
        is_of_one_day: false,
        times_beside: None,
        has_signed_sizes: false,
        unfit: None,
    };
}

/// Creates an entry for files that are recognized by their header.
pub(super) const fn header(name: &'static str, vendor: &'static str, columns: &'static str) -> Entry {
    Entry { name, vendor, recognized_by: RecognizedBy::Header(columns), path: "", rules: Rules::NONE }
}

/// Creates an entry for files that are recognized by the kind of value in each column.
pub(super) const fn shape(name: &'static str, vendor: &'static str, columns: &'static str) -> Entry {
    Entry { name, vendor, recognized_by: RecognizedBy::Shape(columns), path: "", rules: Rules::NONE }
}

impl Entry {
    /// Sets the pattern that a file's path must match.
    pub(super) const fn at(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    /// Sets the rules.
    pub(super) const fn with(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// Returns whether a file's path matches the path pattern of this layout.
    pub(super) fn is_of(&self, path: &str) -> bool {
        if self.path.is_empty() {
            return true;
        }
        let pattern = globset::GlobBuilder::new(self.path).case_insensitive(true).build();
        let name = if self.path.contains('/') { path } else { path.rsplit('/').next().unwrap_or(path) };
        pattern.expect("the table has only patterns").compile_matcher().is_match(name)
    }
}
