//! Prints the results of the scenarios at their own rates. Each table has a line for each server. The ratios
//! of our CPU time to that of the other servers follow.

use crate::contenders::{Contender, Kind};
use crate::runner::{Figures, Runner};
use crate::scenario::Scenario;
use crate::statistics::Spread;

/// A line of the table: a server in a scenario, and its runs.
pub struct Line {
    pub scenario: Scenario,
    pub contender: Contender,
    /// The figures of each run, or `None` for a failed run, for example when some clients could not connect.
    runs: Vec<Option<Figures>>,
}

impl Line {
    pub const fn new(scenario: Scenario, contender: Contender) -> Self {
        Self { scenario, contender, runs: Vec::new() }
    }

    /// Runs the scenario once more.
    pub fn run(&mut self, runner: &Runner) {
        let run = runner.run(&self.contender, &self.scenario);
        self.runs.push(run.inspect_err(|error| eprintln!("  failed: {error}")).ok());
    }

    fn spread(&self, figure: impl Fn(&Figures) -> f64) -> Spread {
        Spread::of(self.runs.iter().flatten().map(figure))
    }

    fn print(&self) {
        let middle = |figure: fn(&Figures) -> f64| self.spread(figure).middle;
        let behind = self.runs.iter().flatten().filter(|run| run.is_behind).count();
        let faults: u64 = self.runs.iter().flatten().map(|run| run.faults).sum();
        let failed = self.runs.iter().filter(|run| run.is_none()).count();
        let behind = if behind > 0 { ", fell behind" } else { "" };
        let failed = if failed > 0 { format!(", {failed} runs failed") } else { String::new() };
        println!(
            "  {:<22} {:>8.0} {:>10.0} {:>18} {:>8.2} {:>20} {:>8.2} {:>8.2} {:>5.2}–{:<5.2} {:>7.1} {:>8.1} {:>8.0} \
             {:>7}{behind}{failed}",
            self.contender.title(),
            middle(|run| run.events),
            middle(|run| run.updates),
            self.spread(|run| run.cpu).text(2),
            middle(|run| run.p50),
            self.spread(|run| run.p99).text(2),
            middle(|run| run.skew),
            middle(|run| run.skew_p99),
            middle(|run| run.ranks.0),
            middle(|run| run.ranks.1),
            middle(|run| run.updates_per_read),
            middle(|run| run.memory),
            middle(|run| run.client_load),
            faults
        );
    }

    /// Prints the ratio of this server's CPU time for each update to the other server's. Runs of the same
    /// turn are paired.
    fn print_ratio(&self, other: &Self) {
        let cpu = |line: &Self| {
            let runs = line.runs.iter();
            runs.map(|run| run.as_ref().map_or(f64::NAN, |run| run.cpu)).collect::<Vec<_>>()
        };
        let Spread { least, middle, most } = Spread::of_ratios(&cpu(self), &cpu(other));
        println!(
            "  CPU for each update, {} / {}: {middle:.2} ({least:.2} to {most:.2})",
            self.contender.title(),
            other.contender.title()
        );
    }
}

/// Prints a table for each scenario, and the ratios of our server's CPU time to that of the others.
pub fn print(lines: &[Line]) {
    for lines in lines.chunk_by(|one, next| one.scenario.name == next.scenario.name) {
        println!("\n{}", lines[0].scenario.title());
        println!(
            "  {:<22} {:>8} {:>10} {:>18} {:>8} {:>20} {:>8} {:>8} {:^11} {:>7} {:>8} {:>8}",
            "",
            "events",
            "updates",
            "CPU µs an update",
            "delay",
            "delay p99 ms",
            "skew",
            "skew",
            "clients'",
            "updates",
            "KiB a",
            "clients'"
        );
        println!(
            "  {:<22} {:>8} {:>10} {:>18} {:>8} {:>20} {:>8} {:>8} {:^11} {:>7} {:>8} {:>8} {:>7}",
            "",
            "a second",
            "a second",
            "least/middle/most",
            "p50 ms",
            "least/middle/most",
            "p50 ms",
            "p99 ms",
            "mean rank",
            "a read",
            "client",
            "core %",
            "faults"
        );
        lines.iter().for_each(Line::print);
        let is_ours = |line: &&Line| line.contender.kind == Kind::Tickerplant;
        for ours in lines.iter().filter(is_ours) {
            for other in lines.iter().filter(|line| !is_ours(line)) {
                ours.print_ratio(other);
            }
        }
    }
}
