use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::feed::ErrorClass;

const NO_BOUNDS: Bounds = Bounds { max_bytes: 0, max_ratio: 0 };
const MIB: usize = 1024 * 1024;

/// Returns the text of `count` rows that differ from each other, and compress about as well as real prices.
fn rows(count: usize) -> Vec<u8> {
    let mut seed = 1_u32;
    let row = |number| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{number},A,{}.{:02}\n", 100 + (seed >> 28), seed >> 25)
    };
    (0..count).map(row).collect::<String>().into_bytes()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Compresses a text to one zstd frame with a checksum.
fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zip_by(options: SimpleFileOptions, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_by(deflated(), members)
}

/// A test file in its own temporary folder. The file's name does not tell how the file is packed.
struct OnDisk(TempDir);

impl OnDisk {
    fn new(content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), content).unwrap();
        Self(folder)
    }

    fn parts(&self) -> Result<Vec<Part>, FeedError> {
        parts(&self.0.path().join("file"))
    }

    /// Returns the only text in the file, and panics if the file has several texts.
    fn part(&self) -> Part {
        let [part] = self.parts().unwrap().try_into().unwrap();
        part
    }

    /// Returns the display names of the texts in the file, without the folder.
    fn names(&self) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        self.parts().unwrap().iter().map(|part| part.to_string().replace(&folder, "")).collect()
    }

    fn read(&self, bounds: Bounds) -> Result<(Vec<u8>, Option<String>), FeedError> {
        read(&self.part(), bounds)
    }
}

/// Reads and unpacks a text. Returns the unpacked bytes, and the damage that was found, if there was any.
fn read(part: &Part, bounds: Bounds) -> Result<(Vec<u8>, Option<String>), FeedError> {
    let Opened { mut input, damage } = part.open(&bounds)?;
    let mut text = Vec::new();
    input.read_to_end(&mut text).map_err(|source| FeedError::read_failed(&part.path, source))?;
    Ok((text, damage.found().map(str::to_owned)))
}

#[track_caller]
fn assert_gives(content: &[u8], text: &[u8]) {
    let (found, damage) = OnDisk::new(content).read(NO_BOUNDS).unwrap();
    assert!(found == text, "{} bytes, not {}", found.len(), text.len());
    assert_eq!(damage, None);
}

/// Checks that unpacking `content` gives at least the first `least` bytes of `text`. Also checks that the
/// description of the damage begins with `said`.
#[track_caller]
fn assert_gives_the_start(content: &[u8], text: &[u8], least: usize, said: &str) {
    let (found, damage) = OnDisk::new(content).read(NO_BOUNDS).unwrap();
    assert!(text.starts_with(&found), "{} bytes, which are not the start of the text", found.len());
    assert!(found.len() >= least, "{} bytes, and not {least} of {}", found.len(), text.len());
    let damage = damage.unwrap();
    assert!(damage.starts_with(&format!("{said} after {} bytes", found.len())), "{damage}");
}

#[track_caller]
fn refused(content: &[u8]) -> String {
    let file = OnDisk::new(content);
    let error = file.parts().and_then(|parts| read(&parts[0], NO_BOUNDS)).unwrap_err();
    assert_eq!(error.class(), ErrorClass::BadData);
    assert!(error.hint().is_some());
    error.in_full().replace(&format!("{}/", file.0.path().display()), "")
}

#[test]
fn a_file_is_known_by_its_first_bytes_and_unpacked() {
    let text = rows(50_000);

    assert_gives(&text, &text);
    assert_gives(&gzip(&text), &text);
    assert_gives(&zstd(&text), &text);
    assert_gives(&zip(&[("a.csv", &text)]), &text);
    assert_gives(&zip_by(stored(), &[("a.csv", &text)]), &text);
    for short in [&b""[..], b"P", b"PK\x03", b"\x1f\x8b"] {
        assert_gives(short, short);
    }
    assert_gives(&gzip(b""), b"");
    assert_gives(&zstd(b""), b"");
    assert_gives(&zip(&[("a.csv", b"")]), b"");
}

#[test]
fn members_of_gzip_and_frames_of_zstd_are_one_text() {
    let (first, second) = (rows(20_000), rows(3));
    let text = [&*first, b"", &second].concat();

    assert_gives(&[gzip(&first), gzip(b""), gzip(&second)].concat(), &text);
    assert_gives(&[zstd(&first), zstd(b""), zstd(&second)].concat(), &text);
    let skipped = b"\x50\x2a\x4d\x18\x04\0\0\0skip";
    assert_gives(&[skipped, &*zstd(&first), skipped, &zstd(&second), skipped].concat(), &text);
}

