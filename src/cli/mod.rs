//! The command line: subcommands, flags and terminal output.

mod client_args;
mod config;
mod did_you_mean;
mod error;
mod file_args;
mod load_config;
mod log;
mod progress_bar;
mod reload;
mod send;
mod serve;
pub mod stderr;
mod watch;

use std::io::{self, BufWriter};
use std::path::PathBuf;

use clap::{Args, Parser};
use tokio::runtime;
use toml::Value;

use crate::config::Sources;
use crate::files::{self, Form};
use crate::market::FeedKind;

pub use client_args::ClientArgs;
pub use did_you_mean::{almost_a_command, commands};
pub use error::CliError;
pub use file_args::{FilesArgs, ReadArgs};

use client_args::TOKEN_HELP;
use watch::Format;

/// Push market data over WebSocket and HTTP: simulated, replayed from CSV, or live from standard input
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// The subcommand; without a subcommand, the program runs `serve`
    #[command(subcommand)]
    pub command: Option<Subcommand>,
    /// The flags of `serve`, which are also valid without a subcommand
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Serve a feed to clients (the default)
    Serve(ServeArgs),
    /// Subscribe and print each frame on a line; connect again and resume when the connection is lost
    #[command(after_help = TOKEN_HELP)]
    Watch {
        /// Symbols to subscribe to, such as AAPL MSFT [default: all symbols]
        #[arg(value_name = "SYMBOL")]
        symbols: Vec<String>,
        /// The flags that name the server
        #[command(flatten)]
        server: ClientArgs,
        /// Print the frames as the JSON that the server sends
        #[arg(long)]
        json: bool,
    },
    /// Send one message to all peers and print the first message that comes back
    #[command(after_help = TOKEN_HELP)]
    Send {
        /// The text to send, such as "Hello, WebSocket Server!"
        text: String,
        /// Further texts, which the program rejects with an error. The hint of this error shows how to quote
        /// the text.
        #[arg(hide = true)]
        more: Vec<String>,
        /// The flags that name the server
        #[command(flatten)]
        server: ClientArgs,
    },
    /// Print how a replay would read files, without serving them
    #[command(after_help = file_args::layouts())]
    Inspect {
        /// Print one JSON object for each file
        #[arg(long)]
        json: bool,
        /// The files, and the flags that say how the files are read
        #[command(flatten)]
        args: FilesArgs,
    },
    /// Print the events of files, merged by time, as one JSON object per line
    Cat(FilesArgs),
    /// Print the effective configuration as TOML
    Config {
        /// Only check the configuration, including its certificate and the paths of its files
        #[arg(long)]
        check: bool,
        /// The flags of `serve`, from which the configuration is loaded
        #[command(flatten)]
        args: ServeArgs,
    },
}

/// The flags of `serve`. Each flag overrides the environment and config.toml.
#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// Source of the events: simulated, replay or stdin
    #[arg(long, value_name = "KIND", value_parser = feed_kind)]
    pub feed: Option<FeedKind>,
    /// Files, folders or file name patterns to replay; needs --feed replay
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Symbols to simulate, such as AAPL:185.5:0.28,MSFT with a price and an annual volatility, or the number of
    /// symbols to invent, such as 500
    #[arg(long, value_name = "NAMES")]
    pub symbols: Vec<String>,
    /// Model of the simulation: realistic, gbm, flat, saw or step [default: realistic]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Mean number of simulated events per second, over all symbols
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub rate: Option<String>,
    /// Seed of the simulation: the same seed, start and settings give the same events [default: random]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<String>,
    /// Market time at which the simulation starts, such as 2024-01-03T14:30:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
    /// Trading hours of the simulation: 24h, or a session such as "09:00-17:30 Europe/Berlin"
    /// [default: 24h]
    #[arg(long, value_name = "HOURS")]
    pub session: Option<String>,
    /// The flags that say how time passes in a replay or a simulation
    #[command(flatten)]
    pub clock: ClockArgs,
    /// The flags for the beginning and the end of a feed
    #[command(flatten)]
    pub bounds: BoundsArgs,
    /// Address or host name to listen on, with a port; port 0 picks a free port [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// File with the server's certificate chain in PEM form; with this flag, the server speaks TLS
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// File with the private key of the certificate, in PEM form
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Let other machines connect although there are no tokens: everybody who reaches the port may do
    /// everything
    #[arg(long)]
    pub allow_anonymous: bool,
    /// The flags that make the server a node of a cluster
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Configuration file [default: config.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Log level (error, warn, info, debug, trace), or directives such as tickerplant=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    /// The flags that say how files are read
    #[command(flatten)]
    pub read: ReadArgs,
}

