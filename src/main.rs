//! Parses, loads, runs; prints an error with its causes and a hint.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use clap::error::ErrorKind;
use http::Uri;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use tickerplant::app::{App, StartError};
use tickerplant::cli::progress::Bar;
use tickerplant::cli::{Cli, Command, FilesArgs, ServeArgs};
use tickerplant::client::{self, ClientError, Format};
use tickerplant::config::{self, Config, LoadError};
use tickerplant::feed::{self, ErrorClass, FeedError};
use tickerplant::files::{self, FilesError, Form};
use tickerplant::market::FeedKind;
use tickerplant::server::TlsError;

/// Exit codes: 2 for the command line, the others as in BSD's `sysexits.h`.
mod exit {
    pub const FAILURE: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const DATA: u8 = 65;
    pub const NO_INPUT: u8 = 66;
    pub const UNAVAILABLE: u8 = 69;
    pub const OS: u8 = 71;
    pub const OUTPUT: u8 = 74;
    pub const PROTOCOL: u8 = 76;
    pub const CONFIG: u8 = 78;
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has had enough of it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let (code, hint) = explain(&error);
            report(in_one_line(&error), hint.as_deref());
            ExitCode::from(code)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve(&args),
        Command::Config(args) => print_config(&args),
        Command::Inspect { args, json } => {
            let form = if json { Form::Json } else { Form::Table(args.read.words()) };
            let Config { feed, .. } = load_to_read(&args)?;
            Ok(files::inspect(&feed.replay, feed.line_bytes, &form, &mut BufWriter::new(io::stdout()))?)
        }
        Command::Cat(args) => {
            let Config { feed, .. } = load_to_read(&args)?;
            Ok(files::cat(&feed.replay, feed.line_bytes, &mut io::stdout())?)
        }
        Command::Send { text, url } => {
            let url = server_url(&url)?;
            block_on(async { Ok(client::send(&url, text, &mut io::stdout()).await?) })
        }
        Command::Watch { symbols, url, json } => {
            let url =
                client::with_symbols(&server_url(&url)?, &symbols).context("these symbols make no URL")?;
            let format = if json { Format::Json } else { Format::Text };
            block_on(async {
                let mut interrupt = signal(SignalKind::interrupt())?;
                let mut out = io::stdout();
                tokio::select! {
                    watched = client::watch(&url, format, &mut out) => Ok(watched?),
                    _ = interrupt.recv() => Ok(()),
                }
            })
        }
    }
}

fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    let config = load(args)?;
    let bar = Bar::new(config.feed.kind);
    let around = bar.writer();
    log_to(move || around.clone(), log_filter(&config.log)?);
    let feed = feed::open(&config.feed)?;
    let control = feed.control().clone();
    // Best effort: where the limit stays low, fewer clients can connect, and the accept loop says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    block_on(async {
        let stop = CancellationToken::new();
        let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let app = App::start(config, Some(feed)).await?;
        tokio::select! {
            ended = app.run(stop.clone()) => Ok(ended?),
            never = bar.show(&control) => match never {},
            () = told_twice(signals, stop.clone()) => Err(Misuse(exit::FAILURE, "stopped at once".into(), None).into()),
        }
    })
}

