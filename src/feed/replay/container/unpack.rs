//! Decompressors that give what they can: all that came before the first fault, and then the fault.
//!
//! The readers of flate2 and zstd drop what they have decompressed in the call that fails, which can be a whole
//! small file; so they are driven piece by piece here.

use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::bounds::Bounds;
use super::damage::Damage;
use crate::feed::error::FeedError;

/// How much is read at a time, in bytes.
const BUFFER: usize = 64 * 1024;

/// The largest window of gzip and zip, as a power of two.
const WINDOW_BITS: u8 = 15;

/// So much may come out of a packed file whatever its ratio, in bytes.
const RATIO_FROM: u64 = 16 * 1024 * 1024;

/// The bytes of a text, or what it is packed in.
pub type Bytes = Box<dyn Read + Send>;

/// Deflated data, unpacked.
pub struct Inflate<R> {
    input: BufReader<R>,
    decoder: Decompress,
    /// In gzip, one member may follow another.
    gzip: bool,
    /// The end of a member has been read, and nothing of the next one.
    ended: bool,
    /// What is to be told after what has come out.
    fault: Option<io::Error>,
}

impl<R: Read> Inflate<R> {
    /// The members of gzip data, one after the other.
    pub fn gzip(input: R) -> Self {
        Self::new(input, Decompress::new_gzip(WINDOW_BITS), true)
    }

    /// Data without a header, as in zip archives.
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

/// What was read from a slice, or written to one.
fn narrow(count: u64) -> usize {
    usize::try_from(count).expect("no slice is longer")
}

/// Frames of zstd, one after the other, unpacked.
pub struct Zstd<R> {
    input: BufReader<R>,
    decoder: Decoder<'static>,
    /// The end of a frame has been read, and nothing of the next one.
    ended: bool,
}

impl<R: Read> Zstd<R> {
    /// Fails where there is no memory for a decoder.
    pub fn new(input: R) -> io::Result<Self> {
        let input = BufReader::with_capacity(BUFFER, input);
        Ok(Self { input, decoder: Decoder::new()?, ended: true })
    }

    /// Takes what has been decompressed and waits; returns how many bytes that is.
    fn take(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut out = OutBuffer::around(out);
        self.ended |= self.decoder.run(&mut InBuffer::around(&[]), &mut out)? == 0;
        Ok(out.pos())
    }

    /// Decompresses as much as the decoder holds, a block or less; false at the end of the input.
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
            // A call that fails gives nothing out. So no call does both: one takes without giving more, and one
            // gives more without room for what comes of it, and so stops behind each block.
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

/// The bytes of a member of an archive; where they are others than were packed, a fault at their end.
pub struct Checked<R> {
    input: R,
    crc: Crc,
    expected: u32,
}

impl<R> Checked<R> {
    /// `crc32` as the archive's directory has it.
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

/// What comes out of a decompressor, up to its first fault and within bounds.
pub struct Guarded {
    input: Bytes,
    /// The file, or the archive and the member.
    part: String,
    /// How large that is, in bytes.
    packed: u64,
    bounds: Bounds,
    damage: Damage,
    given: u64,
    ended: bool,
}

impl Guarded {
    /// What comes out of `part`, which has so many packed bytes.
    pub fn new(input: Bytes, part: String, packed: u64, bounds: Bounds, damage: Damage) -> Self {
        Self { input, part, packed, bounds, damage, given: 0, ended: false }
    }

    /// Whether what was given is not too much.
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
                // What a layer below had to end may look cut short in the one above.
                self.damage.set(&found);
                self.ended = true;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an error says that packed data are wrong, and neither that they cannot be read nor that they are too many.
fn is_of_the_data(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
        && error.kind() != ErrorKind::Interrupted
        && !error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<FeedError>)
}
