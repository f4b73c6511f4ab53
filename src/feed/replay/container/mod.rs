//! Files as people have them: plain text, packed by gzip or zstd, or a zip archive of several.
//!
//! What a file is, its first bytes say, never its name. Whatever it is, it is read as a stream, in constant memory:
//! what a decompressor looks back on, 32 KiB for gzip and at most 128 MiB for zstd, and some buffers.
//!
//! A container that is damaged or cut short gives all that came before that, a warning, and then its end, for what
//! was read stays good. An archive without a directory is refused: nothing says what is in it.

mod bounds;
mod damage;
mod unpack;

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::feed::error::FeedError;
use crate::feed::printable::{excerpt, printable};
use unpack::{Bytes, Checked, Guarded, Inflate, Zstd};

pub use bounds::Bounds;
pub use damage::Damage;

/// A text is packed at most so many times, beside the archive that it is in: a server may pack what is packed.
const LAYERS: usize = 2;

/// The longest sign of a packing, in bytes.
const SIGN: u64 = 4;

/// The member that says that an archive is a document of Office Open XML (ECMA-376).
const OFFICE: &str = "[Content_Types].xml";

/// One text in a file: the file itself, or a member of an archive.
///
/// Shown as `a.csv`, or `a.zip:member.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// The member, where the file is an archive.
    pub member: Option<Member>,
}

/// A member of a zip archive, as the archive's directory describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, with the folders in the archive.
    pub name: String,
    method: CompressionMethod,
    encrypted: bool,
    /// Where its data begin in the archive, and how many bytes they have there.
    start: u64,
    packed: u64,
    crc32: u32,
}

/// A text that is read.
pub struct Opened {
    /// Its bytes. An error may be a [`FeedError`] in disguise: see [`FeedError::reading`].
    pub input: Bytes,
    /// Whether that was all of it.
    pub damage: Damage,
}

/// How bytes are packed, by their first ones.
enum Packing {
    /// [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952#section-2.3).
    Gzip,
    /// [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878#section-3.1): a frame, or one to be skipped.
    Zstd,
    /// [APPNOTE.TXT](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT) 4.3: a member, or no member at all.
    Zip,
}

impl Packing {
    fn of(beginning: &[u8]) -> Option<Self> {
        match beginning {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            _ => None,
        }
    }
}

/// The texts in a file, in the order of the archive's directory; of what is no archive, one.
///
/// Folders are none, and neither is what a Mac adds of its own. At least one text is found.
///
/// # Errors
///
/// A file that is not there or cannot be read twice, an archive without a directory or without a text.
pub fn parts(path: &Path) -> Result<Vec<Part>, FeedError> {
    let reading = |source| FeedError::reading(path, source);
    let not_market_data = |looks_like| FeedError::NotMarketData { path: path.to_owned(), looks_like };
    let mut file = open(path)?;
    let beginning = beginning_of(&mut file).map_err(reading)?;
    if !matches!(Packing::of(&beginning), Some(Packing::Zip)) {
        return Ok(vec![Part { path: path.to_owned(), member: None }]);
    }
    let members = members(file).map_err(|error| match error {
        ZipError::Io(source) if source.raw_os_error().is_some() => reading(source),
        source => FeedError::ZipDirectory { path: path.to_owned(), source },
    })?;
    if members.iter().any(|member| member.name == OFFICE) {
        return Err(not_market_data("an office document, such as an Excel workbook"));
    }
    if members.is_empty() {
        return Err(not_market_data("a zip archive without a file in it"));
    }
    let part = |member| Part { path: path.to_owned(), member: Some(member) };
    Ok(members.into_iter().map(part).collect())
}

/// The members of an archive that may be texts.
fn members(archive: File) -> Result<Vec<Member>, ZipError> {
    let mut archive = ZipArchive::new(BufReader::new(archive))?;
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index)?;
        let name = member.name()?;
        if !member.is_file() || is_of_a_mac(&name) {
            continue;
        }
        members.push(Member {
            method: member.compression(),
            encrypted: member.encrypted(),
            start: member.data_start().ok_or(ZipError::FileNotFound)?,
            packed: member.compressed_size(),
            crc32: member.crc32(),
            name: name.into_owned(),
        });
    }
    Ok(members)
}

/// What a Mac packs besides what it was asked to: attributes of files, and how a folder is shown.
fn is_of_a_mac(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    name.starts_with("__MACOSX/") || file.starts_with("._") || file == ".DS_Store"
}

