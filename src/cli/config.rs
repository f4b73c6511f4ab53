//! `config`: prints the effective configuration, or only checks it.

use std::io::{self, Write};

use super::{CliError, ServeArgs, load_config, log};
use crate::app;

/// Prints the effective configuration as TOML.
pub fn print(args: &ServeArgs) -> Result<(), CliError> {
    let loaded = load_config::for_server(args)?;
    log::log_to(io::stderr, "warn", &loaded.warnings);
    let text = toml::to_string_pretty(&loaded.config)
        .expect("a configuration read from TOML can be written as TOML");
    io::stdout().write_all(text.as_bytes()).map_err(CliError::Output)
}

/// Makes the checks that `serve` makes at its start, but reads no events and binds no port. A file that
/// cannot be used, such as a certificate, counts as an error of the configuration.
pub fn check(args: &ServeArgs) -> Result<(), CliError> {
    let loaded = load_config::for_server(args)?;
    log::log_to(io::stderr, "warn", &loaded.warnings);
    let unusable = |error: CliError| CliError::Unusable(Box::new(error));
    load_config::started(&loaded, app::check(&loaded.config)).map_err(unusable)?;
    load_config::located(&loaded, loaded.config.feed.check_input()).map_err(unusable)?;
    writeln!(io::stderr(), "the configuration is valid").map_err(CliError::Output)
}
