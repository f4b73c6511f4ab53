//! Decompressors that return all bytes before an error, and then the error.
//!
//! The readers of flate2 and zstd lose the bytes that they decompressed in the call that fails. That can be a whole
//! small file. So the decoders are called piece by piece here.

use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::bounds::Bounds;
use super::damage::Damage;
use crate::feed::error::FeedError;

/// The number of bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// The largest window of gzip and zip, as a power of two.
const WINDOW_BITS: u8 = 15;

/// The unpacked size from which the ratio is checked, in bytes.
const RATIO_FROM: u64 = 16 * 1024 * 1024;

/// The bytes of a text, packed or unpacked.
pub type Bytes = Box<dyn Read + Send>;

/// A decompressor of deflated data.
pub struct Inflate<R> {
    input: BufReader<R>,
    decoder: Decompress,
    /// Whether another gzip member may follow.
    gzip: bool,
    /// Whether the end of a member has been read, and nothing of the next one.
    ended: bool,
    /// An error that is returned after the bytes before it.
    fault: Option<io::Error>,
}

impl<R: Read> Inflate<R> {
    /// Creates a decompressor of gzip data with one or more members.
    pub fn gzip(input: R) -> Self {
        Self::new(input, Decompress::new_gzip(WINDOW_BITS), true)
    }

    /// Creates a decompressor of data without a header, as in zip archives.
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

/// Converts a length that fits into a slice.
fn narrow(count: u64) -> usize {
    usize::try_from(count).expect("no slice is longer")
}

/// A decompressor of zstd data with one or more frames.
pub struct Zstd<R> {
    input: BufReader<R>,
    decoder: Decoder<'static>,
    /// Whether the end of a frame has been read, and nothing of the next one.
    ended: bool,
}

impl<R: Read> Zstd<R> {
    /// Creates a decompressor. Returns an error if there is no memory for it.
    pub fn new(input: R) -> io::Result<Self> {
        let input = BufReader::with_capacity(BUFFER, input);
        Ok(Self { input, decoder: Decoder::new()?, ended: true })
    }

    /// Takes the decompressed bytes that are ready. Returns their number.
    fn take(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut out = OutBuffer::around(out);
        self.ended |= self.decoder.run(&mut InBuffer::around(&[]), &mut out)? == 0;
        Ok(out.pos())
    }

    /// Feeds the decoder with input, a block at most. Returns false at the end of the input.
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
            // A call that fails returns no bytes. So each call does one thing: `take` returns bytes and reads no
            // input, and `give` reads input but has no room for output, so it stops behind each block.
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

/// The bytes of a member of an archive. They end with an error if their checksum differs from that in the archive's
/// directory.
pub struct Checked<R> {
    input: R,
    crc: Crc,
    expected: u32,
}

impl<R> Checked<R> {
    /// Creates a reader that checks the bytes. `crc32` is the checksum in the archive's directory.
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

/// The bytes of a decompressor, up to its first error and within the limits.
pub struct Guarded {
    input: Bytes,
    /// The path of the file, or of the archive and its member.
    part: String,
    /// The packed size, in bytes.
    packed: u64,
    bounds: Bounds,
    damage: Damage,
    given: u64,
    ended: bool,
}

impl Guarded {
    /// Creates a guard for the unpacked bytes of `part`, which has `packed` bytes.
    pub fn new(input: Bytes, part: String, packed: u64, bounds: Bounds, damage: Damage) -> Self {
        Self { input, part, packed, bounds, damage, given: 0, ended: false }
    }

    /// Returns an error if more bytes came out than the limits allow.
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
                // This layer ends here, which looks like a cut to the layer above it. `set` keeps the first damage,
                // which is the true one.
                self.damage.set(&found);
                self.ended = true;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns whether an error means that the packed data are damaged, and not that they cannot be read or exceed a
/// limit.
fn is_of_the_data(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
        && error.kind() != ErrorKind::Interrupted
        && !error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<FeedError>)
}
