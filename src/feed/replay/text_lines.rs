//! Reads the lines of a file: unpacks and decodes the file, and adds the times if they are in another file.

use std::io::Read;

use encoding_rs::Encoding;

use super::character_encoding;
use super::container::{Damage, Opened, Part};
use super::settings::Settings;
use crate::feed::error::FeedError;
use crate::feed::lines::{Length, Lines};

/// The lines of a file, or of a member of an archive.
///
/// If another file has the times, each line begins with the time from that file.
pub struct TextLines {
    part: Part,
    lines: Lines<Box<dyn Read + Send>>,
    beside: Option<Lines<Box<dyn Read + Send>>>,
    joined: Vec<u8>,
    encoding: &'static Encoding,
    damage: Damage,
}

impl TextLines {
    /// Opens a file or archive member. If `beside` is given, the time of each line comes from this second
    /// file.
    pub fn open(part: &Part, beside: Option<&Part>, settings: &Settings) -> Result<Self, FeedError> {
        let open = |part: &Part| {
            let Opened { input, damage } = part.open(&settings.bounds)?;
            let decoded = character_encoding::decode(input, settings.encoding);
            let (text, encoding) = decoded.map_err(|source| FeedError::read_failed(&part.path, source))?;
            Ok::<_, FeedError>((Lines::new(text, settings.line_bytes), encoding, damage))
        };
        let beside = beside.map(open).transpose()?.map(|(lines, ..)| lines);
        let (lines, encoding, damage) = open(part)?;
        Ok(Self { part: part.clone(), lines, beside, joined: Vec::new(), encoding, damage })
    }

    /// Returns the number of the current line, counted from 1.
    pub fn number(&self) -> u64 {
        self.lines.number()
    }

    pub fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// Returns a record of the damage that was found in the packed file so far.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Moves to the next line. Returns `None` at the end of the file. If another file has the times, the end
    /// of that file also gives `None`.
    pub fn advance(&mut self) -> Result<Option<Length>, FeedError> {
        let cannot_read = |source| FeedError::read_failed(&self.part.path, source);
        let mut length = self.lines.advance().map_err(cannot_read)?;
        if self.lines.is_unended() && self.damage.found().is_some() {
            // If a packed file is cut short, its last line may end within a number. So this line is dropped.
            length = None;
        }
        let Some(beside) = &mut self.beside else { return Ok(length) };
        match (beside.advance().map_err(cannot_read)?, length) {
            (None, None) => Ok(None),
            (None, _) | (_, None) => {
                self.damage.set("the file with its times has more lines or fewer");
                Ok(None)
            }
            (Some(Length::Whole), Some(Length::Whole)) => {
                self.joined.clear();
                self.joined.extend(beside.line().iter().take_while(|byte| **byte != b','));
                self.joined.push(b',');
                self.joined.extend_from_slice(self.lines.line());
                Ok(Some(Length::Whole))
            }
            (Some(_), Some(_)) => Ok(Some(Length::TooLong)),
        }
    }

    /// Returns the current line. This function must not be called while the current line is too long.
    pub fn line(&self) -> &[u8] {
        if self.beside.is_some() { &self.joined } else { self.lines.line() }
    }
}

/// Returns whether a line is blank or a comment.
pub fn is_no_row(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start().first(), None | Some(b'#'))
}
