//! Decompressors that, at an error, first return all bytes before the error, and then the error itself.
//!
//! The readers of the libraries flate2 and zstd work differently: if a call fails, the bytes that this call
//! decompressed are lost. With those readers, a small damaged file could be lost as a whole. So this module
//! calls the decoders of these libraries directly, piece by piece.

use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::bounds::Bounds;
use super::damage::Damage;
use crate::feed::error::FeedError;

/// The size of the read buffer, in bytes.
const BUFFER: usize = 64 * 1024;

/// The size of gzip's largest window, as a binary logarithm: 2^15 bytes.
const WINDOW_BITS: u8 = 15;

/// The unpacked size, in bytes, above which the ratio of unpacked to packed bytes is checked.
const RATIO_FROM: u64 = 16 * 1024 * 1024;

/// A reader of bytes, which may be packed or unpacked.
pub type Bytes = Box<dyn Read + Send>;

/// A decompressor of deflate data. Gzip files and zip archives use the deflate compression.
pub struct Inflate<R> {
    input: BufReader<R>,
    decoder: Decompress,
    /// Whether the data are gzip data, in which several gzip members may follow each other.
    gzip: bool,
    /// Whether the latest gzip member or deflate stream is complete, and no further member has begun.
    ended: bool,
    /// An error that is kept for the next call of `read`, because the bytes before the error are returned
    /// first.
    fault: Option<io::Error>,
}

impl<R: Read> Inflate<R> {
    /// Creates a decompressor of gzip data, which consist of one or more gzip members.
    pub fn gzip(input: R) -> Self {
        Self::new(input, Decompress::new_gzip(WINDOW_BITS), true)
    }

    /// Creates a decompressor of deflate data that have no gzip header, as in zip archives.
    pub fn raw(input: R) -> Self {
        Self::new(input, Decompress::new(false), false)
    }

    fn new(input: R, decoder: Decompress, gzip: bool) -> Self {
        let input = BufReader::with_capacity(BUFFER, input);
        Self { input, decoder, gzip, ended: false, fault: None }
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            let input = self.input.fill_buf()?;
            let is_all = input.is_empty();
            if self.ended {
                if is_all || !self.gzip {
                    return Ok(0);
                }
                self.decoder = Decompress::new_gzip(WINDOW_BITS);
                self.ended = false;
            }
            let (before_in, before_out) = (self.decoder.total_in(), self.decoder.total_out());
            let status = self.decoder.decompress(input, out, FlushDecompress::None);
            let read = narrow(self.decoder.total_in() - before_in);
            let written = narrow(self.decoder.total_out() - before_out);
            self.input.consume(read);
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(_) if is_all && written == 0 => self.fault = Some(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(fault) => self.fault = Some(fault.into()),
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}

/// Converts a number of bytes to `usize`. The number counts bytes of one slice, so it always fits.
fn narrow(count: u64) -> usize {
    usize::try_from(count).expect("no slice is longer")
}

/// A decompressor of zstd data, which consist of one or more frames.
pub struct Zstd<R> {
    input: BufReader<R>,
    decoder: Decoder<'static>,
    /// Whether the latest zstd frame is complete, and the next frame has not begun.
    ended: bool,
}

impl<R: Read> Zstd<R> {
    /// Creates a zstd decompressor. Returns an error if there is not enough memory for the decompressor.
    pub fn new(input: R) -> io::Result<Self> {
        let input = BufReader::with_capacity(BUFFER, input);
        Ok(Self { input, decoder: Decoder::new()?, ended: true })
    }

    /// Moves decompressed bytes from the decoder to `out`. Returns the number of moved bytes.
    fn take(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut out = OutBuffer::around(out);
        self.ended |= self.decoder.run(&mut InBuffer::around(&[]), &mut out)? == 0;
        Ok(out.pos())
    }

    /// Gives at most one block of packed input to the decoder. Returns false if there is no more input.
    fn give(&mut self) -> io::Result<bool> {
        let mut input = InBuffer::around(self.input.fill_buf()?);
        if input.src.is_empty() {
            return Ok(false);
        }
        self.ended = self.decoder.run(&mut input, &mut OutBuffer::around(&mut [][..]))? == 0;
        let read = input.pos();
        self.input.consume(read);
        Ok(true)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            // A failing call of the decoder returns no bytes. So `take` only produces output, and `give` only
            // consumes input. Without room for output, the decoder stops after each block.
            let taken = self.take(out)?;
            if taken > 0 {
                return Ok(taken);
            }
            if !self.give()? {
                return if self.ended { Ok(0) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        }
    }
}

/// A reader that verifies the checksum of an archive member. If the checksum is wrong, the reader returns an
/// error after the last byte.
pub struct Checked<R> {
    input: R,
    crc: Crc,
    expected: u32,
}

impl<R> Checked<R> {
    /// Creates a reader that verifies the checksum of the bytes from `input`. `crc32` is the expected
    /// checksum, which is taken from the archive's directory.
    pub fn new(input: R, crc32: u32) -> Self {
        Self { input, crc: Crc::new(), expected: crc32 }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(out)?;
        self.crc.update(&out[..read]);
        if read == 0 && !out.is_empty() && self.crc.sum() != self.expected {
            return Err(io::Error::new(ErrorKind::InvalidData, "the checksum differs"));
        }
        Ok(read)
    }
}

/// A reader of decompressed bytes that enforces the limits on the unpacked size. Where the data are damaged,
/// this reader records the damage and ends.
pub struct Guarded {
    input: Bytes,
    /// The name of the file, or of the archive and its member, for error messages.
    part: String,
    /// The packed size of the file or member, in bytes.
    packed: u64,
    bounds: Bounds,
    damage: Damage,
    given: u64,
    ended: bool,
}

impl Guarded {
    /// Creates a reader that guards `input`, the unpacked bytes of `part`. `packed` is the packed size of
    /// `part` in bytes.
    pub fn new(input: Bytes, part: String, packed: u64, bounds: Bounds, damage: Damage) -> Self {
        Self { input, part, packed, bounds, damage, given: 0, ended: false }
    }

    /// Returns an error if the number of unpacked bytes so far exceeds a limit.
    fn check(&self) -> Result<(), FeedError> {
        let Self { packed, given, bounds: Bounds { max_bytes, max_ratio }, .. } = *self;
        let part = || self.part.clone();
        if max_bytes > 0 && given > max_bytes {
            return Err(FeedError::TooMuchUnpacked { part: part(), packed, limit: max_bytes });
        }
        if max_ratio > 0 && given > packed.saturating_mul(max_ratio).max(RATIO_FROM) {
            return Err(FeedError::TooTightlyPacked { part: part(), packed, limit: max_ratio });
        }
        Ok(())
    }
}

impl Read for Guarded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        match self.input.read(out) {
            Ok(read) => {
                self.given += read as u64;
                self.check().map_err(io::Error::other)?;
                Ok(read)
            }
            Err(fault) if is_of_the_data(&fault) => {
                let found = match fault.kind() {
                    ErrorKind::UnexpectedEof => format!("cut short after {} bytes", self.given),
                    _ => format!("damaged after {} bytes: {fault}", self.given),
                };
                // A second decompressor around this reader mistakes this end for a truncation. `set` keeps
                // only the first damage, which is the real damage.
                self.damage.set(&found);
                self.ended = true;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns whether an error was caused by damaged data, rather than by the operating system or a limit.
fn is_of_the_data(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
        && error.kind() != ErrorKind::Interrupted
        && !error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<FeedError>)
}
