//! Parses the command line and runs the command. If the command fails, prints the error with its causes and a
//! hint.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use tickerplant::cli::{self, Cli, CliError, stderr};
use tickerplant::exit_code;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run().map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS),
        Err(error) => usage(&error),
    }
}

fn failed(error: &CliError) -> ExitCode {
    // It is not an error if a reader such as `head` closes the output early.
    if error.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    report(&stderr::in_one_line(error), error.hint().as_deref());
    ExitCode::from(exit_code::of(error))
}

/// Prints an error of the library clap in the format of this program's other errors. Prints the help text and
/// the version, which clap also returns as errors, to standard output.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A write fails when nobody reads the output, so the failure is ignored.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    // After a misspelt command, clap reports that command's flags as wrong flags of `serve`.
    if let Some(error) = cli::almost_a_command(&arguments) {
        return failed(&error);
    }
    let text = error.render().to_string();
    let mut paragraphs = text.trim_start_matches("error: ").split("\n\n");
    let one_line = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let fault = paragraphs.next().map(one_line).unwrap_or_default();
    let tips = paragraphs.map(one_line);
    let mut tips = tips.filter_map(|paragraph| paragraph.strip_prefix("tip: ").map(str::to_owned));
    // This tip of clap assumes that an unknown flag is a value, but a value seldom begins with two hyphens.
    let tip = tips.find(|tip| !tip.starts_with("to pass '--"));
    let hint = tip.unwrap_or_else(|| match arguments.first() {
        Some(word) if cli::commands().contains(word) => format!("tickerplant {word} --help lists its flags"),
        _ => "tickerplant --help lists commands and flags".to_owned(),
    });
    report(&fault, Some(&hint));
    ExitCode::from(exit_code::USAGE)
}

fn report(error: &str, hint: Option<&str>) {
    stderr::print(&format!("error: {error}"));
    if let Some(hint) = hint {
        stderr::print(&format!(" hint: {hint}"));
    }
}