#[test]
fn an_archive_has_a_part_for_each_file_in_it_in_its_own_order() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_directory("daily", deflated()).unwrap();
    for name in [
        "daily/MSFT.csv",
        "__MACOSX/daily/._MSFT.csv",
        "daily/._AAPL.csv",
        "daily/.DS_Store",
        "daily/AAPL.csv",
        "삼성\u{1b}전자.csv",
    ] {
        writer.start_file(name, deflated()).unwrap();
        writer.write_all(name.as_bytes()).unwrap();
    }
    let file = OnDisk::new(&writer.finish().unwrap().into_inner());

    assert_eq!(file.names(), ["file:daily/MSFT.csv", "file:daily/AAPL.csv", "file:삼성\u{fffd}전자.csv"]);
    for part in file.parts().unwrap() {
        let name = part.member.clone().unwrap().name;
        assert_eq!(read(&part, NO_BOUNDS).unwrap().0, name.as_bytes());
    }
    assert_eq!(OnDisk::new(b"time,price\n").names(), ["file"]);
}

#[test]
fn a_part_can_be_opened_again_and_read_in_pieces_of_any_size() {
    let text = rows(2_000);
    for content in [text.clone(), gzip(&text), zstd(&text), zip(&[("a.csv", &text)])] {
        let file = OnDisk::new(&content);
        let part = file.part();
        for room in [1, 7, 1000] {
            let mut input = part.open(&NO_BOUNDS).unwrap().input;
            let (mut found, mut out) = (Vec::new(), vec![0; room]);
            loop {
                assert_eq!(input.read(&mut []).unwrap(), 0);
                let read = input.read(&mut out).unwrap();
                if read == 0 {
                    break;
                }
                found.extend_from_slice(&out[..read]);
            }
            assert!(found == text, "with room for {room}");
        }
    }
}

#[test]
fn a_text_packed_twice_is_unpacked_and_one_packed_more_often_is_refused() {
    let text = rows(100);
    let twice = gzip(&zstd(&text));

    assert_gives(&twice, &text);
    assert_gives(&zip(&[("a.csv.gz", &gzip(&text))]), &text);
    assert_gives(&zip_by(stored(), &[("a.csv.gz", &twice)]), &text);
    assert_eq!(refused(&gzip(&twice)), "file: it is packed too many times");
    let archive = zip(&[("a.csv", &text)]);
    assert_eq!(refused(&gzip(&archive)), "file: it is a zip archive in a packed file");
    assert_eq!(refused(&zip(&[("b.zip", &archive)])), "file:b.zip: it is a zip archive in a packed file");
}

#[test]
fn a_file_cut_short_gives_the_bytes_before_the_cut() {
    let text = rows(100_000);
    let (gzip, zstd) = (gzip(&text), zstd(&text));
    let member = zip(&[("a.csv.gz", &gzip[..gzip.len() / 2])]);

    for (numerator, denominator) in [(1, 10), (1, 2), (9, 10)] {
        let part = |whole: usize| whole * numerator / denominator;
        let least = part(text.len());
        assert_gives_the_start(&gzip[..part(gzip.len())], &text, least - least / 10, "cut short");
        // An incomplete block, of up to 128 KiB, cannot be decompressed.
        let least = least.saturating_sub(MIB / 8 + least / 10);
        assert_gives_the_start(&zstd[..part(zstd.len())], &text, least, "cut short");
    }
    for behind in 1..=8 {
        assert_gives_the_start(&gzip[..gzip.len() - behind], &text, text.len(), "cut short");
    }
    for behind in 1..=4 {
        assert_gives_the_start(&zstd[..zstd.len() - behind], &text, text.len(), "cut short");
    }
    assert_gives_the_start(&gzip[..5], &text, 0, "cut short");
    assert_gives_the_start(&zstd[..5], &text, 0, "cut short");
    assert_gives_the_start(&member, &text, text.len() * 2 / 5, "cut short");
}

#[test]
fn a_damaged_file_gives_the_bytes_before_the_damage() {
    let text = rows(100_000);
    let (first, second) = (gzip(&text), zstd(&text));
    let wrong_at_the_end = |packed: &[u8], from_end: usize| {
        let mut packed = packed.to_vec();
        let index = packed.len() - from_end;
        packed[index] ^= 1;
        packed
    };

    assert_gives_the_start(&wrong_at_the_end(&first, 8), &text, text.len(), "damaged");
    assert_gives_the_start(&wrong_at_the_end(&second, 1), &text, text.len(), "damaged");
    assert_gives_the_start(&[&*first, b"more"].concat(), &text, text.len(), "damaged");
    assert_gives_the_start(&[&*second, b"more"].concat(), &text, text.len(), "damaged");
    let member = zip_by(stored(), &[("a.csv", &text), ("b.csv", b"")]);
    let index = member.windows(8).position(|window| window == &text[text.len() - 8..]).unwrap();
    let mut wrong = member.clone();
    wrong[index] ^= 1;
    let file = OnDisk::new(&wrong);
    let (found, damage) = read(&file.parts().unwrap()[0], NO_BOUNDS).unwrap();
    assert_eq!(found.len(), text.len());
    assert_eq!(damage.unwrap(), format!("damaged after {} bytes: the checksum differs", text.len()));
}

