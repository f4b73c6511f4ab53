//! Suggestions in error messages: the known name that is most like a wrong name.

/// The least similarity between a wrong name and a suggested name, from 0 (different) to 1 (equal).
const LEAST_LIKENESS: f64 = 0.75;

/// Returns `; did you mean NAME?` with the most similar name, or an empty text if no name is similar.
pub(super) fn did_you_mean(wrong: &str, names: &[&str]) -> String {
    let wrong = wrong.to_lowercase();
    let likeness = |name: &str| strsim::jaro(&wrong, name);
    let nearest = names.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    nearest
        .filter(|name| likeness(name) >= LEAST_LIKENESS)
        .map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_suggests_the_most_similar_name_and_no_other() {
        let names = ["subscribe", "unsubscribe", "set", "auth", "ping"];
        for (wrong, suggestion) in [
            ("subscrbe", "; did you mean subscribe?"),
            ("Subscribed", "; did you mean subscribe?"),
            ("sub", "; did you mean subscribe?"),
            ("unsub", "; did you mean unsubscribe?"),
            ("authenticate", "; did you mean auth?"),
            ("pings", "; did you mean ping?"),
            ("buy", ""),
            ("stop", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(wrong, &names), suggestion, "{wrong}");
        }
    }
}