impl Part {
    /// Opens the text, from its beginning each time, and undoes what it is packed by.
    ///
    /// # Errors
    ///
    /// A file that is not there any more, a packing that is not undone here, or more than the bounds let out.
    /// Reading it gives an error for more than the bounds as well, and for what the system says.
    pub fn open(&self, bounds: &Bounds) -> Result<Opened, FeedError> {
        let reading = |source| FeedError::reading(&self.path, source);
        let damage = Damage::default();
        let guarded = |input: Bytes, packed, bounds| -> Bytes {
            Box::new(Guarded::new(input, self.to_string(), packed, bounds, damage.clone()))
        };
        let mut file = open(&self.path)?;
        let (packed, mut input): (u64, Bytes) = match &self.member {
            None => (file.metadata().map_err(reading)?.len(), Box::new(file)),
            Some(member) => {
                file.seek(SeekFrom::Start(member.start)).map_err(reading)?;
                let data: Bytes = Box::new(file.take(member.packed));
                let (bounds, unpacked) = self.unpacked(member, data, *bounds)?;
                (
                    member.packed,
                    guarded(Box::new(Checked::new(unpacked, member.crc32)), member.packed, bounds),
                )
            }
        };
        for _ in 0..=LAYERS {
            let beginning = beginning_of(&mut input).map_err(reading)?;
            let packing = Packing::of(&beginning);
            let whole: Bytes = Box::new(Cursor::new(beginning).chain(input));
            input = match packing {
                None => return Ok(Opened { input: whole, damage }),
                Some(Packing::Gzip) => guarded(Box::new(Inflate::gzip(whole)), packed, *bounds),
                Some(Packing::Zstd) => guarded(Box::new(Zstd::new(whole).map_err(reading)?), packed, *bounds),
                Some(Packing::Zip) => return Err(self.packed("it is a zip archive in a packed file")),
            };
        }
        Err(self.packed("it is packed too many times"))
    }

    /// Its path, a member's with that of the archive in front, as if the archive were a folder.
    pub fn virtual_path(&self) -> String {
        // The folders that it lies in may say more than those that were typed.
        let path = std::path::absolute(&self.path);
        let path = path.as_deref().unwrap_or(&self.path).to_string_lossy();
        match &self.member {
            Some(member) => format!("{path}/{}", member.name),
            None => path.into_owned(),
        }
    }

    /// The bytes of a member as the archive's method gives them, and the bounds that hold for it: none where
    /// nothing is unpacked.
    fn unpacked(&self, member: &Member, data: Bytes, bounds: Bounds) -> Result<(Bounds, Bytes), FeedError> {
        match member.method {
            _ if member.encrypted => Err(self.packed("it is encrypted")),
            CompressionMethod::STORE => Ok((Bounds::default(), data)),
            CompressionMethod::DEFLATE => Ok((bounds, Box::new(Inflate::raw(data)))),
            CompressionMethod::ZSTD => {
                let zstd = Zstd::new(data).map_err(|source| FeedError::reading(&self.path, source))?;
                Ok((bounds, Box::new(zstd)))
            }
            other => Err(self.packed(&format!("it is packed by {}, which is not supported", name_of(other)))),
        }
    }

    fn packed(&self, how: &str) -> FeedError {
        FeedError::Packed { part: self.to_string(), how: how.to_owned() }
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.path.to_string_lossy()))?;
        match &self.member {
            Some(member) => write!(f, ":{}", excerpt(member.name.as_bytes())),
            None => Ok(()),
        }
    }
}

/// What people know a method of zip archives by.
fn name_of(method: CompressionMethod) -> &'static str {
    match method {
        CompressionMethod::DEFLATE64 => "Deflate64",
        CompressionMethod::BZIP2 => "bzip2",
        CompressionMethod::LZMA => "LZMA",
        CompressionMethod::XZ => "xz",
        CompressionMethod::PPMD => "PPMd",
        _ => "an uncommon method",
    }
}

/// Opens a file that can be read more than once.
fn open(path: &Path) -> Result<File, FeedError> {
    let cannot_open = |source| FeedError::Open { path: path.to_owned(), source };
    let not_market_data = |looks_like| FeedError::NotMarketData { path: path.to_owned(), looks_like };
    let kind = fs::metadata(path).map_err(cannot_open)?;
    if kind.is_dir() {
        return Err(not_market_data("a folder"));
    }
    if !kind.is_file() {
        return Err(not_market_data("a pipe or a device, which cannot be read twice"));
    }
    File::open(path).map_err(cannot_open)
}

/// Reads the bytes that say how an input is packed.
fn beginning_of(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    input.take(SIGN).read_to_end(&mut beginning)?;
    Ok(beginning)
}

#[cfg(test)]
mod tests;