#[test]
fn no_row_before_a_fault_in_the_middle_is_lost() {
    let text = rows(100_000);
    // The byte 0xff begins a block of an unknown type, which both decompressors reject at once.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&text).unwrap();
    encoder.flush().unwrap();
    let mut gzip = encoder.get_ref().clone();
    gzip.extend([0xff; 100]);
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&text).unwrap();
    encoder.flush().unwrap();
    let mut zstd = encoder.get_ref().clone();
    zstd.extend([0xff; 100]);

    assert_gives_the_start(&gzip, &text, text.len(), "damaged");
    assert_gives_the_start(&zstd, &text, text.len(), "damaged");
    let mut archive = zip(&[("a.csv", &text)]);
    let middle = archive.len() / 2;
    archive[middle..middle + 50].fill(0);
    let (found, damage) = OnDisk::new(&archive).read(NO_BOUNDS).unwrap();
    let same = found.iter().zip(&text).take_while(|(found, given)| found == given).count();
    assert!(same > text.len() * 2 / 5, "{same} of {}", text.len());
    assert!(damage.unwrap().starts_with("damaged after"));
}

#[test]
fn an_archive_that_is_cut_short_or_has_no_file_is_refused() {
    let archive = zip(&[("a.csv", &rows(1000))]);

    for end in [10, archive.len() / 2, archive.len() - 30, archive.len() - 5] {
        let error = refused(&archive[..end]);
        assert!(error.starts_with("file: the directory of the zip archive cannot be read: "), "{error}");
    }
    let none = "file: not market data: it looks like a zip archive without a file in it";
    assert_eq!(refused(&zip(&[])), none);
    assert_eq!(refused(&zip(&[("__MACOSX/._a.csv", b"x")])), none);
    assert_eq!(
        refused(&zip(&[("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"")])),
        "file: not market data: it looks like an office document, such as an Excel workbook"
    );
}

#[test]
fn a_member_that_is_encrypted_or_packed_by_another_method_is_refused_by_its_name() {
    let archive = zip(&[("a.csv", &rows(10))]);
    let directory = archive.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    // The flags and the method of a member are stored twice: in front of its data, and in the directory.
    let (mut encrypted, mut bzip2) = (archive.clone(), archive);
    encrypted[6] |= 1;
    encrypted[directory + 8] |= 1;
    bzip2[8] = 12;
    bzip2[directory + 10] = 12;

    assert_eq!(refused(&encrypted), "file:a.csv: it is encrypted");
    assert_eq!(refused(&bzip2), "file:a.csv: it is packed by bzip2, which is not supported");
}

#[test]
fn a_text_larger_than_the_bounds_is_refused_and_one_within_them_is_not() {
    let bomb = vec![b'0'; 64 * MIB];
    let text = rows(10_000);
    let bytes = |max_bytes| Bounds { max_bytes, max_ratio: 0 };
    let ratio = |max_ratio| Bounds { max_bytes: 0, max_ratio };
    for packed in [gzip(&bomb), zstd(&bomb), zip(&[("a.csv", &bomb)]), gzip(&gzip(&bomb))] {
        let file = OnDisk::new(&packed);
        let error = file.read(bytes(MIB as u64)).unwrap_err();
        assert!(error.to_string().contains("packed bytes give more than 1048576 bytes"), "{error}");
        assert!(error.hint().unwrap().contains("--max-bytes"));
        assert_eq!(error.class(), ErrorClass::BadData);
        let error = file.read(ratio(100)).unwrap_err();
        assert!(error.to_string().contains("give more than 100 times as many"), "{error}");
        assert_eq!(error.class(), ErrorClass::BadData);
    }
    let length = text.len() as u64;
    for packed in [gzip(&text), zstd(&text), zip(&[("a.csv", &text)])] {
        let file = OnDisk::new(&packed);
        assert_eq!(file.read(bytes(length)).unwrap().0.len(), text.len());
        assert_eq!(file.read(ratio(1)).unwrap().0.len(), text.len());
        assert!(file.read(bytes(length - 1)).is_err());
    }
    for unpacked in [text.clone(), zip_by(stored(), &[("a.csv", &text)])] {
        let bounds = Bounds { max_bytes: 1, max_ratio: 1 };
        assert_eq!(OnDisk::new(&unpacked).read(bounds).unwrap().0.len(), text.len());
    }
}

#[test]
fn a_large_text_needs_no_more_memory_than_a_small_text() {
    let text = rows(2_000_000);
    for content in [gzip(&text), zstd(&text), zip(&[("a.csv", &text)])] {
        let part_of = OnDisk::new(&content);
        let memory = allocation_counter::measure(|| {
            let mut input = part_of.part().open(&NO_BOUNDS).unwrap().input;
            assert_eq!(io::copy(&mut input, &mut io::sink()).unwrap(), text.len() as u64);
        });
        assert!(memory.bytes_max < MIB as u64, "{} bytes", memory.bytes_max);
    }
}

#[test]
fn a_folder_and_a_device_are_refused_as_such() {
    let folder = tempfile::tempdir().unwrap();

    let missing = parts(&folder.path().join("a.csv")).unwrap_err();

    assert!(matches!(missing, FeedError::Open { .. }), "{missing}");
    assert!(parts(folder.path()).unwrap_err().to_string().ends_with("it looks like a folder"));
    let device = parts(Path::new("/dev/null")).unwrap_err();
    assert!(device.to_string().contains("a pipe or a device"), "{device}");
}
