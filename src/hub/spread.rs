//! Golden-ratio hashing, which spreads consecutive numbers evenly over a range (Knuth, TAOCP 3, section 6.4).

/// The multiplier of the hash: 2⁶⁴ divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Maps `n` to a number in `0..len`, so that consecutive values of `n` are evenly spread. Maps 0 to 0.
#[must_use]
pub fn spread(n: u64, len: u64) -> u64 {
    let index = (u128::from(n.wrapping_mul(GOLDEN)) * u128::from(len)) >> u64::BITS;
    u64::try_from(index).expect("it is below `len`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_numbers_fall_evenly_into_ten_parts() {
        let mut tenths = [0; 10];
        for n in 1000..1100 {
            tenths[usize::try_from(spread(n, 10)).unwrap()] += 1;
        }

        assert!(tenths.iter().all(|count| (8..=12).contains(count)), "{tenths:?}");
        assert_eq!((spread(0, 10), spread(7, 1), spread(7, 0)), (0, 0, 0));
    }
}
