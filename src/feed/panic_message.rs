//! What a panic says, for those who have to be told of it.

use std::any::Any;

use super::lines::shown;

/// Returns the message of a panic that was caught: bounded, and without control characters, for it may quote a file.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    shown(text.unwrap_or("it gives no reason").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, panic_any};

    use super::*;

    #[test]
    fn a_message_is_told_whatever_type_it_has() {
        let message = |panics: fn()| panic_message(&*catch_unwind(panics).unwrap_err());

        assert_eq!(message(|| panic!("on purpose")), "on purpose");
        assert_eq!(message(|| panic!("on {}", "purpose".to_owned())), "on purpose");
        assert_eq!(message(|| panic_any(7)), "it gives no reason");
        assert_eq!(message(|| panic!("{}\n", "x".repeat(1000))), "x".repeat(200));
    }
}
