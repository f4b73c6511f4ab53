//! On SIGHUP, the server reads its tokens and its certificate again. A closed terminal also causes SIGHUP,
//! which must not end the server.

use std::convert::Infallible;
use std::error::Error;

use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::app::Reloader;
use crate::config::{Config, Loaded, Sources};

/// The configuration key of the tokens, which are read again on SIGHUP.
const TOKENS: &str = "auth.tokens";

/// Reads the tokens and the certificate again at each SIGHUP, until the token `stop` fires. `running` is the
/// configuration with which the server runs. This configuration was loaded from `sources`.
pub async fn on_hangups(
    mut hangups: Signal,
    sources: Sources,
    running: Config,
    reloader: Reloader,
    stop: CancellationToken,
) -> Infallible {
    loop {
        hangups.recv().await;
        if stop.is_cancelled() {
            continue;
        }
        info!("SIGHUP: reading the tokens and the certificate again");
        reloader.reload_certificate();
        let sources = sources.clone();
        // This does not fail, because the blocking task cannot panic and is not cancelled while this future
        // runs.
        let Ok(loaded) = spawn_blocking(move || Config::load(&sources)).await else { continue };
        match loaded {
            Ok(Loaded { config, .. }) => {
                let keys = changed_keys(&running, &config);
                if !keys.is_empty() {
                    warn!(keys = keys.join(","), "settings that have changed, too, need a restart");
                }
                reloader.replace_tokens(config.auth.tokens);
            }
            Err(error) => {
                let error: &dyn Error = &error;
                error!(error, "cannot read the tokens again; the old ones stay in use");
            }
        }
    }
}

/// Returns the configuration keys whose values differ between `old` and `new`, except the key of the tokens.
fn changed_keys(old: &Config, new: &Config) -> Vec<String> {
    let table = |config| toml::Table::try_from(config).expect("a configuration can be written as TOML");
    let mut keys = Vec::new();
    collect_changed(&table(old), &table(new), "", &mut keys);
    keys.retain(|key| key != TOKENS);
    keys
}

fn collect_changed(old: &toml::Table, new: &toml::Table, prefix: &str, keys: &mut Vec<String>) {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        match (old.get(key), new.get(key)) {
            (Some(toml::Value::Table(old)), Some(toml::Value::Table(new))) => {
                collect_changed(old, new, &format!("{prefix}{key}."), keys);
            }
            (old, new) if old != new => keys.push(format!("{prefix}{key}")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_settings_are_named_by_their_keys() {
        let old = Config::default();
        let mut new = old.clone();
        new.log = "debug".to_owned();
        new.server.tls_cert = Some("cert.pem".into());
        new.feed.simulated.seed = Some(7);
        new.auth = toml::from_str(&format!("[[tokens]]\nname = \"a\"\nsha256 = \"{:064}\"", 0)).unwrap();

        let mut keys = changed_keys(&old, &new);

        keys.sort();
        assert_eq!(keys, ["feed.simulated.seed", "log", "server.tls_cert"]);
        assert!(changed_keys(&old, &old).is_empty());
    }
}
