use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::DecimalSign::{Comma, Point};
use super::*;

fn price(cell: &str, decimal: DecimalSign) -> String {
    let numbers = Numbers { decimal, price_scale: 0 };
    match numbers.price(cell.as_bytes()) {
        Ok(Some(price)) => price.to_string(),
        Ok(None) => "missing".to_owned(),
        Err(_) => "bad".to_owned(),
    }
}

#[test]
fn numbers_keep_every_digit() {
    for (cell, number) in [
        ("189.530", "189.530"),
        (" 189.530 ", "189.530"),
        ("\u{a0}189.530\u{202f}", "189.530"),
        ("-37.63", "-37.63"),
        ("+5", "5"),
        ("0", "0"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("1.2e-7", "0.00000012"),
        ("1.5E+3", "1500"),
        ("1e2", "100"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("12345678.12345678901234567890", "12345678.12345678901234567890"),
        ("0.0000000000000000000000000001", "0.0000000000000000000000000001"),
        ("1234567890123456789012345678", "1234567890123456789012345678"),
        ("2147483647", "2147483647"),
        ("0.1000000014901161", "0.1000000014901161"),
    ] {
        assert_eq!(price(cell, Point), number, "{cell}");
    }
}

#[test]
fn a_currency_a_magnitude_and_parentheses_are_understood() {
    for (cell, number) in [
        ("$191.31", "191.31"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("$ 1,234.50", "1234.50"),
        ("($5.00)", "-5.00"),
        ("(5)", "-5"),
        ("5 €", "5"),
        ("£5", "5"),
        ("¥5", "5"),
        ("₩73,100", "73100"),
        ("73,100원", "73100"),
        ("12.50 zł", "12.50"),
        ("62.70M", "62700000"),
        ("62.70m", "62700000"),
        ("1.5K", "1500"),
        ("$2.123456789 B", "2123456789"),
        ("1.23456789T", "1234567890000"),
        ("0.00012k", "0.12"),
        ("3k $", "3000"),
    ] {
        assert_eq!(price(cell, Point), number, "{cell}");
    }
}

#[test]
fn thousands_are_separated_in_groups_of_three_or_as_in_india() {
    for (cell, decimal, number) in [
        ("1,234", Point, "1234"),
        ("1,234,567.89", Point, "1234567.89"),
        ("12 345.6", Point, "12345.6"),
        ("1\u{a0}234\u{a0}567", Point, "1234567"),
        ("1\u{202f}234,5", Comma, "1234.5"),
        ("1'234'567.8", Point, "1234567.8"),
        ("12'345'678", Point, "12345678"),
        ("110'165", Point, "110165"),
        ("110'16", Point, "bad"),
        ("1,23,456", Point, "123456"),
        ("8,34,19,86,041.30", Point, "8341986041.30"),
        ("1’234.5", Point, "1234.5"),
        ("1.234.567,89", Comma, "1234567.89"),
        ("1.234", Comma, "1234"),
        ("1,234", Comma, "1.234"),
        ("-0,5", Comma, "-0.5"),
        ("12,34", Comma, "12.34"),
        ("1,5E+3", Comma, "1500"),
        ("62,70M", Comma, "62700000"),
        ("12,34", Point, "bad"),
        ("1,2345", Point, "bad"),
        ("1234,567", Point, "bad"),
        ("0,500", Point, "bad"),
        ("1,234 567", Point, "bad"),
        ("1,,234", Point, "bad"),
        (",123", Point, "bad"),
        ("1,234,", Point, "bad"),
        ("12.34", Comma, "bad"),
        ("1,23,45", Point, "bad"),
        ("10.12.2024", Comma, "bad"),
    ] {
        assert_eq!(price(cell, decimal), number, "{cell} {decimal:?}");
    }
}

#[test]
fn a_fraction_may_stand_behind_the_digits_or_alone() {
    for (cell, number) in [
        ("12 1/8", "12.125"),
        ("12-3/4", "12.75"),
        ("12  15/16", "12.9375"),
        ("1,234 1/2", "1234.5"),
        ("12½", "12.5"),
        ("12 ⅞", "12.875"),
        ("$12 1/256", "12.00390625"),
        ("-1/32", "-0.03125"),
        ("7/8", "0.875"),
        ("¾", "0.75"),
        ("12 1/3", "bad"),
        ("12 8/8", "bad"),
        ("12 1/512", "bad"),
        ("12 1/1", "bad"),
        ("12.5 1/8", "bad"),
        ("12 /8", "bad"),
        ("12 1/", "bad"),
        ("12--1/8", "bad"),
        ("12 1/8 1/8", "bad"),
        ("1/2/1998", "bad"),
        ("2/1", "bad"),
    ] {
        assert_eq!(price(cell, Point), number, "{cell}");
    }
}

#[test]
fn words_for_no_value_are_missing() {
    for cell in [
        "",
        "  ",
        "\u{a0}",
        "-",
        "--",
        "–",
        "—",
        ".",
        "null",
        "NULL",
        "NaN",
        "nan",
        "NA",
        "<NA>",
        "N/A",
        "n/a",
        "#N/A",
        "#N/A N/A",
        "None",
        "nil",
        "1.7976931348623157E308",
        "1.7976931348623157e+308",
        "1.79769313486232E+308",
    ] {
        assert_eq!(price(cell, Point), "missing", "{cell}");
    }
}

#[test]
fn text_that_is_no_number_is_an_error() {
    for cell in [
        "x",
        "inf",
        "-inf",
        "Infinity",
        "5%",
        "5;0",
        "--1",
        "+-1",
        "-(5)",
        "(-5)",
        "(5",
        "$$5",
        "$5$",
        "$",
        "1.2.3",
        "1..2",
        "1e",
        "e5",
        "1e+",
        "1e99999",
        "1e-40",
        "1e40",
        "1_000",
        "5KK",
        "5 x",
        "0x10",
        "1 2",
        "１",
        "NaNs",
        "0.12345678901234567890123456789",
        "99999999999999999999999999999",
        "..",
        "-.",
        "2024-01-03",
        "1 .5",
        "99999999999999999999999999999999999999999999999999",
    ] {
        assert_eq!(price(cell, Point), "bad", "{cell}");
    }
    assert!(Numbers::default().price(b"\xff").is_err());
    let error = Numbers::default().price(b" 5% ").unwrap_err();
    assert!(error.to_string().starts_with("`5%` is not a number"), "{error}");
}

#[test]
fn a_size_is_never_negative() {
    let size = |cell: &str| Numbers::default().size(cell.as_bytes());

    assert_eq!(size("2147483647").unwrap().unwrap().to_string(), "2147483647");
    assert_eq!(size("62.70M").unwrap().unwrap().to_string(), "62700000");
    assert_eq!(size("n/a"), Ok(None));
    assert!(size("-0").is_ok());
    assert!(size("-1").is_err());
    assert!(size("(1)").is_err());
}

#[test]
fn prices_are_scaled_and_sizes_are_not() {
    let numbers = Numbers { price_scale: 4, ..Numbers::default() };
    let price = |cell: &str| numbers.price(cell.as_bytes()).unwrap().unwrap().to_string();

    assert_eq!(price("1674100"), "167.4100");
    assert_eq!(price("1674100.5"), "167.41005");
    assert_eq!(price("1,674,100"), "167.4100");
    assert_eq!(price("1.6741e6"), "167.41");
    assert_eq!(price("0"), "0.0000");
    assert_eq!(numbers.size(b"100").unwrap().unwrap().to_string(), "100");
    assert!(Numbers { price_scale: u32::MAX, ..numbers }.price(b"1.5").is_err());
}

#[test]
fn a_fixed_point_price_is_scaled_unless_it_has_a_point() {
    let read = |cell: &str| {
        Numbers::default().fixed_point_price(cell.as_bytes()).unwrap().map(|price| price.to_string())
    };

    assert_eq!(read("5528750000000").unwrap(), "5528.750000000");
    assert_eq!(read("5528.750000000").unwrap(), "5528.750000000");
    assert_eq!(read("9223372036854775807"), None);
    assert_eq!(read(""), None);
}

#[test]
fn the_greatest_numbers_of_a_fixed_point_size_are_missing() {
    let read = |cell: &str| {
        Numbers::default().fixed_point_size(cell.as_bytes()).unwrap().map(|size| size.to_string())
    };

    assert_eq!(read("4294967294").unwrap(), "4294967294");
    for cell in ["2147483647", "4294967295", "9223372036854775807", "18446744073709551615"] {
        assert_eq!(read(cell), None, "{cell}");
    }
}

#[test]
fn an_empty_level_of_the_book_has_no_price() {
    let numbers = Numbers { price_scale: 4, ..Numbers::default() };
    let read = |cell: &str| numbers.lobster_price(cell.as_bytes()).unwrap().map(|price| price.to_string());

    assert_eq!(read("5859400").unwrap(), "585.9400");
    assert_eq!(read("9999999999"), None);
    assert_eq!(read("-9999999999"), None);
}

#[test]
fn a_cell_proves_a_decimal_sign_if_it_is_no_number_with_the_other_sign() {
    for (cell, sign) in [
        ("1.234,5", Some(Comma)),
        ("0,5", Some(Comma)),
        ("0,123", Some(Comma)),
        ("12,34", Some(Comma)),
        ("1.234.567", Some(Comma)),
        ("62,7M", Some(Comma)),
        ("1,234.5", Some(Point)),
        ("0.5", Some(Point)),
        ("12.34", Some(Point)),
        ("1234.567", Some(Point)),
        ("1,234,567", Some(Point)),
        ("$1.50", Some(Point)),
        ("1,234", None),
        ("1.234", None),
        ("1234", None),
        ("x", None),
        ("", None),
    ] {
        assert_eq!(sign_shown(cell.as_bytes()), sign, "{cell}");
    }
}

#[test]
fn a_decimal_sign_has_a_name() {
    assert_eq!(",".parse(), Ok(Comma));
    assert_eq!("point".parse(), Ok(Point));
    assert!(";".parse::<DecimalSign>().is_err());
}

/// Generates random cells that mix pieces of numbers with arbitrary bytes.
fn any_cell() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 30] = [
        "0",
        "5",
        "123",
        "999",
        "9999999999",
        "79228162514264337593543950335",
        ".",
        ",",
        "-",
        "+",
        "(",
        ")",
        "e",
        "E+3",
        "e-28",
        "e9999",
        "K",
        "m",
        "T",
        "$",
        "€",
        "zł",
        " ",
        "\u{a0}",
        "'",
        "’",
        "%",
        "NaN",
        "null",
        "inf",
    ];
    let piece = prop_oneof![
        8 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..3),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cell_panics(cell in any_cell(), decimal in select(vec![Point, Comma]), price_scale in 0_u32..40) {
        let numbers = Numbers { decimal, price_scale };
        let _ = (numbers.price(&cell), numbers.fixed_point_price(&cell), numbers.lobster_price(&cell));
        if let Ok(Some(Size(size))) = numbers.size(&cell) {
            prop_assert!(size >= Decimal::ZERO);
        }
        let _ = (numbers.fixed_point_size(&cell), sign_shown(&cell));
    }

    #[test]
    fn the_sign_of_a_plain_number_is_the_sign_of_its_only_reading(cell in any_cell(), digits in 0_u64..10_000_000, decimals in 0_usize..8) {
        let digits = format!("{digits:08}");
        let plain = |sign: &str| [&digits[..8 - decimals], &digits[8 - decimals..]].join(sign).into_bytes();
        for cell in [cell, plain("."), plain(",")] {
            if let Some(sign) = plain_sign(&cell) {
                prop_assert_eq!(sign_of_only_reading(&cell), Some(sign));
            }
        }
    }

    #[test]
    fn a_printed_number_comes_back(digits in -(10_i128.pow(28) - 1)..10_i128.pow(28), less in 0_u32..28, scale in 0_u32..29) {
        let printed = Decimal::from_i128_with_scale(digits / 10_i128.pow(less), scale).to_string();
        let with_comma = printed.replace('.', ",");

        prop_assert_eq!(price(&printed, Point), printed.clone());
        prop_assert_eq!(price(&with_comma, Comma), printed.clone());
        prop_assert_eq!(price(&printed, Point), printed.parse::<Price>().unwrap().to_string());
    }
}
