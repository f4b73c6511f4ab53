//! Finds the character encoding of a text, and converts the text to UTF-8.
//!
//! A byte order mark in the text overrides the configured encoding. If there is neither a byte order mark nor
//! a configured encoding, the encoding is guessed from the beginning of the text. UTF-8 is recognized by its
//! valid characters, and UTF-16 by its zero bytes. To tell older encodings such as EUC-KR and Windows-1252
//! apart, this module uses chardetng, the detector of Firefox.
//!
//! UTF-8 text is neither converted nor checked as a whole. So an invalid character in UTF-8 text affects only
//! the row that contains this character.

use std::io::{self, Cursor, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::feed::error::FeedError;

/// How many bytes at the start of a text are read to guess the encoding of the text.
const BEGINNING: usize = 64 * 1024;

/// A text counts as UTF-8 if it has at least this many valid non-ASCII characters for each invalid character.
const GOOD_FOR_BROKEN: usize = 10;

/// Returns the encoding that has the given label in the [Encoding
/// Standard](https://encoding.spec.whatwg.org/#names-and-labels), such as `utf-8` or `EUC-KR`. Upper and
/// lower case make no difference. The names that Python gives to Windows code pages are accepted too, such as
/// `cp949` for `windows-949`.
///
/// # Errors
///
/// Returns an error if the label is unknown.
pub fn by_label(label: &str) -> Result<&'static Encoding, FeedError> {
    let code_page = || label.trim().to_ascii_lowercase().replacen("cp", "windows-", 1);
    Encoding::for_label_no_replacement(label.as_bytes())
        .or_else(|| Encoding::for_label_no_replacement(code_page().as_bytes()))
        .ok_or_else(|| FeedError::Encoding { label: label.to_owned() })
}

/// Converts a text to UTF-8, and removes its byte order mark. Returns a reader of the converted text, and the
/// original encoding.
///
/// A byte order mark in the text overrides `encoding`. If there is no byte order mark and `encoding` is
/// `None`, the encoding is guessed. Binary data are taken for UTF-8, so they stay unchanged.
///
/// # Errors
///
/// Returns an error if the beginning of the text cannot be read.
pub fn decode(
    mut input: Box<dyn Read + Send>,
    encoding: Option<&'static Encoding>,
) -> io::Result<(Box<dyn Read + Send>, &'static Encoding)> {
    let mut beginning = Vec::with_capacity(BEGINNING);
    input.by_ref().take(BEGINNING as u64).read_to_end(&mut beginning)?;
    let (encoding, mark) = Encoding::for_bom(&beginning)
        .unwrap_or_else(|| (encoding.unwrap_or_else(|| encoding_of(&beginning)), 0));
    beginning.drain(..mark);
    let input = Cursor::new(beginning).chain(input);
    if encoding == UTF_8 {
        return Ok((Box::new(input), encoding));
    }
    let utf8 = DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_sniffing(false).build(input);
    Ok((Box::new(utf8), encoding))
}

/// Guesses the encoding of a text without a byte order mark.
fn encoding_of(beginning: &[u8]) -> &'static Encoding {
    utf16_of(beginning).unwrap_or_else(|| {
        if beginning.contains(&0) || is_utf8(beginning) {
            return UTF_8;
        }
        // ISO-2022-JP is never guessed, because the detector would mistake `$` and `(` for Japanese.
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(beginning, beginning.len() < BEGINNING);
        detector.guess(None, Utf8Detection::Deny)
    })
}

