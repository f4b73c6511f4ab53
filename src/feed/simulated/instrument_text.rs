//! The text form of an instrument on the command line, `NAME:PRICE:VOLATILITY:RATE@SECTOR`. Everything but
//! the name can be left out.

use super::instrument::Instrument;
use crate::market::SymbolError;

/// Parses an instrument such as `AAPL`, `AAPL:185.5:0.28` or `AAPL:::12@tech`.
///
/// A name may have colons itself. So at most three numbers at the end of the text, or empty texts between
/// colons, are values, and the rest is the name. A number with a leading zero, such as `005930`, is part of a
/// name.
///
/// # Errors
///
/// Returns an error if the name is not a symbol.
pub fn parse(text: &str) -> Result<Instrument, SymbolError> {
    let (text, sector) = match text.rsplit_once('@') {
        Some((text, sector)) => (text, Some(sector.to_owned())),
        None => (text, None),
    };
    let mut name = text;
    let mut values = Vec::new();
    while let (Some((before, value)), true) = (name.rsplit_once(':'), values.len() < 3) {
        let is_value = value.is_empty() || is_number(value) && !before.is_empty();
        if !is_value {
            break;
        }
        values.push(value.parse().ok());
        name = before;
    }
    let mut values = values.into_iter().rev();
    let mut next = || values.next().flatten();
    let (price, annual_volatility, rate) = (next(), next(), next());
    Ok(Instrument { name: name.parse()?, price, annual_volatility, rate, sector })
}

/// Returns the text of an instrument, which [`parse`] reads back.
pub fn text(instrument: &Instrument) -> String {
    let Instrument { name, price, annual_volatility, rate, sector } = instrument;
    let values = [price, annual_volatility, rate];
    // A name that ends like a value needs all three values behind it.
    let is_ambiguous =
        name.as_str().rsplit_once(':').is_some_and(|(_, end)| end.is_empty() || is_number(end));
    let count = match values.iter().rposition(|value| value.is_some()) {
        _ if is_ambiguous => 3,
        Some(last) => last + 1,
        None => 0,
    };
    let mut text = name.to_string();
    for value in &values[..count] {
        text.push(':');
        text += &value.map(|value| value.to_string()).unwrap_or_default();
    }
    if let Some(sector) = sector {
        text.push('@');
        text += sector;
    }
    text
}

fn is_number(text: &str) -> bool {
    let has_leading_zero = text.starts_with('0') && text.as_bytes().get(1).is_some_and(|byte| *byte != b'.');
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_decimal && !has_leading_zero && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instrument_is_written_as_it_is_read() {
        for (text, name, values, sector) in [
            ("AAPL", "AAPL", [None, None, None], None),
            ("AAPL:185.5", "AAPL", [Some(185.5), None, None], None),
            ("AAPL:185.5:0.28", "AAPL", [Some(185.5), Some(0.28), None], None),
            ("AAPL::0.28", "AAPL", [None, Some(0.28), None], None),
            ("AAPL:::12@tech", "AAPL", [None, None, Some(12.0)], Some("tech")),
            ("NASDAQ:AAPL:185.5", "NASDAQ:AAPL", [Some(185.5), None, None], None),
            ("KRX:005930", "KRX:005930", [None; 3], None),
            ("KRX:373220:::", "KRX:373220", [None; 3], None),
        ] {
            let instrument = parse(text).unwrap();

            assert_eq!(instrument.name.as_str(), name, "{text}");
            let Instrument { price, annual_volatility, rate, .. } = instrument;
            assert_eq!([price, annual_volatility, rate], values, "{text}");
            assert_eq!(instrument.sector.as_deref(), sector, "{text}");
            assert_eq!(super::text(&instrument), text);
        }
        assert!(parse("A B:1").is_err());
        assert!(parse(":1").is_err() || parse(":1").unwrap().name.as_str() == ":1");
    }
}
