//! Headers: descriptions of the columns of files with a header.
//!
//! A description is a text with one word for each column. A word has one of these forms:
//!
//! - `NAME`: the header must have a column of this name. Column names are written as [`normal`] returns them.
//! - `ROLE=NAME`: the header must have a column of this name, and the column has this [`Role`].
//! - `ROLE=NAME?`: if the header has a column of this name, the column has this role.
//! - `ROLE=`: no column of the file has this role.
//!
//! In place of a name, a word may list alternatives, as in `date|datum`. The first alternative in the header
//! counts. A role that no word mentions belongs to the column with a usual name, if there is one.
//!
//! [`normal`]: super::normal

use super::role::Role;

/// One word of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderColumn {
    /// The role of the column; `None` if the column serves only to recognize the layout.
    pub role: Option<Role>,
    /// The alternative names of the column; empty if no column of the file has the role.
    names: &'static str,
    pub is_optional: bool,
}

/// Parses a description.
pub fn columns(description: &'static str) -> impl Iterator<Item = HeaderColumn> {
    description.split_ascii_whitespace().map(|word| {
        let (role, name) = match word.split_once('=') {
            Some((role, name)) => (Some(role.parse().expect("the table names roles")), name),
            None => (None, word),
        };
        let is_optional = name.is_empty() || name.ends_with('?');
        HeaderColumn { role, names: name.trim_end_matches('?'), is_optional }
    })
}

/// Returns whether a header has all columns that a description requires.
pub fn fits(description: &'static str, names: &[String]) -> bool {
    columns(description).all(|column| column.is_optional || column.index_in(names).is_some())
}

impl HeaderColumn {
    /// Returns the alternative names of the column.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.names.split('|').filter(|name| !name.is_empty())
    }

    /// Returns the index of the column in a header.
    pub fn index_in(self, names: &[String]) -> Option<usize> {
        self.names().find_map(|wanted| names.iter().position(|name| name == wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_fits_if_it_has_one_name_for_each_required_column() {
        let names = |header: &str| header.split(',').map(str::to_owned).collect::<Vec<_>>();
        let description = "date|datum close=prc size= volume=vol?";

        assert!(fits(description, &names("prc,datum")));
        assert!(!fits(description, &names("datum,vol")));
        let roles: Vec<_> = columns(description).map(|column| column.role).collect();
        assert_eq!(roles, [None, Some(Role::Close), Some(Role::Size), Some(Role::Volume)]);
        let indices: Vec<_> =
            columns(description).map(|column| column.index_in(&names("vol,prc,datum,date"))).collect();
        assert_eq!(indices, [Some(3), Some(1), None, Some(0)]);
    }
}
