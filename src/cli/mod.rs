//! The command line: what can be asked for, and what each command does and shows on a terminal.

mod error;
mod load;
mod log;
mod progress;
mod read;
mod send;
mod serve;
mod watch;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use config::Value;
use http::Uri;
use tokio::runtime;

use crate::config::{Config, Sources};
use crate::files::{self, Form};
use crate::market::FeedKind;

pub use error::CliError;
pub use read::{FilesArgs, ReadArgs};

use watch::Format;

/// Push market data over WebSocket and HTTP: simulated, replayed from CSV, or live from standard input
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; serve where nothing is said
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a feed to clients (what happens without a command)
    Serve(ServeArgs),
    /// Print what a subscriber is sent, a line a frame
    Watch {
        /// The symbols to subscribe to, e.g. AAPL MSFT; all of them where none is named
        #[arg(value_name = "SYMBOL")]
        symbols: Vec<String>,
        /// Server to connect to
        #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8000/ws")]
        url: String,
        /// Print the frames as they come
        #[arg(long)]
        json: bool,
    },
    /// Send one message to all peers and print the first that comes back
    Send {
        /// The text to send, e.g. "Hello, WebSocket Server!"
        text: String,
        /// Server to connect to
        #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8000/ws")]
        url: String,
    },
    /// Say what a replay would understand of files, without serving them
    #[command(after_help = read::layouts())]
    Inspect {
        /// Print one JSON object a file
        #[arg(long)]
        json: bool,
        /// Which, and how they are read
        #[command(flatten)]
        args: FilesArgs,
    },
    /// Print the events of files, merged by time, one JSON object a line
    Cat(FilesArgs),
    /// Print the effective configuration as TOML
    Config(ServeArgs),
}

/// The flags of a server; each beats the environment and config.toml.
#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// Where events come from: simulated, replay or stdin
    #[arg(long, value_name = "KIND", value_parser = feed_kind)]
    pub feed: Option<FeedKind>,
    /// Files, folders or patterns to replay, with --feed replay
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Symbols to simulate, e.g. AAPL,MSFT
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub symbols: Vec<String>,
    /// Simulated events a second, over all symbols
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub rate: Option<String>,
    /// Seed of the simulation: the same seed gives the same events
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<String>,
    /// How time passes in a replay or a simulation
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Replay from the start again when the end is reached
    #[arg(long = "loop")]
    pub repeat: bool,
    /// Hold a replay or standard input until the first client subscribes
    #[arg(long)]
    pub wait_for_client: bool,
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Certificate chain in PEM form: clients then speak TLS
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM form
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Listen beyond this machine although there are no tokens
    #[arg(long)]
    pub allow_anonymous: bool,
    /// Configuration file [default: config.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or directives such as tickerplant=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    /// How files are read
    #[command(flatten)]
    pub read: ReadArgs,
}

/// The flags that say how time passes.
#[derive(Debug, Default, Args)]
pub struct ClockArgs {
    /// Seconds of market time a second, e.g. 60 or 0.5; a replay also max, as fast as clients read
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub speed: Option<String>,
    /// Longest wait between two events in market time, e.g. 5s; the rest of it is skipped
    #[arg(long, value_name = "TIME")]
    pub max_gap: Option<String>,
    /// Stamp each event with the moment at which it is due
    #[arg(long)]
    pub retime: bool,
    /// Publish nothing until told to by POST /api/v1/feed
    #[arg(long)]
    pub paused: bool,
}