/// The flags that make the server a node of a cluster.
#[derive(Debug, Default, Args)]
pub struct ClusterArgs {
    /// URL of a NATS server, such as `nats://127.0.0.1:4222`, through which many nodes serve one feed; may be
    /// repeated
    #[arg(long = "cluster", value_name = "URL")]
    pub url: Vec<String>,
    /// Name of the cluster: nodes with the same name serve the same feed [default: main]
    #[arg(long = "cluster-name", value_name = "NAME")]
    pub name: Option<String>,
    /// Role of the node: auto may lead, edge has no feed of its own [default: auto]
    #[arg(long = "cluster-role", value_name = "ROLE")]
    pub role: Option<String>,
    /// Lead at once, and begin the feed anew: all clients get a new epoch
    #[arg(long = "cluster-restart")]
    pub restart: bool,
}

/// The flags for the beginning and the end of a feed.
#[derive(Debug, Default, Args)]
pub struct BoundsArgs {
    /// At the end of a replay, start the replay again
    #[arg(long = "loop")]
    pub repeat: bool,
    /// Start a replay or the reading of standard input only when the first client subscribes
    #[arg(long)]
    pub wait_for_client: bool,
    /// End with exit code 0 when a replay or standard input has ended and the clients have got everything
    #[arg(long)]
    pub exit_at_end: bool,
}

/// The flags for the clock of a feed.
#[derive(Debug, Default, Args)]
pub struct ClockArgs {
    /// Seconds of market time per second of real time, such as 60 or 0.5; the speed max goes as fast as
    /// clients read
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub speed: Option<String>,
    /// Longest wait between two events, in market time, such as 5s; the rest of a longer gap is skipped
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub max_gap: Option<String>,
    /// Replace the time of each event by the moment at which the event is due
    #[arg(long)]
    pub retime: bool,
    /// Start with a paused feed; POST /api/v1/feed resumes the feed
    #[arg(long)]
    pub paused: bool,
}

impl Cli {
    /// Runs the subcommand.
    ///
    /// # Errors
    ///
    /// Fails if the subcommand fails.
    pub fn run(self) -> Result<(), CliError> {
        match self.command.unwrap_or(Subcommand::Serve(self.serve)) {
            Subcommand::Serve(args) => serve::serve(&args),
            Subcommand::Config { args, check: false } => config::print(&args),
            Subcommand::Config { args, check: true } => config::check(&args),
            Subcommand::Inspect { args, json } => {
                let form = if json { Form::Json } else { Form::Table(args.read.words()) };
                let feed = load_config::for_files(&args)?.feed;
                Ok(files::inspect(&feed.replay, feed.line_bytes, &form, &mut BufWriter::new(io::stdout()))?)
            }
            Subcommand::Cat(args) => {
                let feed = load_config::for_files(&args)?.feed;
                Ok(files::cat(&feed.replay, feed.line_bytes, &mut io::stdout())?)
            }
            Subcommand::Send { text, more, server } if more.is_empty() => {
                block_on(send::send(server.target()?, text))
            }
            Subcommand::Send { text, more, .. } => {
                Err(CliError::SeveralTexts { texts: [vec![text], more].concat() })
            }
            Subcommand::Watch { symbols, .. } if symbols.iter().any(|symbol| symbol.contains("://")) => {
                Err(CliError::UrlAsSymbol)
            }
            Subcommand::Watch { symbols, server, json } => {
                let target = server.target()?.with_symbols(&symbols).map_err(CliError::Symbols)?;
                let format = if json { Format::Json } else { Format::Text };
                block_on(watch::watch(target, format))
            }
        }
    }
}

