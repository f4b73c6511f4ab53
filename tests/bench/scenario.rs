//! The scenarios: how many clients take how much of how many events.

/// All of them; the letters are what the command line names.
pub const ALL: [Scenario; 6] = [
    Scenario { name: 'A', clients: 1_000, each: 10, symbols: 500, rate: 5_000, feed: Feed::Simulated },
    Scenario { name: 'B', clients: 100, each: 50, symbols: 50, rate: 1_000, feed: Feed::Simulated },
    Scenario { name: 'C', clients: 10_000, each: 1, symbols: 100, rate: 600, feed: Feed::Simulated },
    Scenario { name: 'D', clients: 100, each: 10, symbols: 500, rate: 50_000, feed: Feed::Simulated },
    Scenario { name: 'S', clients: 1_000, each: 1, symbols: 1, rate: 20, feed: Feed::Simulated },
    Scenario { name: 'L', clients: 1_000, each: 10, symbols: 500, rate: 1_000, feed: Feed::Written },
];

/// How many clients subscribe to how many of the symbols; each symbol has as many takers as any other.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its letter.
    pub name: char,
    pub clients: usize,
    /// Symbols of each client.
    pub each: usize,
    pub symbols: usize,
    /// Events a second, over all symbols.
    pub rate: u32,
    pub feed: Feed,
}

/// Where the events come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The server's own simulation, which looks what is due at most once a millisecond.
    Simulated,
    /// This process writes each to the server's standard input.
    Written,
}

impl Scenario {
    /// What it is, in a line.
    pub fn title(&self) -> String {
        let feed = if self.feed == Feed::Written { ", from standard input" } else { "" };
        format!("{}, {} events/s{feed}", self.shape(), self.rate)
    }

    /// What it is but for the rate.
    pub fn shape(&self) -> String {
        let Self { name, clients, each, symbols, .. } = self;
        format!("{name}: {clients} clients × {each} of {symbols} symbols")
    }

    /// How many clients take each symbol.
    pub const fn takers(&self) -> usize {
        self.clients * self.each / self.symbols
    }

    /// Updates that are due each second.
    pub fn updates(&self) -> f64 {
        f64::from(self.rate) * f64::from(u32::try_from(self.takers()).expect("there are few clients"))
    }

    /// The names of the symbols; all have four characters.
    pub fn names(&self) -> Vec<String> {
        (0..self.symbols).map(|symbol| format!("S{symbol:03}")).collect()
    }

    /// What each client's URL asks for.
    pub fn queries(&self) -> Vec<String> {
        let names = self.names();
        let query = |client: usize| {
            let symbol = |offset: usize| names[(client * self.each + offset) % self.symbols].as_str();
            let symbols: Vec<_> = (0..self.each).map(symbol).collect();
            format!("symbols={}&delivery=every", symbols.join(","))
        };
        (0..self.clients).map(query).collect()
    }
}