impl Cli {
    /// Carries out the command.
    ///
    /// # Errors
    ///
    /// What keeps the command from coming to its end.
    pub fn run(self) -> Result<(), CliError> {
        match self.command.unwrap_or(Command::Serve(self.serve)) {
            Command::Serve(args) => serve::serve(&args),
            Command::Config(args) => print_config(&args),
            Command::Inspect { args, json } => {
                let form = if json { Form::Json } else { Form::Table(args.read.words()) };
                let Config { feed, .. } = load::to_read(&args)?;
                Ok(files::inspect(&feed.replay, feed.line_bytes, &form, &mut BufWriter::new(io::stdout()))?)
            }
            Command::Cat(args) => {
                let Config { feed, .. } = load::to_read(&args)?;
                Ok(files::cat(&feed.replay, feed.line_bytes, &mut io::stdout())?)
            }
            Command::Send { text, url } => block_on(send::send(server_url(&url)?, text)),
            Command::Watch { symbols, url, json } => {
                let url = watch::with_symbols(&server_url(&url)?, &symbols)?;
                let format = if json { Format::Json } else { Format::Text };
                block_on(watch::watch(url, format))
            }
        }
    }
}

impl ServeArgs {
    /// The sources of the configuration, these flags on top.
    #[must_use]
    pub fn sources(&self, environment: Vec<(String, String)>) -> Sources {
        let paths: Vec<String> = self.files.iter().map(|path| path.display().to_string()).collect();
        let list = |items: &[String]| (!items.is_empty()).then(|| Value::from(items.to_vec()));
        let text = |value: &Option<String>| value.clone().map(Value::from);
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| Value::from(path.display().to_string()));
        let switch = |on: bool| on.then(|| Value::from(true));
        let flags = [
            ("feed.kind", self.feed.map(|kind| Value::from(kind.name()))),
            ("feed.replay.files", list(&paths)),
            ("feed.simulated.symbols", list(&self.symbols)),
            ("feed.simulated.rate", text(&self.rate)),
            ("feed.simulated.seed", text(&self.seed)),
            ("feed.clock.speed", text(&self.clock.speed)),
            ("feed.clock.max_gap", text(&self.clock.max_gap)),
            ("feed.clock.retime", switch(self.clock.retime)),
            ("feed.clock.paused", switch(self.clock.paused)),
            ("feed.replay.loop", switch(self.repeat)),
            ("feed.wait_for_client", switch(self.wait_for_client)),
            ("server.listen", text(&self.listen)),
            ("server.tls_cert", path(&self.tls_cert)),
            ("server.tls_key", path(&self.tls_key)),
            ("server.allow_anonymous", switch(self.allow_anonymous)),
            ("log", text(&self.log)),
        ];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let flags = flags.chain(self.read.flags()).collect();
        Sources { file: self.config.clone(), environment, flags }
    }
}

impl ClockArgs {
    /// The first flag that is given.
    #[must_use]
    pub fn first(&self) -> Option<&'static str> {
        let flags = [
            ("--speed", self.speed.is_some()),
            ("--max-gap", self.max_gap.is_some()),
            ("--retime", self.retime),
            ("--paused", self.paused),
        ];
        flags.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag))
    }
}

fn feed_kind(text: &str) -> Result<FeedKind, String> {
    [FeedKind::Simulated, FeedKind::Replay, FeedKind::Stdin]
        .into_iter()
        .find(|kind| kind.name() == text)
        .ok_or_else(|| "feeds are simulated, replay and stdin".to_owned())
}

fn server_url(text: &str) -> Result<Uri, CliError> {
    text.parse().map_err(CliError::Url)
}

fn print_config(args: &ServeArgs) -> Result<(), CliError> {
    let config = load::to_serve(args)?;
    let config = toml::to_string_pretty(&config).expect("what TOML has said, TOML can say again");
    io::stdout().write_all(config.as_bytes()).map_err(CliError::Output)
}

/// Runs on this thread, and does not wait for a read of standard input that nobody needs any more.
fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::System)?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_command_serves_and_files_need_no_command() {
        let cli =
            Cli::try_parse_from(["tickerplant", "--feed", "replay", "a.csv", "b.csv", "--speed", "max"])
                .unwrap();

        assert!(cli.command.is_none());
        assert_eq!(cli.serve.files, [PathBuf::from("a.csv"), PathBuf::from("b.csv")]);
        assert_eq!(cli.serve.feed, Some(FeedKind::Replay));
    }
}
