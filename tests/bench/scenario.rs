//! The scenarios: numbers of clients and symbols, and rates of events.

/// All scenarios. On the command line, a scenario is named by its letter.
pub const ALL: [Scenario; 8] = [
    Scenario { name: 'A', clients: 1_000, each: 10, symbols: 500, rate: 5_000, feed: Feed::Stdin },
    Scenario { name: 'B', clients: 100, each: 50, symbols: 50, rate: 1_000, feed: Feed::Stdin },
    Scenario { name: 'C', clients: 10_000, each: 1, symbols: 100, rate: 600, feed: Feed::Stdin },
    Scenario { name: 'L', clients: 1_000, each: 10, symbols: 500, rate: 1_000, feed: Feed::Stdin },
    Scenario { name: 'R', clients: 100, each: 1, symbols: 1, rate: 2_000, feed: Feed::Relay },
    Scenario { name: 'F', clients: 1_000, each: 10, symbols: 500, rate: 5_000, feed: Feed::Simulated },
    Scenario { name: 'D', clients: 100, each: 10, symbols: 500, rate: 50_000, feed: Feed::Simulated },
    Scenario { name: 'S', clients: 1_000, each: 1, symbols: 1, rate: 20, feed: Feed::Simulated },
];

/// A load on a server. All symbols have the same number of subscribers.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The scenario's letter.
    pub name: char,
    pub clients: usize,
    /// The number of symbols that each client subscribes to.
    pub each: usize,
    pub symbols: usize,
    /// Events a second, of all symbols together.
    pub rate: u32,
    pub feed: Feed,
}

/// The source of the events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The server's own simulation, which publishes the due events at most once a millisecond.
    Simulated,
    /// This process, which writes events to the server's standard input at equal intervals.
    Stdin,
    /// A client of this process, which sends messages at equal intervals. The server relays each message to
    /// the other clients, which have no subscription.
    Relay,
}

impl Scenario {
    /// Returns a description of the scenario, with its rate.
    pub fn title(&self) -> String {
        let rate = match self.feed {
            Feed::Simulated => "events/s, simulated by the server",
            Feed::Stdin => "events/s, from standard input",
            Feed::Relay => "messages/s",
        };
        format!("{}, {} {rate}", self.shape(), self.rate)
    }

    /// Returns a description of the scenario, without its rate.
    pub fn shape(&self) -> String {
        let Self { name, clients, each, symbols, .. } = self;
        match self.feed {
            Feed::Relay => format!("{name}: one client sends to {clients} others"),
            _ => format!("{name}: {clients} clients × {each} of {symbols} symbols"),
        }
    }

    /// Returns the number of subscribers of each symbol.
    pub const fn subscribers(&self) -> usize {
        self.clients * self.each / self.symbols
    }

    /// Returns the number of updates that all clients together should get each second.
    pub fn updates(&self) -> f64 {
        f64::from(self.rate) * f64::from(u32::try_from(self.subscribers()).expect("there are few clients"))
    }

    /// Returns the names of the symbols, which all have four characters.
    pub fn names(&self) -> Vec<String> {
        let name =
            |symbol| if self.symbols > 1000 { format!("{symbol:04}") } else { format!("S{symbol:03}") };
        (0..self.symbols).map(name).collect()
    }

    /// Returns the query of each client's URL. The query is empty if the clients have no subscription.
    pub fn queries(&self) -> Vec<String> {
        if self.feed == Feed::Relay {
            return vec![String::new(); self.clients];
        }
        let names = self.names();
        let query = |client: usize| {
            let symbol = |offset: usize| names[(client * self.each + offset) % self.symbols].as_str();
            let symbols: Vec<_> = (0..self.each).map(symbol).collect();
            format!("symbols={}&delivery=every", symbols.join(","))
        };
        (0..self.clients).map(query).collect()
    }
}
