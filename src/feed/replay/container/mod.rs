//! Containers: plain files, files packed by gzip or zstd, and zip archives.
//!
//! Whether and how a file is packed is recognized from its first bytes, not from its name. Every file is read
//! as a stream, in constant memory. A decompressor needs memory for small buffers, and for a window of recent
//! data: 32 KiB for gzip, and at most 128 MiB for zstd.
//!
//! A damaged or truncated packed file is read up to the damage, because the data before the damage are
//! correct. Damage causes a warning, not an error. But a zip archive without its directory, i.e. its list of
//! members, is refused, because its members cannot be found.

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

/// The maximum number of layers of gzip or zstd compression around a text. Two layers are allowed, because a
/// web server may compress a file that is already packed.
const LAYERS: usize = 2;

/// How many bytes at the start of a file are read to recognize how the file is packed.
const SIGN: u64 = 4;

/// The name of a member that marks a zip archive as an office document (Office Open XML, ECMA-376).
const OFFICE: &str = "[Content_Types].xml";

/// A text that can be replayed: either a whole file, or one member of a zip archive.
///
/// A `Part` is displayed as `a.csv` or `a.zip:member.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The path of the file or archive.
    pub path: PathBuf,
    /// The archive member; `None` if the part is a whole file.
    pub member: Option<Member>,
}

/// A member of a zip archive, as the archive's directory describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's name in the archive, including its folders.
    pub name: String,
    method: CompressionMethod,
    encrypted: bool,
    /// The offset of the member's packed data in the archive, in bytes.
    start: u64,
    /// The length of the member's packed data, in bytes.
    packed: u64,
    crc32: u32,
}

/// A text that was opened for reading.
pub struct Opened {
    /// The reader of the text's unpacked bytes. An I/O error of this reader may wrap a [`FeedError`]: see
    /// [`FeedError::read_failed`].
    pub input: Bytes,
    /// The record of the damage that was found in the text so far.
    pub damage: Damage,
}

/// How a file is packed, recognized by its first bytes.
enum Packing {
    /// The file begins with a gzip member ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952#section-2.3)).
    Gzip,
    /// The file begins with a zstd frame or a skippable frame ([RFC
    /// 8878](https://www.rfc-editor.org/rfc/rfc8878#section-3.1)).
    Zstd,
    /// The file is a zip archive: it begins with a member, or with the directory of an empty archive
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

/// Returns the texts in a file. The texts in a zip archive are its members, in the order of its directory.
/// Any other file is one text.
///
/// An archive's folders, and the extra files that macOS adds to archives, are left out. The returned list is
/// never empty.
///
/// # Errors
///
/// Returns an error if the file does not exist, or is a folder, a pipe or a device. Returns an error for a
/// zip archive that has no directory or no text, or that is an office document.
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

/// Returns the members of a zip archive, except folders and the extra files that macOS adds to archives.
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

/// Returns whether an archive member is an extra file that macOS added to store file attributes or folder
/// settings.
fn is_of_a_mac(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    name.starts_with("__MACOSX/") || file.starts_with("._") || file == ".DS_Store"
}

impl Part {
    /// Opens the text for reading. The returned reader unpacks the text.
    ///
    /// # Errors
    ///
    /// Returns an error if the file no longer exists, or if its packing is not supported. Returns an error if
    /// the unpacked text exceeds the limits in `bounds`. The returned reader checks these limits again, and
    /// may return the same error later.
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

    /// Returns the absolute path of the text, in which a zip archive counts as a folder, as in
    /// `/data/a.zip/member.csv`.
    pub fn virtual_path(&self) -> String {
        // The folders above a relative path may have the layout or the day in their names.
        let path = std::path::absolute(&self.path);
        let path = path.as_deref().unwrap_or(&self.path).to_string_lossy();
        match &self.member {
            Some(member) => format!("{path}/{}", member.name),
            None => path.into_owned(),
        }
    }

    /// Creates a reader that unpacks an archive member. Returns the reader, and the limits on the member's
    /// unpacked size. A member that is stored without compression has no limits.
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

/// Returns the usual name of a compression method that zip archives use.
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

/// Opens a regular file. Returns an error for a folder. Returns an error for a pipe or a device, because
/// these cannot be read twice.
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

/// Reads the first bytes of a file, which show how the file is packed.
fn beginning_of(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    input.take(SIGN).read_to_end(&mut beginning)?;
    Ok(beginning)
}

#[cfg(test)]
mod tests;
