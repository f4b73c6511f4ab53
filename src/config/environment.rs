//! Settings from environment variables. For example, `TICKERPLANT_SERVER__LISTEN` sets `server.listen`.

use toml::Value;

use super::error::Place;
use super::keys;
use super::setting::Setting;

/// The text with which the names of this program's environment variables begin.
const PREFIX: &str = "TICKERPLANT_";

/// The names, without the prefix, of variables that other code reads. `TOKEN` holds the token of `watch` and
/// `send`, and `FAULT` causes a fault in a test.
const OTHERS: [&str; 2] = ["TOKEN", "FAULT"];

/// Returns the settings from environment variables, and warnings about variables that set no key. A variable
/// with the prefix but without two underscores in a row sets no key, and causes a warning. A variable that
/// sets no key is not an error, because a cluster manager may have set the variable. `TICKERPLANT_LOG` sets
/// `log`.
///
/// An empty variable counts as unset.
pub fn settings(variables: &[(String, String)]) -> (Vec<Setting>, Vec<String>) {
    let (mut settings, mut warnings) = (Vec::new(), Vec::new());
    for (variable, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        if name == "LOG" || name.contains("__") {
            let key = name.to_lowercase().replace("__", ".");
            let place = Place::Variable(variable.clone());
            settings.push(Setting { place, key, value: Value::from(value.as_str()) });
        } else if !OTHERS.contains(&name) {
            warnings.push(match keys::nearest_of_variable(&name.to_lowercase()) {
                Some(key) => format!("{variable} is not read; did you mean {}?", variable_of(&key)),
                None => format!(
                    "{variable} is not read; a variable that sets a key has two underscores for each dot of the key"
                ),
            });
        }
    }
    (settings, warnings)
}

/// Returns the name of the environment variable that sets a key.
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}
