//! Prints the results of the benchmark's scenarios. Each scenario has a table with a line for each server.
//! Below the table are the ratios of our server's figures to the figures of the other servers, and the ratios
//! of the stream clients' figures to the WebSocket clients' figures.

use crate::contenders::{Contender, Kind};
use crate::framing::Framing;
use crate::runner::{Figures, Runner};
use crate::scenario::Scenario;
use crate::statistics::Spread;

/// A line of a table: the results of one server in one scenario.
pub struct Line {
    pub scenario: Scenario,
    pub contender: Contender,
    /// The figures of each run, or `None` if the run failed. For example, a run fails if a client cannot
    /// connect.
    runs: Vec<Option<Figures>>,
}

impl Line {
    pub const fn new(scenario: Scenario, contender: Contender) -> Self {
        Self { scenario, contender, runs: Vec::new() }
    }

    /// Runs the scenario with this server once more, and stores the figures.
    pub fn run(&mut self, runner: &Runner) {
        let run = runner.run(&self.contender, &self.scenario);
        self.runs.push(run.inspect_err(|error| eprintln!("  failed: {error}")).ok());
    }

    fn spread(&self, figure: impl Fn(&Figures) -> f64) -> Spread {
        Spread::of(self.runs.iter().flatten().map(figure))
    }

    fn middle(&self, figure: fn(&Figures) -> f64, digits: usize) -> String {
        format!("{:.digits$}", self.spread(figure).middle)
    }

    fn print(&self) {
        let behind = self.runs.iter().flatten().filter(|run| run.is_behind).count();
        let failed = self.runs.iter().filter(|run| run.is_none()).count();
        let behind = if behind > 0 { ", fell behind" } else { "" };
        let failed = if failed > 0 { format!(", {failed} runs failed") } else { String::new() };
        print!("  {:<22}", self.contender.title());
        for Column { width, text, .. } in COLUMNS {
            print!(" {:>width$}", text(self));
        }
        println!("{behind}{failed}");
    }

    /// Prints the ratios of this server's figures to the other server's figures. In each turn of the
    /// benchmark, every server runs once. A ratio compares the two servers' runs of the same turn.
    fn print_ratios(&self, other: &Self) {
        let ratio = |figure: fn(&Figures) -> f64| {
            let all = |line: &Self| {
                let runs = line.runs.iter();
                runs.map(|run| run.as_ref().map_or(f64::NAN, figure)).collect::<Vec<_>>()
            };
            let Spread { least, middle, most } = Spread::of_ratios(&all(self), &all(other));
            format!("{middle:.2} ({least:.2} to {most:.2})")
        };
        println!(
            "  {} / {}: CPU {}, delay p99 {}, first to last client {}",
            self.contender.title(),
            other.contender.title(),
            ratio(|run| run.cpu),
            ratio(|run| run.p99),
            ratio(|run| run.skew)
        );
    }
}

struct Column {
    title: [&'static str; 2],
    width: usize,
    text: fn(&Line) -> String,
}

/// The second title line of a column that shows a [spread](Spread::text).
const SPREAD: &str = "least/middle/most";

const COLUMNS: [Column; 13] = [
    Column { title: ["events", "a second"], width: 8, text: |line| line.middle(|run| run.events, 0) },
    Column { title: ["updates", "a second"], width: 8, text: |line| line.middle(|run| run.updates, 0) },
    Column {
        title: ["CPU µs an update", SPREAD],
        width: 17,
        text: |line| line.spread(|run| run.cpu).text(2),
    },
    Column { title: ["delay p50 ms", SPREAD], width: 17, text: |line| line.spread(|run| run.p50).text(2) },
    Column { title: ["delay p99 ms", SPREAD], width: 20, text: |line| line.spread(|run| run.p99).text(2) },
    Column {
        title: ["first to last p50 ms", SPREAD],
        width: 20,
        text: |line| line.spread(|run| run.skew).text(2),
    },
    Column { title: ["p99", "ms"], width: 7, text: |line| line.middle(|run| run.skew_p99, 2) },
    Column {
        title: ["clients'", "mean rank"],
        width: 9,
        text: |line| format!("{}–{}", line.middle(|run| run.ranks.0, 2), line.middle(|run| run.ranks.1, 2)),
    },
    Column {
        title: ["updates", "a read"],
        width: 7,
        text: |line| line.middle(|run| run.updates_per_read, 1),
    },
    Column { title: ["KiB a", "client"], width: 7, text: |line| line.middle(|run| run.memory, 1) },
    Column { title: ["clients'", "core %"], width: 8, text: |line| line.middle(|run| run.client_load, 0) },
    Column { title: ["late", "p99 ms"], width: 8, text: |line| line.middle(|run| run.late_p99, 2) },
    Column {
        title: ["", "faults"],
        width: 7,
        text: |line| line.runs.iter().flatten().map(|run| run.faults).sum::<u64>().to_string(),
    },
];

/// Prints a table for each scenario, and the ratios of the figures.
pub fn print(lines: &[Line]) {
    for lines in lines.chunk_by(|one, next| one.scenario.name == next.scenario.name) {
        println!("\n{}", lines[0].scenario.title());
        for row in 0..2 {
            print!("  {:<22}", "");
            for Column { title, width, .. } in COLUMNS {
                print!(" {:>width$}", title[row]);
            }
            println!();
        }
        lines.iter().for_each(Line::print);
        let is_ours = |line: &&Line| line.contender.kind == Kind::Tickerplant;
        for ours in lines.iter().filter(is_ours) {
            for other in lines.iter().filter(|line| !is_ours(line)) {
                // The ratio of a stream shows how much more a stream costs than a WebSocket.
                let is_stream = other.contender.kind.framing() != Framing::WebSocket;
                let (line, other) = if is_stream { (other, ours) } else { (ours, other) };
                line.print_ratios(other);
            }
        }
    }
}
