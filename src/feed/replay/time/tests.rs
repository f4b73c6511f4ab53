use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::DateOrder::{Dmy, Mdy, Ymd};
use super::*;

/// Parses a cell, and returns its time in ISO 8601. The text ends with `Z` if the time is in UTC.
fn read(cell: &str, order: DateOrder) -> String {
    let text = |nanos| Time::from_nanos(nanos).to_string();
    match stamp(cell.as_bytes(), order) {
        Some(Stamp::Utc(time)) => time.to_string(),
        Some(Stamp::Local(nanos)) => text(nanos).trim_end_matches('Z').to_owned(),
        Some(Stamp::Named(nanos)) => format!("{} in a zone", text(nanos).trim_end_matches('Z')),
        None => "none".to_owned(),
    }
}

#[test]
fn iso_8601_is_read_in_the_forms_that_files_have() {
    for (cell, moment) in [
        ("2024-01-03T14:30:00Z", "2024-01-03T14:30:00Z"),
        ("2024-01-03t14:30:00z", "2024-01-03T14:30:00Z"),
        ("2024-01-03 14:30:00", "2024-01-03T14:30:00"),
        ("2024-01-03  14:30:00", "2024-01-03T14:30:00"),
        ("2024-01-03\t14:30:00", "2024-01-03T14:30:00"),
        ("2024.01.03D14:30:00.123456789", "2024-01-03T14:30:00.123456789"),
        ("2024-01-03_14:30:00", "2024-01-03T14:30:00"),
        ("2024-01-03 14:30", "2024-01-03T14:30:00"),
        ("2024-01-03 9:30", "2024-01-03T09:30:00"),
        ("2024-01-03T14", "2024-01-03T14:00:00"),
        ("2024-01-03T1430Z", "2024-01-03T14:30:00Z"),
        (" 2024-01-03 ", "2024-01-03T00:00:00"),
        ("2024-01-03 14:30:00.015754627+00:00", "2024-01-03T14:30:00.015754627Z"),
        ("2024-01-03T14:30:00.1-05:00", "2024-01-03T19:30:00.100Z"),
        ("2024-01-21T23:00:00+0900", "2024-01-21T14:00:00Z"),
        ("2024-01-21T23:00:00 +09", "2024-01-21T14:00:00Z"),
        ("2024-01-21T23:00:00+05:53:28", "2024-01-21T17:06:32Z"),
        ("2024-01-03 14:30 EST", "2024-01-03T14:30:00 in a zone"),
        ("20240103 14:30:00 US/Eastern", "2024-01-03T14:30:00 in a zone"),
        ("2024-01-03 14:30:00.5 America/Argentina/Rio_Gallegos", "2024-01-03T14:30:00.500 in a zone"),
        ("20240103;143000", "2024-01-03T14:30:00"),
        ("2024-01-03 14:30:00 UTC", "2024-01-03T14:30:00Z"),
        ("2024-01-03 14:30:00 gmt", "2024-01-03T14:30:00Z"),
        ("2024-01-03 14:30:00.5 +0000 UTC", "2024-01-03T14:30:00.500Z"),
        ("2024-01-03 14:30:00 -0500 EST", "2024-01-03T19:30:00Z"),
        ("2024-01-03T14:30:00-05:00[America/New_York]", "2024-01-03T19:30:00Z"),
        ("2024-01-03T14:30:00.", "2024-01-03T14:30:00"),
        ("2024-01-03T14:30:00,123", "2024-01-03T14:30:00.123"),
        ("2024-01-03T14:30:00.1234567891999", "2024-01-03T14:30:00.123456789"),
        ("2024-01-03T24:00:00", "2024-01-04T00:00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999999Z"),
        ("1677-09-21T00:12:43.145224192", "1677-09-21T00:12:43.145224192"),
        ("2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807Z"),
    ] {
        assert_eq!(read(cell, Mdy), moment, "{cell}");
    }
}