/// Logs to standard error, by way of this writer.
fn log_to(stderr: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, filter: EnvFilter) {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // A log that cannot be written, on a full disk say, is told nobody: telling it would go the same way, and panic.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// The configuration of a command that reads files; it says what is wrong with them, and nothing else.
fn load_to_read(args: &FilesArgs) -> anyhow::Result<Config> {
    let config = Config::load(&args.sources(environment()))?;
    log_to(io::stderr, log_filter(args.log.as_deref().unwrap_or("warn"))?);
    Ok(config)
}

/// The URL of a server. An error does not repeat it, for there may be a token in it.
fn server_url(text: &str) -> anyhow::Result<Uri> {
    text.parse().map_err(|fault| {
        let hint = "a URL is like ws://127.0.0.1:8000/ws, what is special in its parameters written as %20";
        Misuse(exit::USAGE, format!("--url: {fault}"), Some(hint)).into()
    })
}

/// A level, or `tracing` directives; a word that is neither would silence everything.
fn log_filter(text: &str) -> anyhow::Result<EnvFilter> {
    let is_known = text.contains(['=', ',']) || text.parse::<LevelFilter>().is_ok();
    let filter = EnvFilter::try_new(text).ok().filter(|_| is_known);
    filter.ok_or_else(|| {
        let hint =
            "levels are error, warn, info, debug, trace and off; directives are like tickerplant=debug,warn";
        Misuse(exit::CONFIG, format!("log: `{text}` is no level and no directives"), Some(hint)).into()
    })
}

/// Fires `stop` at the first signal and completes at the second.
async fn told_twice(mut signals: [Signal; 2], stop: CancellationToken) {
    for _ in 0..2 {
        let [interrupt, terminate] = &mut signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    }
}

fn print_config(args: &ServeArgs) -> anyhow::Result<()> {
    let config = toml::to_string_pretty(&load(args)?)?;
    io::stdout().write_all(config.as_bytes()).map_err(ClientError::Output)?;
    Ok(())
}

fn load(args: &ServeArgs) -> anyhow::Result<Config> {
    let config = Config::load(&args.sources(environment()))?;
    log_filter(&config.log)?;
    if let (Some(file), true) = (args.files.first(), config.feed.kind != FeedKind::Replay) {
        let message = format!("`{}` is no command, and only a replay takes files", file.display());
        let hint =
            "replay files with --feed replay FILE…; commands are serve, watch, send, inspect, cat and config";
        return Err(Misuse(exit::USAGE, message, Some(hint)).into());
    }
    if let (Some(flag), FeedKind::Stdin) = (args.clock.first(), config.feed.kind) {
        let message = format!("{flag}: standard input is published as it comes");
        let hint = "only a replay and a simulation have a clock";
        return Err(Misuse(exit::USAGE, message, Some(hint)).into());
    }
    Ok(config)
}

fn environment() -> Vec<(String, String)> {
    // A value of ours that is no text stays visible as something that is wrong.
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Runs on this thread, and does not wait for a read of standard input that nobody needs any more.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    outcome
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let of_client = match error.downcast_ref() {
        Some(ClientError::Output(source)) => Some(source),
        _ => None,
    };
    let of_files = match error.downcast_ref() {
        Some(FilesError::Output(source)) => Some(source),
        _ => None,
    };
    of_client.or(of_files).is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
}

/// A fault that only `main` knows, with its exit code and hint.
#[derive(Debug, thiserror::Error)]
#[error("{1}")]
struct Misuse(u8, String, Option<&'static str>);

/// The exit code and the hint of an error.
fn explain(error: &anyhow::Error) -> (u8, Option<Cow<'_, str>>) {
    for cause in error.chain() {
        if let Some(Misuse(code, _, hint)) = cause.downcast_ref() {
            return (*code, hint.map(Cow::from));
        }
        if let Some(error) = cause.downcast_ref::<FeedError>() {
            return (feed_code(error), error.hint().map(Cow::from));
        }
        if let Some(error) = cause.downcast_ref::<FilesError>() {
            let code = match error {
                FilesError::Feed(error) | FilesError::Some { first: error, .. } => feed_code(error),
                FilesError::Output(_) => exit::OUTPUT,
            };
            return (code, error.hint().map(Cow::from));
        }
        if let Some(error) = cause.downcast_ref::<LoadError>() {
            let code = match error {
                LoadError::Open { .. } => exit::NO_INPUT,
                LoadError::Bad { place, .. } if place == config::COMMAND_LINE => exit::USAGE,
                LoadError::Bad { .. } | LoadError::Range(_) => exit::CONFIG,
            };
            return (code, error.hint().map(Cow::from));
        }
        if let Some(error) = cause.downcast_ref::<StartError>() {
            return (start_code(error), error.hint().map(Cow::from));
        }
        if let Some(error) = cause.downcast_ref::<ClientError>() {
            return (client_code(error), error.hint());
        }
    }
    (exit::FAILURE, None)
}

fn feed_code(error: &FeedError) -> u8 {
    match error.class() {
        ErrorClass::NoInput => exit::NO_INPUT,
        ErrorClass::BadData => exit::DATA,
        ErrorClass::Configuration => exit::CONFIG,
    }
}

fn start_code(error: &StartError) -> u8 {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    match error {
        StartError::Listen { source, .. } => match source.kind() {
            AddrInUse | AddrNotAvailable | PermissionDenied => exit::UNAVAILABLE,
            _ => exit::CONFIG,
        },
        StartError::Tls(TlsError::Open { .. }) => exit::NO_INPUT,
        StartError::Exposed { .. } | StartError::Tls(_) => exit::CONFIG,
        StartError::Thread(_) => exit::OS,
    }
}

fn client_code(error: &ClientError) -> u8 {
    match error {
        ClientError::Connect { .. } | ClientError::Closed { code: 4008, .. } => exit::UNAVAILABLE,
        ClientError::Refused { .. } | ClientError::Broken { .. } | ClientError::Closed { .. } => {
            exit::PROTOCOL
        }
        ClientError::Output(_) => exit::OUTPUT,
    }
}

/// The error and its causes, none said twice, in one line.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// What clap has to say, in our form; help and version go to standard output.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody reads what cannot be printed.
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
    ExitCode::from(exit::USAGE)
}

fn report(error: impl Display, hint: Option<&str>) {
    let hint = hint.map(|hint| format!(" hint: {hint}\n")).unwrap_or_default();
    let error = feed::harmless(&error.to_string());
    // The exit code says it too, where standard error takes nothing.
    let _ = write!(io::stderr(), "error: {error}\n{hint}");
}
