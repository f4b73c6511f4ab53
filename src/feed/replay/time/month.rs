//! Parses the names of months and weekdays.

/// Returns the number of the month with a given name, from 1 to 12. English and German names may be full or
/// abbreviated. Polish names must be abbreviated. The letters may be in upper or lower case.
pub fn month(name: &[u8]) -> Option<i64> {
    let (month, tails): (_, &[&[u8]]) = match &beginning(name)? {
        b"jan" => (1, &[b"", b"uary", b"uar"]),
        b"feb" => (2, &[b"", b"ruary", b"ruar"]),
        b"mar" => (3, &[b"", b"ch"]),
        b"m\xc3\xa4" | b"m\xc3\x84" => (3, &[b"r", b"rz"]),
        b"mrz" => (3, &[b""]),
        b"apr" => (4, &[b"", b"il"]),
        b"may" | b"mai" | b"maj" => (5, &[b""]),
        b"jun" => (6, &[b"", b"e", b"i"]),
        b"jul" => (7, &[b"", b"y", b"i"]),
        b"aug" => (8, &[b"", b"ust"]),
        b"sep" => (9, &[b"", b"t", b"tember"]),
        b"oct" | b"okt" => (10, &[b"", b"ober"]),
        b"nov" => (11, &[b"", b"ember"]),
        b"dec" | b"dez" => (12, &[b"", b"ember"]),
        b"sty" => (1, &[b""]),
        b"lut" => (2, &[b""]),
        b"kwi" => (4, &[b""]),
        b"cze" => (6, &[b""]),
        b"lip" => (7, &[b""]),
        b"sie" => (8, &[b""]),
        b"wrz" => (9, &[b""]),
        b"paz" => (10, &[b""]),
        b"pa\xc5" => (10, &[b"\xba"]), // paź: the three bytes end within its last letter
        b"lis" => (11, &[b""]),
        b"gru" => (12, &[b""]),
        _ => return None,
    };
    ends(name, tails).then_some(month)
}

/// Returns whether a word is the full or abbreviated name of an English weekday.
pub fn is_weekday(name: &[u8]) -> bool {
    let tails: &[&[u8]] = match beginning(name).as_ref() {
        Some(b"mon" | b"fri" | b"sun") => &[b"", b"day"],
        Some(b"tue") => &[b"", b"s", b"sday"],
        Some(b"wed") => &[b"", b"nesday"],
        Some(b"thu") => &[b"", b"r", b"rs", b"rsday"],
        Some(b"sat") => &[b"", b"urday"],
        _ => return false,
    };
    ends(name, tails)
}

fn beginning(name: &[u8]) -> Option<[u8; 3]> {
    name.first_chunk().map(|bytes: &[u8; 3]| bytes.map(|byte| byte.to_ascii_lowercase()))
}

/// Returns whether the rest of a name, after its first three bytes, is one of the given tails.
fn ends(name: &[u8], tails: &[&[u8]]) -> bool {
    tails.iter().any(|tail| name[3..].eq_ignore_ascii_case(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_known_by_their_names() {
        for (names, number) in [
            ("Jan JANUARY january Januar sty", 1),
            ("Feb February Februar lut", 2),
            ("Mar March Mär März MÄRZ Mrz mar", 3),
            ("Apr April kwi", 4),
            ("May Mai maj", 5),
            ("Jun June Juni cze", 6),
            ("Jul July Juli lip", 7),
            ("Aug August sie", 8),
            ("Sep Sept September wrz", 9),
            ("Oct October Okt Oktober paź paz", 10),
            ("Nov November lis", 11),
            ("Dec December Dez Dezember gru", 12),
        ] {
            for name in names.split(' ') {
                assert_eq!(month(name.as_bytes()), Some(number), "{name}");
            }
        }
        for name in ["", "J", "Ja", "Janu", "Marc", "Maya", "Mon", "Q1", "일", "pa\u{17e}"] {
            assert_eq!(month(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn weekdays_are_known_by_their_names() {
        for name in "Mon tuesday WED Thu Thurs Friday Sat sun".split(' ') {
            assert!(is_weekday(name.as_bytes()), "{name}");
        }
        for name in ["", "M", "Monda", "May"] {
            assert!(!is_weekday(name.as_bytes()), "{name}");
        }
    }
}