#[test]
fn times_without_signs_are_read() {
    for (cell, moment) in [
        ("20240103", "2024-01-03T00:00:00"),
        ("20240103 143000", "2024-01-03T14:30:00"),
        ("20240103 93000", "2024-01-03T09:30:00"),
        ("20240103 14:30", "2024-01-03T14:30:00"),
        ("20240103  14:30:00", "2024-01-03T14:30:00"),
        ("20240103-14:30:00.123", "2024-01-03T14:30:00.123"),
        ("20240103 143000065", "2024-01-03T14:30:00.065"),
        ("20240103 143000 0650001", "2024-01-03T14:30:00.065000100"),
        ("20240103143000", "2024-01-03T14:30:00"),
        ("20240103143000.25", "2024-01-03T14:30:00.250"),
        ("20240103143000Z", "2024-01-03T14:30:00Z"),
        ("20240103143000065", "2024-01-03T14:30:00.065"),
        ("20240103143000065123", "2024-01-03T14:30:00.065123"),
        ("202401031430", "2024-01-03T14:30:00"),
        ("2024010309", "2024-01-03T09:00:00"),
        ("2024010300", "2024-01-03T00:00:00"),
        ("2024010324", "2024-01-04T00:00:00"),
        ("2024010309Z", "2024-01-03T09:00:00Z"),
        ("1970010100", "1970-01-01T00:00:00"),
        ("2099123123", "2099-12-31T23:00:00"),
        ("20240103T143000Z", "2024-01-03T14:30:00Z"),
        ("20240103T143000.5+0100", "2024-01-03T13:30:00.500Z"),
        ("19991231235959", "1999-12-31T23:59:59"),
    ] {
        assert_eq!(read(cell, Mdy), moment, "{cell}");
    }
}

#[test]
fn a_time_of_day_follows_any_date() {
    for (cell, moment) in [
        ("1/3/2024 9:30", "2024-01-03T09:30:00"),
        ("1/3/2024, 2:30:00 PM", "2024-01-03T14:30:00"),
        ("1/3/2024, 2:30:00\u{202f}PM", "2024-01-03T14:30:00"),
        ("01/03/24 09:30:00.5", "2024-01-03T09:30:00.500"),
        ("2024년 1월 3일 09:30", "2024-01-03T09:30:00"),
        ("3. Jan 2024 14:30", "2024-01-03T14:30:00"),
        ("03JAN2024:14:30:00.123", "2024-01-03T14:30:00.123"),
        ("Wed, 03 Jan 2024 14:30:00 GMT", "2024-01-03T14:30:00Z"),
        ("Wed Jan 03 2024 14:30:00 GMT+0100 (Central European Standard Time)", "2024-01-03T13:30:00Z"),
        ("Jan 03, 2024 2:30 PM", "2024-01-03T14:30:00"),
    ] {
        assert_eq!(read(cell, Mdy), moment, "{cell}");
    }
}

#[test]
fn the_magnitude_of_a_unix_time_tells_its_unit() {
    for (cell, moment) in [
        ("1704292200", "2024-01-03T14:30:00Z"),
        ("1704292200.0", "2024-01-03T14:30:00Z"),
        ("1704292200000", "2024-01-03T14:30:00Z"),
        ("1704292200000000", "2024-01-03T14:30:00Z"),
        ("1704292200000000000", "2024-01-03T14:30:00Z"),
        ("1.7042922e+09", "2024-01-03T14:30:00Z"),
        ("1.7042922E+12", "2024-01-03T14:30:00Z"),
        ("1.704292200123e18", "2024-01-03T14:30:00.123Z"),
        ("17042922000e-1", "2024-01-03T14:30:00Z"),
        ("1704292200.123456789", "2024-01-03T14:30:00.123456789Z"),
        ("1704292200.1234567899", "2024-01-03T14:30:00.123456789Z"),
        ("1704292200000.5", "2024-01-03T14:30:00.000500Z"),
        ("946684800000", "2000-01-01T00:00:00Z"),
        ("209999999999", "1976-08-27T13:19:59.999Z"),
        ("1969123123", "2032-05-25T18:38:43Z"),
        ("2024023009", "2034-02-20T04:36:49Z"),
        ("2024010325", "2034-02-20T01:05:25Z"),
        ("2100010100", "2036-07-18T16:08:20Z"),
        ("100000000", "1973-03-03T09:46:40Z"),
        ("-252322200", "1962-01-02T14:30:00Z"),
        ("-315619.5", "1969-12-28T08:19:40.500Z"),
        ("9223372036854775807", "2262-04-11T23:47:16.854775807Z"),
        ("-9223372036854775808", "1677-09-21T00:12:43.145224192Z"),
    ] {
        assert_eq!(read(cell, Mdy), moment, "{cell}");
    }
}

