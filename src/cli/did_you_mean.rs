//! The error for a command line whose first word is not a command.

use std::path::Path;

use clap::CommandFactory;

use super::{Cli, CliError};
use crate::market::FeedKind;
use crate::nearest::nearest;

/// The kinds of feeds. A user may mistake the name of a kind for a command.
const KINDS: [FeedKind; 3] = [FeedKind::Simulated, FeedKind::Replay, FeedKind::Stdin];

/// Returns the error for words that belong to no flag, on a command line whose feed is not a replay.
pub fn words_without_replay(words: &[String]) -> CliError {
    let (word, rest) = words.split_first().expect("there is a word");
    if commands().contains(word) {
        return CliError::CommandAfterFlags { command: word.clone() };
    }
    let is_kind = KINDS.iter().any(|kind| kind.name() == word);
    if !is_kind && (word.contains(['.', '/', '*']) || Path::new(word).exists()) {
        return CliError::FileWithoutReplay {
            file: word.clone(),
            meant: command_line("--feed replay", words),
        };
    }
    CliError::NotACommand { word: word.clone(), meant: meant(word, rest) }
}

/// Returns an error if the first argument resembles a command. Returns `None` if the first argument is a
/// command or a flag, or resembles no command.
#[must_use]
pub fn almost_a_command(arguments: &[String]) -> Option<CliError> {
    let word = arguments.first().filter(|word| !word.starts_with('-') && !commands().contains(word))?;
    let meant = meant(word, &[])?;
    Some(CliError::NotACommand { word: word.clone(), meant: Some(meant) })
}

/// Returns the names of the commands.
#[must_use]
pub fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// Returns the command line that a user probably meant. If the user probably meant a replay, the words in
/// `rest` are the files, and the command line repeats them. Other words are left out, because they may
/// contain a token.
fn meant(word: &str, rest: &[String]) -> Option<String> {
    let commands = commands();
    let kinds = KINDS.iter().map(|kind| kind.name());
    let nearest = *nearest(word, commands.iter().map(String::as_str).chain(kinds)).first()?;
    Some(match KINDS.into_iter().find(|kind| kind.name() == nearest) {
        Some(FeedKind::Replay) => command_line("--feed replay", rest),
        Some(kind) => format!("tickerplant --feed {kind}"),
        None => format!("tickerplant {nearest}"),
    })
}

fn command_line(start: &str, words: &[String]) -> String {
    // Quoting fails only for a word with a NUL byte, which no shell can pass.
    let words = words.iter().map(|word| shlex::try_quote(word).unwrap_or_default());
    words.fold(format!("tickerplant {start}"), |line, word| format!("{line} {word}"))
}
