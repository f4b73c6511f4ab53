//! Compresses responses by the codings that the client accepts (RFC 9110, section 12.5.3).

use std::cmp::Ordering;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};

/// The compression level of zstd.
const ZSTD_LEVEL: i32 = 3;

/// The compression level of brotli. Higher levels take several times as long for market data.
const BROTLI_LEVEL: u32 = 4;

/// The compression level of gzip. Higher levels take several times as long for market data.
const GZIP_LEVEL: u32 = 4;

/// The size of brotli's window as a power of two, and the size of its buffer in bytes.
const BROTLI_SIZES: (u32, usize) = (22, 4096);

/// A coding of the body of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Zstandard (RFC 8878), the fastest of the codings.
    Zstd,
    /// Brotli (RFC 7932), which gives the smallest bodies.
    Brotli,
    /// Gzip (RFC 1952), which every client understands.
    Gzip,
}

impl Coding {
    /// All codings. If a client likes several codings equally, the first of them in this list is used.
    const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// Returns the coding that the headers of a request prefer. Returns `None` if the client accepts no
    /// coding, or prefers a body without one.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Self::among(&Self::ALL, headers)
    }

    /// Returns that one of several codings which the headers of a request prefer. The best of the codings
    /// comes first. Returns `None` if the client accepts none of them, or prefers a body without a coding.
    pub fn among(codings: &[Self], headers: &HeaderMap) -> Option<Self> {
        let accepted: Vec<(String, f32)> = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(weighted)
            .collect();
        let weight_of =
            |name: &str| accepted.iter().find(|(other, _)| other == name).map(|(_, weight)| *weight);
        let any = weight_of("*").unwrap_or(0.0);
        let weight = |coding: &Self| {
            let alias = if *coding == Self::Gzip { weight_of("x-gzip") } else { None };
            weight_of(coding.name()).or(alias).unwrap_or(any)
        };
        let plain = weight_of("identity").unwrap_or(0.0);
        // `max_by` returns the last of several equal elements, and the list has the best coding first.
        let by_weight = |a: &Self, b: &Self| weight(a).partial_cmp(&weight(b)).unwrap_or(Ordering::Equal);
        let best = codings.iter().copied().rev().max_by(by_weight)?;
        (weight(&best) > 0.0 && weight(&best) >= plain).then_some(best)
    }

    /// Returns the value of the header `Content-Encoding` for this coding.
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    /// Compresses the body of a response.
    pub fn compress(self, body: &[u8]) -> Vec<u8> {
        const NO_FAILURE: &str = "writing to a vector never fails";
        match self {
            Self::Zstd => zstd::encode_all(body, ZSTD_LEVEL).expect(NO_FAILURE),
            Self::Brotli => {
                let (window, buffer) = BROTLI_SIZES;
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), buffer, BROTLI_LEVEL, window);
                encoder.write_all(body).expect(NO_FAILURE);
                encoder.into_inner()
            }
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
                encoder.write_all(body).expect(NO_FAILURE);
                encoder.finish().expect(NO_FAILURE)
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// Parses one entry of `Accept-Encoding`, such as `gzip;q=0.5`. Returns the name of the coding and its
/// weight. Returns `None` if the weight is not a number from 0 to 1.
fn weighted(entry: &str) -> Option<(String, f32)> {
    let mut parts = entry.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |weight| weight.parse().ok())?;
    (0.0..=1.0).contains(&weight).then_some((name, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accepted: &str) -> Option<Coding> {
        Coding::of(&HeaderMap::from_iter([(ACCEPT_ENCODING, accepted.parse().unwrap())]))
    }

    #[test]
    fn the_client_chooses_by_weight_and_the_server_among_equals() {
        assert_eq!(of("gzip, deflate, br, zstd"), Some(Coding::Zstd));
        assert_eq!(of("gzip, deflate, br"), Some(Coding::Brotli));
        assert_eq!(of("GZIP"), Some(Coding::Gzip));
        assert_eq!(of("x-gzip"), Some(Coding::Gzip));
        assert_eq!(of("br;q=0.5, gzip;q=0.8, zstd;q=0"), Some(Coding::Gzip));
        assert_eq!(of("*"), Some(Coding::Zstd));
        assert_eq!(of("zstd;q=0, *;q=0.1"), Some(Coding::Brotli));
        assert_eq!(of("gzip;q=0.5, identity;q=0.5"), Some(Coding::Gzip));
    }

    #[test]
    fn a_client_may_prefer_or_need_a_body_without_a_coding() {
        assert_eq!(Coding::of(&HeaderMap::new()), None);
        for accepted in
            ["", "identity", "deflate", "gzip;q=0", "*;q=0", "gzip;q=0.5, identity", "gzip;q=2", "gzip;q=x"]
        {
            assert_eq!(of(accepted), None, "{accepted}");
        }
    }
}
