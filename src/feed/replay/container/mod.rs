//! Containers: plain files, files packed by gzip or zstd, and zip archives.
//!
//! The first bytes of a file tell its packing; the file name is ignored. Every file is read as a stream, in
//! constant memory. Besides small buffers, a decompressor needs memory for its window: 32 KiB for gzip, and
//! at most 128 MiB for zstd.
//!
//! A damaged or truncated file is read up to the damage, because the bytes before the damage are good. The
//! damage causes a warning, not an error. An archive without a directory is refused, because only the
//! directory lists its members.

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

/// The largest number of packings around a text, not counting an archive. Two are allowed, because a server
/// may compress a file that is already packed.
const LAYERS: usize = 2;

/// The length of the longest signature of a packing, in bytes.
const SIGN: u64 = 4;

/// The member that marks an archive as an office document (Office Open XML, ECMA-376).
const OFFICE: &str = "[Content_Types].xml";

/// A text in a file: the file itself, or a member of an archive.
///
/// A part is displayed as `a.csv` or `a.zip:member.csv`.
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
    /// The name in the archive, including the folders.
    pub name: String,
    method: CompressionMethod,
    encrypted: bool,
    /// The offset of the member's packed data in the archive, in bytes.
    start: u64,
    /// The length of the member's packed data, in bytes.
    packed: u64,
    crc32: u32,
}

/// An opened text.
pub struct Opened {
    /// The unpacked bytes. A read error may wrap a [`FeedError`]: see [`FeedError::read_failed`].
    pub input: Bytes,
    /// The damage found so far.
    pub damage: Damage,
}

/// The packing of a file, recognized by its first bytes.
enum Packing {
    /// A gzip member ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952#section-2.3)).
    Gzip,
    /// A frame or a skippable frame of zstd ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878#section-3.1)).
    Zstd,
    /// A member of a zip archive, or the directory of an empty archive
    /// ([APPNOTE.TXT](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT) 4.3).
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

/// Returns the texts in a file: the file itself, or the members of an archive in the order of its directory.
///
/// Folders and the files that macOS adds are left out. The result is never empty.
///
/// # Errors
///
/// Returns an error for a file that does not exist, and for a pipe or a device. Returns an error for an
/// archive without a directory or without a text.
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

/// Returns the members of an archive, without folders and the files that macOS adds.
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

/// Returns whether a member is a file that macOS adds, with file attributes or folder settings.
fn is_of_a_mac(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    name.starts_with("__MACOSX/") || file.starts_with("._") || file == ".DS_Store"
}

impl Part {
    /// Opens the text. The returned reader unpacks it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file no longer exists, if its packing is not supported, or if the text exceeds
    /// the limits. Reading checks the limits too, and may return the same error.
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

    /// Returns the absolute path, in which an archive counts as a folder: `/data/a.zip/member.csv`.
    pub fn virtual_path(&self) -> String {
        // The folders above a relative path may have the layout or the day in their names.
        let path = std::path::absolute(&self.path);
        let path = path.as_deref().unwrap_or(&self.path).to_string_lossy();
        match &self.member {
            Some(member) => format!("{path}/{}", member.name),
            None => path.into_owned(),
        }
    }

    /// Creates a reader that unpacks a member. Returns the reader, and the limits that apply to the member. A
    /// stored member has no limits, because it is not compressed.
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

/// Returns the usual name of a compression method of zip.
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

/// Opens a regular file. Returns an error for a folder, and for a pipe or a device, which cannot be read
/// twice.
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

/// Reads the first bytes, which tell the packing.
fn beginning_of(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    input.take(SIGN).read_to_end(&mut beginning)?;
    Ok(beginning)
}

#[cfg(test)]
mod tests;
