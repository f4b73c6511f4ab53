//! Turns that are fair without a record of who had one: the multiples of the golden part of a
//! whole fall evenly over it, however many there are (Knuth, TAOCP 3, section 6.4).

/// The golden part of 2⁶⁴.
const GOLDEN_PART: u64 = 0x9E37_79B9_7F4A_7C15;

/// Where in a whole the n-th turn falls, the 0th at its beginning.
#[must_use]
pub fn spread(n: u64, whole: u64) -> u64 {
    let turn = (u128::from(n.wrapping_mul(GOLDEN_PART)) * u128::from(whole)) >> u64::BITS;
    u64::try_from(turn).expect("it is within the whole")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_turns_leave_no_tenth_of_the_whole_out() {
        let mut tenths = [0; 10];
        for n in 1000..1100 {
            tenths[usize::try_from(spread(n, 10)).unwrap()] += 1;
        }

        assert!(tenths.iter().all(|count| (8..=12).contains(count)), "{tenths:?}");
        assert_eq!((spread(0, 10), spread(7, 1), spread(7, 0)), (0, 0, 0));
    }
}
