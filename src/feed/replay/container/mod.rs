//! Containers: plain files, files packed by gzip or zstd, and zip archives.
//!
//! The first bytes of a file tell its packing; its name does not count. Every file is read as a stream, in constant
//! memory: the window of the decompressor, 32 KiB for gzip and at most 128 MiB for zstd, and some buffers.
//!
//! A file that is damaged or cut short gives all bytes before the damage, a warning, and then its end: those bytes are
//! good. An archive without a directory is refused, because only the directory lists its members.

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

/// The number of packings around a text, besides an archive: a server may compress a file that is packed already.
const LAYERS: usize = 2;

/// The longest signature of a packing, in bytes.
const SIGN: u64 = 4;

/// The member that marks an archive as an office document (Office Open XML, ECMA-376).
const OFFICE: &str = "[Content_Types].xml";

/// A text in a file: the file itself, or a member of an archive.
///
/// It is displayed as `a.csv` or `a.zip:member.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The path of the file.
    pub path: PathBuf,
    /// The member, if the file is an archive.
    pub member: Option<Member>,
}

/// A member of a zip archive, as the archive's directory describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name, with its folders in the archive.
    pub name: String,
    method: CompressionMethod,
    encrypted: bool,
    /// The offset of its packed data in the archive, in bytes.
    start: u64,
    /// The length of its packed data, in bytes.
    packed: u64,
    crc32: u32,
}

/// A text that was opened.
pub struct Opened {
    /// The unpacked bytes. A read error may wrap a [`FeedError`]: see [`FeedError::read_failed`].
    pub input: Bytes,
    /// The damage that has been found so far.
    pub damage: Damage,
}

/// The packing of a file, told by its first bytes.
enum Packing {
    /// [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952#section-2.3).
    Gzip,
    /// [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878#section-3.1): a frame, or a skippable frame.
    Zstd,
    /// [APPNOTE.TXT](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT) 4.3: a member, or the directory of
    /// an empty archive.
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

/// Returns the texts in a file: the members of an archive in the order of its directory, or else the file itself.
///
/// Folders are left out, and so are the files that macOS adds. The result is never empty.
///
/// # Errors
///
/// Returns an error for a file that does not exist or cannot be read twice, and for an archive without a directory or
/// without a text.
pub fn parts(path: &Path) -> Result<Vec<Part>, FeedError> {
    let read_failed = |source| FeedError::read_failed(path, source);
    let not_market_data = |looks_like| FeedError::NotMarketData { path: path.to_owned(), looks_like };
    let mut file = open(path)?;
    let beginning = beginning_of(&mut file).map_err(read_failed)?;
    if !matches!(Packing::of(&beginning), Some(Packing::Zip)) {
        return Ok(vec![Part { path: path.to_owned(), member: None }]);
    }
    let members = members(file).map_err(|error| match error {
        ZipError::Io(source) if source.raw_os_error().is_some() => read_failed(source),
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

/// Returns the members of an archive that may be texts.
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

/// Returns whether macOS added a member by itself: file attributes, or the settings of a folder.
fn is_of_a_mac(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    name.starts_with("__MACOSX/") || file.starts_with("._") || file == ".DS_Store"
}

impl Part {
    /// Opens the text at its beginning, and unpacks it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file does not exist any more, if its packing is not supported, or if it unpacks to more
    /// than the limits. The limits apply while the text is read too, so reading may give the same error.
    pub fn open(&self, bounds: &Bounds) -> Result<Opened, FeedError> {
        let read_failed = |source| FeedError::read_failed(&self.path, source);
        let damage = Damage::default();
        let guarded = |input: Bytes, packed, bounds| -> Bytes {
            Box::new(Guarded::new(input, self.to_string(), packed, bounds, damage.clone()))
        };
        let mut file = open(&self.path)?;
        let (packed, mut input): (u64, Bytes) = match &self.member {
            None => (file.metadata().map_err(read_failed)?.len(), Box::new(file)),
            Some(member) => {
                file.seek(SeekFrom::Start(member.start)).map_err(read_failed)?;
                let data: Bytes = Box::new(file.take(member.packed));
                let (bounds, unpacked) = self.unpacked(member, data, *bounds)?;
                (
                    member.packed,
                    guarded(Box::new(Checked::new(unpacked, member.crc32)), member.packed, bounds),
                )
            }
        };
        for _ in 0..=LAYERS {
            let beginning = beginning_of(&mut input).map_err(read_failed)?;
            let packing = Packing::of(&beginning);
            let whole: Bytes = Box::new(Cursor::new(beginning).chain(input));
            input = match packing {
                None => return Ok(Opened { input: whole, damage }),
                Some(Packing::Gzip) => guarded(Box::new(Inflate::gzip(whole)), packed, *bounds),
                Some(Packing::Zstd) => {
                    guarded(Box::new(Zstd::new(whole).map_err(read_failed)?), packed, *bounds)
                }
                Some(Packing::Zip) => return Err(self.packed("it is a zip archive in a packed file")),
            };
        }
        Err(self.packed("it is packed too many times"))
    }

    /// Returns the path. A member's path follows that of its archive, as if the archive were a folder.
    pub fn virtual_path(&self) -> String {
        // The absolute path has folders that the given one may not have. They may tell the layout or the day.
        let path = std::path::absolute(&self.path);
        let path = path.as_deref().unwrap_or(&self.path).to_string_lossy();
        match &self.member {
            Some(member) => format!("{path}/{}", member.name),
            None => path.into_owned(),
        }
    }

    /// Unpacks a member by the archive's method. Returns the limits that apply, and the bytes. A stored member has no
    /// limits.
    fn unpacked(&self, member: &Member, data: Bytes, bounds: Bounds) -> Result<(Bounds, Bytes), FeedError> {
        match member.method {
            _ if member.encrypted => Err(self.packed("it is encrypted")),
            CompressionMethod::STORE => Ok((Bounds::default(), data)),
            CompressionMethod::DEFLATE => Ok((bounds, Box::new(Inflate::raw(data)))),
            CompressionMethod::ZSTD => {
                let zstd = Zstd::new(data).map_err(|source| FeedError::read_failed(&self.path, source))?;
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

/// Returns the usual name of a zip method.
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

/// Opens a regular file. Returns an error for a folder, and for a pipe or a device, which cannot be read twice.
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

/// Reads the bytes that tell the packing.
fn beginning_of(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    input.take(SIGN).read_to_end(&mut beginning)?;
    Ok(beginning)
}

#[cfg(test)]
mod tests;