impl ServeArgs {
    /// Returns the sources of the configuration: the file, the environment and these flags.
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
            ("feed.simulated.symbols", (!self.symbols.is_empty()).then(|| self.symbols.join(",").into())),
            ("feed.simulated.profile", text(&self.profile)),
            ("feed.simulated.rate", text(&self.rate)),
            ("feed.simulated.seed", text(&self.seed)),
            ("feed.simulated.start", text(&self.start)),
            ("feed.simulated.session", text(&self.session)),
            ("feed.clock.speed", text(&self.clock.speed)),
            ("feed.clock.max_gap", text(&self.clock.max_gap)),
            ("feed.clock.retime", switch(self.clock.retime)),
            ("feed.clock.paused", switch(self.clock.paused)),
            ("feed.replay.loop", switch(self.bounds.repeat)),
            ("feed.wait_for_client", switch(self.bounds.wait_for_client)),
            ("feed.exit_at_end", switch(self.bounds.exit_at_end)),
            ("server.listen", text(&self.listen)),
            ("server.tls_cert", path(&self.tls_cert)),
            ("server.tls_key", path(&self.tls_key)),
            ("server.allow_anonymous", switch(self.allow_anonymous)),
            ("cluster.url", list(&self.cluster.url)),
            ("cluster.name", text(&self.cluster.name)),
            ("cluster.role", text(&self.cluster.role)),
            ("log", text(&self.log)),
        ];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let flags = flags.chain(self.read.flags()).collect();
        Sources { file: self.config.clone(), environment, flags }
    }
}

impl ClockArgs {
    /// Returns the name of the first clock flag that the user gave.
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

/// Runs a future on this thread. Does not wait for blocking tasks at the end, because a blocking task may be
/// waiting for standard input.
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
    fn an_error_names_a_flag_as_it_is_typed() {
        let line = "tickerplant --profile gbm --symbols A --rate 1 --seed 1 --start 2024 --session 24h --speed 1 --max-gap 1s --retime --paused --loop \
             --wait-for-client --exit-at-end --listen a:1 --tls-cert a --tls-key a --allow-anonymous --cluster nats://a:1 --cluster-name a --cluster-role edge --log info \
             --symbol A --tz UTC --layout a --map price=0 --date-order mdy --time-of-day digits --decimal . --price-scale 1 --prices 32nds --delimiter tab --encoding a \
             --from 2024 --to 2024 --strict --max-bytes 1";
        let sources = Cli::try_parse_from(line.split_whitespace()).unwrap().serve.sources(Vec::new());

        let named: Vec<String> = sources.flags.iter().map(|(key, _)| crate::config::flag_name(key)).collect();

        let typed = line.split_whitespace().filter(|word| word.starts_with("--"));
        let unnamed: Vec<&str> = typed.filter(|flag| !named.iter().any(|name| name == flag)).collect();
        assert_eq!(unnamed, [""; 0], "{named:?}");
    }

    #[test]
    fn without_a_subcommand_the_program_serves_and_accepts_files() {
        let cli =
            Cli::try_parse_from(["tickerplant", "--feed", "replay", "a.csv", "b.csv", "--speed", "max"])
                .unwrap();

        assert!(cli.command.is_none());
        assert_eq!(cli.serve.files, [PathBuf::from("a.csv"), PathBuf::from("b.csv")]);
        assert_eq!(cli.serve.feed, Some(FeedKind::Replay));
    }
}