#[test]
fn eighteen_digits_are_dot_nets_ticks_in_local_time() {
    for (cell, moment) in [
        ("638398890000000000", "2024-01-03T14:30:00"),
        ("638398890001234567", "2024-01-03T14:30:00.123456700"),
        ("638398890000000000.5", "2024-01-03T14:30:00.000000050"),
        ("6.3839889e+17", "2024-01-03T14:30:00"),
        ("621355968000000000", "1970-01-01T00:00:00"),
        ("662380415999999999", "2099-12-31T23:59:59.999999900"),
        // Ticks before 1970 and after 2099, Windows' FILETIME, and nanoseconds of 1999 and of 1962.
        ("621355967999999999", "none"),
        ("662380416000000000", "none"),
        ("133487370000000000", "none"),
        ("946684799000000000", "none"),
        ("-252322200000000000", "none"),
        ("-638398890000000000", "none"),
    ] {
        assert_eq!(read(cell, Mdy), moment, "{cell}");
    }
}

#[test]
fn text_that_is_no_time_is_none() {
    for cell in [
        "",
        " ",
        "noon",
        "14:30:00",
        "1.2.3",
        ".",
        "-",
        "e",
        "1e",
        "NaN",
        "null",
        "#N/A",
        // A spreadsheet's day, a year, times of day, a date without separators, and a day that does not
        // exist.
        "45294",
        "45294.60417",
        "2024",
        "930",
        "93000",
        "143000",
        "093000000",
        "2024010309.0",
        "202401031430.0",
        "3012024",
        "31122023",
        "20240230",
        "99999999999999999999",
        "10000000000",
        "9223372036854775808",
        // Numbers that were rounded to few digits, so the time is lost.
        "1.70429E+12",
        "1.70429e+09",
        "1.704292e+12",
        "1.704292e+18",
        "2e9",
        "1e99",
        "1e400",
        "0",
        "-0.5",
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "2024-00-03",
        "2024-01-00",
        "1500-01-01",
        "2263-01-01",
        "2262-04-11T23:47:16.854775808Z",
        "1677-09-21T00:12:43.145224191Z",
        "2262-04-11T23:47:16-01:00",
        "2024-01-03T14:30:00[America/New_York]",
        "2024-01-03 14:30 E",
        "2024-01-03 14:30 E*T",
        "2024-01-03 14:30 EST EDT",
        "20240103 143000EST",
        "2024-01-03T14:30:00 x",
        "2024-01-03T25:00",
        "2024-01-03T24:00:01",
        "2024-01-03T14:60",
        "2024-01-03T14:30:61",
        "2024-01-03T",
        "2024-01-03T14:30:00+24:00",
        "2024-01-03T14:30:00+",
        "2024-01-03T14:30:00 AM PM",
        "2024-01-03 13:00 PM",
        "2024-01-03 0:30 AM",
        "2024-01-03-05:00",
        "2024-01-03X14:30",
        "2024-01-0314:30",
        "2024-1-031",
        "2024-01-03 09.30.00",
        "2024-01-03T14:3",
        "2024-01-03 1430000",
        "20240103 1430001",
        "Wed Jan  3 14:30:00 2024",
        "Jan 3 09:30:00",
        "-20240",
        "+1704292200",
        "１704292200",
    ] {
        assert_eq!(read(cell, Mdy), "none", "{cell}");
    }
}