/// Returns UTF-16LE or UTF-16BE, whichever decodes the text to mostly ASCII characters; `None` if neither
/// does. The ASCII characters are enough to recognize UTF-16, because market data in any language are mostly
/// ASCII.
fn utf16_of(beginning: &[u8]) -> Option<&'static Encoding> {
    let (units, _) = beginning.as_chunks();
    let text = |byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let is_most = |ascii: usize| 2 * ascii > units.len();
    if is_most(units.iter().filter(|[low, high]| *high == 0 && text(*low)).count()) {
        Some(UTF_16LE)
    } else if is_most(units.iter().filter(|[high, low]| *high == 0 && text(*low)).count()) {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Returns whether the beginning of a text is UTF-8. The last character of `beginning` may be incomplete,
/// because only the first bytes of the text were read. A few characters that are invalid in UTF-8 are
/// tolerated.
fn is_utf8(beginning: &[u8]) -> bool {
    let Err(error) = str::from_utf8(beginning) else { return true };
    if error.error_len().is_none() {
        return true;
    }
    let (mut good, mut broken) = (0, 0);
    for chunk in beginning.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    good >= GOOD_FOR_BROKEN * broken
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_KR, GBK, SHIFT_JIS, WINDOWS_1251, WINDOWS_1252};

    use super::*;
    use crate::feed::ErrorClass;

    const KOREAN: &str =
        "일자,종가,대비,시가,고가,저가,거래량\n2024-01-02,79600,1100,78200,79800,78200,17142847\n";
    const GERMAN: &str = "Datum;Eröffnung;Höchst;Tiefst;Schluß\n02.01.2024;5,5;5,6;5,4;5,5\n";

    /// A test reader that returns at most the given number of bytes in each call.
    struct Pieces(Cursor<Vec<u8>>, usize);

    impl Read for Pieces {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let piece = out.len().min(self.1);
            self.0.read(&mut out[..piece])
        }
    }

    fn decode(bytes: &[u8], encoding: Option<&'static Encoding>) -> (Vec<u8>, &'static Encoding) {
        let (mut text, encoding) = super::decode(Box::new(Cursor::new(bytes.to_vec())), encoding).unwrap();
        let mut utf8 = Vec::new();
        text.read_to_end(&mut utf8).unwrap();
        (utf8, encoding)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[track_caller]
    fn assert_decoded(bytes: &[u8], text: &str, encoding: &'static Encoding) {
        let (utf8, found) = decode(bytes, None);
        assert_eq!((str::from_utf8(&utf8), found), (Ok(text), encoding));
    }

    #[test]
    fn text_of_any_encoding_becomes_utf8() {
        let marked = |text: &str| format!("\u{feff}{text}");

        assert_decoded(KOREAN.as_bytes(), KOREAN, UTF_8);
        assert_decoded(marked(KOREAN).as_bytes(), KOREAN, UTF_8);
        assert_decoded(&utf16(&marked(KOREAN), u16::to_le_bytes), KOREAN, UTF_16LE);
        assert_decoded(&utf16(&marked(KOREAN), u16::to_be_bytes), KOREAN, UTF_16BE);
        assert_decoded(&utf16(KOREAN, u16::to_le_bytes), KOREAN, UTF_16LE);
        assert_decoded(&utf16(KOREAN, u16::to_be_bytes), KOREAN, UTF_16BE);
        for (text, encoding) in [
            (KOREAN, EUC_KR),
            ("date,close,name\n1,2,삼성전자\n", EUC_KR),
            ("종목,가격\n뷁,5\n", EUC_KR),
            (GERMAN, WINDOWS_1252),
            ("Date;Clôture;Plus haut\n", WINDOWS_1252),
            ("Datum;Änderung;Kurs\n", WINDOWS_1252),
            ("Date,Price,Vol\n1,€5,5\n", WINDOWS_1252),
            ("日期,开盘,收盘,最高,最低,成交量\n", GBK),
            ("日期,開盤價,最高價,收盤價\n", BIG5),
            ("日付,始値,高値,安値,終値,出来高\n", SHIFT_JIS),
            ("Дата;Цена;Объём\n", WINDOWS_1251),
        ] {
            assert_decoded(&encoding.encode(text).0, text, encoding);
        }
        assert_decoded(b"", "", UTF_8);
        assert_decoded(b"time,price\n", "time,price\n", UTF_8);
    }

    #[test]
    fn a_given_encoding_is_used_unless_a_byte_order_mark_overrides_it() {
        let korean = EUC_KR.encode(KOREAN).0;
        let marked = utf16(&format!("\u{feff}{KOREAN}"), u16::to_le_bytes);

        assert_ne!(decode(&korean, Some(WINDOWS_1252)), (KOREAN.into(), EUC_KR));
        assert_eq!(decode(&korean, Some(UTF_8)), (korean.to_vec(), UTF_8));
        assert_eq!(decode(&marked, Some(UTF_16LE)), (KOREAN.into(), UTF_16LE));
        assert_eq!(decode(&marked, Some(EUC_KR)), (KOREAN.into(), UTF_16LE));
    }

    #[test]
    fn utf8_with_an_invalid_character_stays_utf8_and_keeps_its_bytes() {
        let mut early = KOREAN.replace("79600", "7\u{1}600").into_bytes();
        for byte in &mut early {
            if *byte == 1 {
                *byte = 0xff;
            }
        }
        let mut late = "1,2,3\n".repeat(BEGINNING).into_bytes();
        late.extend(b"\xe9\xff\n");
        let cut = &KOREAN.as_bytes()[..4];

        assert_eq!(decode(&early, None), (early.clone(), UTF_8));
        assert_eq!(decode(&late, None), (late.clone(), UTF_8));
        assert_eq!(decode(cut, None), (cut.to_vec(), UTF_8));
    }

    #[test]
    fn ten_good_characters_make_up_for_an_invalid_one() {
        let text = |good: usize| ["é".repeat(good).as_bytes(), b"\xff x"].concat();

        assert!(is_utf8(&text(10)));
        assert!(!is_utf8(&text(9)));
    }

    #[test]
    fn the_first_64_kib_decide_the_encoding() {
        let encoding = |position: usize| {
            let mut text = b"1,2,3\n".repeat(12_000);
            text[position] = b'\xe9';
            decode(&text, None).1
        };

        assert_eq!(encoding(64 * 1024 - 2), WINDOWS_1252);
        assert_eq!(encoding(64 * 1024), UTF_8);
    }

    #[test]
    fn a_character_that_crosses_the_end_of_the_first_bytes_is_decoded() {
        for shift in 0..3 {
            let text = format!("{}{}", "x".repeat(shift), KOREAN.repeat(2000));
            assert_decoded(text.as_bytes(), &text, UTF_8);
            assert_decoded(&EUC_KR.encode(&text).0, &text, EUC_KR);
            assert_decoded(&utf16(&text, u16::to_le_bytes), &text, UTF_16LE);
        }
    }

    #[test]
    fn binary_data_stay_unchanged() {
        let image = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0\xff\xfe".as_slice();
        let numbers: Vec<u8> = (1..9000_u32).flat_map(u32::to_le_bytes).collect();

        for binary in [image, &numbers, &[0; 100]] {
            assert_eq!(decode(binary, None), (binary.to_vec(), UTF_8));
        }
    }

    #[test]
    fn reads_of_any_size_give_the_same_text() {
        let text = KOREAN.repeat(1500);
        for bytes in
            [text.clone().into_bytes(), EUC_KR.encode(&text).0.into(), utf16(&text, u16::to_be_bytes)]
        {
            for (piece, room) in [(1, 1), (1, 7), (3, 2), (1000, 3), (usize::MAX, 5)] {
                let (mut input, _) =
                    super::decode(Box::new(Pieces(Cursor::new(bytes.clone()), piece)), None).unwrap();
                let (mut utf8, mut out) = (Vec::new(), vec![0; room]);
                loop {
                    let read = input.read(&mut out).unwrap();
                    if read == 0 {
                        break;
                    }
                    utf8.extend_from_slice(&out[..read]);
                }
                assert!(utf8 == text.as_bytes(), "pieces of {piece} into room for {room}");
            }
        }
    }

    #[test]
    fn encodings_are_known_by_their_labels_and_an_unknown_label_is_an_error_with_examples() {
        for (label, expected) in [
            ("utf-8", UTF_8),
            ("UTF8", UTF_8),
            ("euc-kr", EUC_KR),
            ("CP949", EUC_KR),
            ("ks_c_5601-1987", EUC_KR),
            ("latin1", WINDOWS_1252),
            ("cp1252", WINDOWS_1252),
            (" utf-16 ", UTF_16LE),
        ] {
            assert_eq!(by_label(label).unwrap(), expected, "{label}");
        }
        for label in ["", "cp", "klingon", "iso-2022-kr"] {
            let error = by_label(label).unwrap_err();
            assert_eq!(error.to_string(), format!("feed.replay.encoding: `{label}` is not an encoding"));
            assert!(error.hint().unwrap().contains("euc-kr"));
            assert_eq!(error.class(), ErrorClass::Configuration);
        }
    }
}
