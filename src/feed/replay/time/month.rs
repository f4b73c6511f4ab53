//! Parses the names of months and weekdays.

/// The names of the months in French, Spanish, Italian, Portuguese, Dutch, Polish, Turkish and Russian, as far as
/// [`month`] does not know them: first whole, then abbreviated.
const IN_OTHER_LANGUAGES: [&str; 12] = [
    "janvier enero gennaio janeiro januari stycznia ocak января январь janv ene gen oca янв",
    "février fevrier febrero febbraio fevereiro februari lutego şubat subat февраля февраль févr fév fevr fev şub фев февр",
    "mars marzo março maart marca mart марта март mrt мар",
    "avril abril aprile kwietnia nisan апреля апрель avr abr nis апр",
    "mayo maggio maio mei maja mayıs mayis мая май mag",
    "juin junio giugno junho czerwca haziran июня июнь giu haz июн",
    "juillet julio luglio julho lipca temmuz июля июль juil lug tem июл",
    "août aout agosto augustus sierpnia ağustos agustos августа август ago ağu авг",
    "septembre septiembre settembre setembro września eylül eylul сентября сентябрь set sett eyl сен сент",
    "octobre octubre ottobre outubro października ekim октября октябрь ott out eki окт",
    "novembre noviembre novembro listopada kasım kasim ноября ноябрь kas ноя нояб",
    "décembre decembre diciembre dicembre dezembro grudnia aralık aralik декабря декабрь déc dic ara дек",
];

/// Returns the number of the month with a given name, in the languages that [`month`] knows and in others.
pub fn month_in_any_language(name: &[u8]) -> Option<i64> {
    month(name).or_else(|| {
        let name = std::str::from_utf8(name).ok()?.to_lowercase();
        let is_named = |names: &&str| names.split(' ').any(|known| known == name);
        (1..).zip(&IN_OTHER_LANGUAGES).find(|(_, names)| is_named(names)).map(|(number, _)| number)
    })
}

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
    fn months_are_known_in_other_languages() {
        for (names, number) in [
            ("Jan janv ENERO января", 1),
            ("févr FÉVRIER Şub фев", 2),
            ("mars марта", 3),
            ("avr abril Nisan", 4),
            ("mai mayo МАЯ", 5),
            ("juin giu июн", 6),
            ("juil lug июля", 7),
            ("août ago авг", 8),
            ("sept set Eyl сент", 9),
            ("oct out октября", 10),
            ("nov kas ноя", 11),
            ("déc dic Ara дек", 12),
        ] {
            for name in names.split(' ') {
                assert_eq!(month_in_any_language(name.as_bytes()), Some(number), "{name}");
            }
        }
        for name in ["", "x", "enerO1", "g", "pa\u{17e}"] {
            assert_eq!(month_in_any_language(name.as_bytes()), None, "{name}");
        }
        assert_eq!(month(b"SET"), None);
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