#[test]
fn a_date_and_a_time_of_day_in_two_cells_are_one_time() {
    let read = |date: &str, time_of_day: &str| stamp_of_two(date.as_bytes(), time_of_day.as_bytes(), Mdy);
    let utc = |text: &str| text.parse::<Time>().unwrap();

    assert_eq!(read("01/03/2024", "9:30 PM"), Some(Stamp::Local(utc("2024-01-03T21:30:00Z").as_nanos())));
    assert_eq!(
        read("2024-01-03 00:00:00", "9:30"),
        Some(Stamp::Local(utc("2024-01-03T09:30:00Z").as_nanos()))
    );
    assert_eq!(read("2024-01-03", "10:00:00+09:00"), Some(Stamp::Utc(utc("2024-01-03T01:00:00Z"))));
    assert_eq!(read("2024-01-03", "noon"), None);
    assert_eq!(read("noon", "9:30"), None);
}

#[test]
fn a_count_since_midnight_is_a_time_of_day() {
    let seconds = |cell: &str| since_midnight(cell.as_bytes(), MidnightUnit::Seconds);
    let millis = |cell: &str| since_midnight(cell.as_bytes(), MidnightUnit::Milliseconds);

    assert_eq!(seconds("34200.004241176"), Some(34_200_004_241_176));
    assert_eq!(seconds("34200.00426064"), Some(34_200_004_260_640));
    assert_eq!(seconds(" 0 "), Some(0));
    assert_eq!(seconds("86400"), Some(DAY));
    assert_eq!(millis("34200000"), Some(34_200 * SECOND));
    assert_eq!(millis("34200000.5"), Some(34_200_000_500_000));
    for cell in ["", "-1", "86400.000000001", "86401", ".5", "1e3", "x", "1.x", "9999999999999999999"] {
        assert_eq!(seconds(cell), None, "{cell}");
    }
    assert_eq!(millis("86400001"), None);
}

#[test]
fn an_order_has_a_name() {
    assert_eq!("dmy".parse(), Ok(Dmy));
    assert!("DMY".parse::<DateOrder>().is_err());
}

/// Generates random cells that mix pieces of times with arbitrary bytes.
fn any_cell() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 38] = [
        "2024",
        "01",
        "03",
        "9",
        "1704292200",
        "20240103",
        "143000",
        "000",
        "99999999999999999999",
        "24:00",
        ":60",
        ":",
        "-",
        "/",
        ".",
        ",",
        " ",
        "T",
        "D",
        "Z",
        "+",
        "+09:00",
        "e",
        "E+09",
        "AM",
        " PM",
        "Jan",
        "Wed",
        "März",
        "paź",
        "년",
        "월",
        "일",
        "UTC",
        "GMT+1",
        "[",
        "]",
        "\u{202f}",
    ];
    let piece = prop_oneof![
        8 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..3),
    ];
    vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cell_panics(cell in any_cell(), order in select(vec![Mdy, Dmy, Ymd])) {
        stamp(&cell, order);
        OrdersLeft::default().observe(&cell);
        if let Some(midnight) = date(&cell, order) {
            prop_assert_eq!(midnight % DAY, 0);
        }
        for nanos in time_of_day(&cell).into_iter().chain(since_midnight(&cell, MidnightUnit::Seconds)) {
            prop_assert!((0..=DAY).contains(&nanos));
        }
    }

    #[test]
    fn a_printed_time_comes_back(nanos in any::<i64>()) {
        let time = Time::from_nanos(nanos);
        let utc = time.to_string();
        let local = utc.trim_end_matches('Z');
        let count = nanos.to_string();

        prop_assert_eq!(stamp(utc.as_bytes(), Mdy), Some(Stamp::Utc(time)));
        prop_assert_eq!(stamp(local.as_bytes(), Mdy), Some(Stamp::Local(nanos)));
        if local.starts_with("19") || local.starts_with("20") {
            let digits = local.replace(['-', ':', 'T'], "");
            prop_assert_eq!(stamp(digits.as_bytes(), Mdy), Some(Stamp::Local(nanos)));
        }
        if nanos.unsigned_abs() >= 1_000_000_000_000_000_000 {
            prop_assert_eq!(stamp(count.as_bytes(), Mdy), Some(Stamp::Utc(time)));
        }
    }
}
