//! Hashes of tokens. The server never stores the text of a token.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 hash of a token. Two hashes are compared in constant time. The debug output hides the hash.
#[derive(Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Returns the hash of a token's text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// Writes the hash as 64 hexadecimal digits.
impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
        serializer.serialize_str(&self.0.iter().flat_map(hex).flatten().collect::<String>())
    }
}

/// Reads a hash of 64 hexadecimal digits. An error text never repeats the invalid value, because the value
/// may be the token itself.
impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parsed = String::deserialize(deserializer).ok().and_then(|text| parse(&text));
        parsed.ok_or_else(|| {
            de::Error::custom(
                "a token is given as its SHA-256, 64 hexadecimal digits: printf %s TOKEN | sha256sum",
            )
        })
    }
}

fn parse(text: &str) -> Option<TokenHash> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let bytes: Vec<u8> =
        digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    Some(TokenHash(bytes.try_into().ok()?)).filter(|_| text.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_equals_its_configured_hash() {
        let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let configured: TokenHash = serde_json::from_str(&format!("\"{hash}\"")).unwrap();

        assert_eq!(TokenHash::of("secret"), configured);
        assert_ne!(TokenHash::of("Secret"), configured);
        assert_eq!(serde_json::to_string(&configured).unwrap(), format!("\"{hash}\""));
        assert!(!format!("{configured:?}").contains("2bb8"));
    }

    #[test]
    fn a_value_that_is_not_a_hash_is_an_error_that_does_not_repeat_it() {
        for text in ["\"my secret\"", "12345", "\"\"", "[\"my secret\"]", "\"2bb8\""] {
            let error = serde_json::from_str::<TokenHash>(text).unwrap_err().to_string();
            assert!(error.starts_with("a token is given as its SHA-256"), "{error}");
            assert!(!error.contains("secret") && !error.contains("12345"), "{error}");
        }
    }
}
