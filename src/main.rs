//! Parses the command line and runs the command. Prints an error with its causes and a hint.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use tickerplant::cli::Cli;
use tickerplant::exit_code;
use tickerplant::feed;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that closes the output early, such as `head`, is not an error.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            report(&in_one_line(&error), error.hint().as_deref());
            ExitCode::from(exit_code::of(&error))
        }
    }
}

/// Returns the error and its causes in one line, without repetitions.
fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Prints an error of clap in the format of this program's other errors. Prints help and version to standard
/// output.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A failed write is ignored, because nobody reads the output then.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let mut paragraphs = text.trim_start_matches("error: ").split("\n\n");
    let one_line = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let fault = paragraphs.next().map(one_line).unwrap_or_default();
    let tip =
        paragraphs.map(one_line).find_map(|paragraph| paragraph.strip_prefix("tip: ").map(str::to_owned));
    report(&fault, Some(tip.as_deref().unwrap_or("tickerplant --help lists commands and flags")));
    ExitCode::from(exit_code::USAGE)
}

fn report(error: &str, hint: Option<&str>) {
    let hint = hint.map(|hint| format!(" hint: {hint}\n")).unwrap_or_default();
    let error = feed::printable(error);
    // A failed write is ignored, because the exit code still shows the error.
    let _ = write!(io::stderr(), "error: {error}\n{hint}");
}
