//! Decompressors that return all bytes before an error, and then the error.
//!
//! When a call fails, the readers of flate2 and zstd lose the bytes that the call decompressed. A small file
//! can be lost as a whole. So this module calls the decoders directly, piece by piece.

use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::bounds::Bounds;
use super::damage::Damage;
use crate::feed::error::FeedError;

/// The size of the read buffer, in bytes.
const BUFFER: usize = 64 * 1024;

/// The binary logarithm of gzip's largest window in bytes.
const WINDOW_BITS: u8 = 15;

/// The unpacked size from which the ratio is checked, in bytes.
const RATIO_FROM: u64 = 16 * 1024 * 1024;

/// A reader of a text's bytes, packed or unpacked.
pub type Bytes = Box<dyn Read + Send>;

/// A decompressor of deflate data, the compression of gzip and zip.
pub struct Inflate<R> {
    input: BufReader<R>,
    decoder: Decompress,
    /// Whether another gzip member may follow.
    gzip: bool,
    /// Whether the latest member is complete, and the next member has not begun.
    ended: bool,
    /// An error that the next call returns, because the bytes before the error are returned first.
    fault: Option<io::Error>,
}

impl<R: Read> Inflate<R> {
    /// Creates a decompressor of gzip data with one or more members.
    pub fn gzip(input: R) -> Self {
        Self::new(input, Decompress::new_gzip(WINDOW_BITS), true)
    }

    /// Creates a decompressor of deflate data without a header, as in zip archives.
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

/// Converts the length of a slice to `usize`.
fn narrow(count: u64) -> usize {
    usize::try_from(count).expect("no slice is longer")
}

/// A decompressor of zstd data with one or more frames.
pub struct Zstd<R> {
    input: BufReader<R>,
    decoder: Decoder<'static>,
    /// Whether the latest frame is complete, and the next frame has not begun.
    ended: bool,
}

impl<R: Read> Zstd<R> {
    /// Creates a decompressor. Returns an error if there is no memory for it.
    pub fn new(input: R) -> io::Result<Self> {
        let input = BufReader::with_capacity(BUFFER, input);
        Ok(Self { input, decoder: Decoder::new()?, ended: true })
    }

    /// Moves decompressed bytes from the decoder to `out`. Returns the number of bytes.
    fn take(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut out = OutBuffer::around(out);
        self.ended |= self.decoder.run(&mut InBuffer::around(&[]), &mut out)? == 0;
        Ok(out.pos())
    }

    /// Feeds at most one block of input to the decoder. Returns false at the end of the input.
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

/// A reader that verifies the checksum of an archive member. If the checksum is wrong, an error follows the
/// last byte.
pub struct Checked<R> {
    input: R,
    crc: Crc,
    expected: u32,
}

impl<R> Checked<R> {
    /// Creates a reader that compares its bytes with `crc32`, the checksum in the archive's directory.
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

/// A reader of decompressed bytes that enforces the limits. At damage, the reader records the damage and ends
/// the text.
pub struct Guarded {
    input: Bytes,
    /// The file, or the archive and the member, for error messages.
    part: String,
    /// The packed size, in bytes.
    packed: u64,
    bounds: Bounds,
    damage: Damage,
    given: u64,
    ended: bool,
}

impl Guarded {
    /// Creates a guard for `input`, the unpacked bytes of `part`. `packed` is the packed size in bytes.
    pub fn new(input: Bytes, part: String, packed: u64, bounds: Bounds, damage: Damage) -> Self {
        Self { input, part, packed, bounds, damage, given: 0, ended: false }
    }

    /// Returns an error if the unpacked bytes exceed a limit.
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

/// Returns whether damaged data caused an error, rather than the operating system or a limit.
fn is_of_the_data(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
        && error.kind() != ErrorKind::Interrupted
        && !error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<FeedError>)
}
