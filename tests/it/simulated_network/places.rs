//! The places that clients have with the server, and which machines are gone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tcp_info::Acknowledgements;

/// After so long without an acknowledgement TCP has sent the same bytes again more than once.
const SENT_AGAIN: Duration = Duration::from_millis(300);

/// The sockets that the server has, by the machines at their other ends.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Mutex<BTreeMap<IpAddr, Machine>>>);

#[derive(Debug, Default)]
struct Machine {
    sockets: usize,
    /// Since when nothing comes from it.
    gone_since: Option<Duration>,
}

/// A socket of the server.
#[derive(Debug)]
pub struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    /// The server has one more socket to this machine, until that is dropped.
    pub fn take(&self, address: IpAddr) -> Place {
        self.machines().entry(address).or_default().sockets += 1;
        Place { places: self.clone(), address }
    }

    /// The machine is gone.
    pub fn cut(&self, address: IpAddr, now: Duration) {
        self.machines().entry(address).or_default().gone_since = Some(now);
    }

    /// Whether the server has a socket to this machine.
    pub fn has_one(&self, address: IpAddr) -> bool {
        self.machines().get(&address).is_some_and(|machine| machine.sockets > 0)
    }

    fn machines(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Machine>> {
        self.0.lock().expect("nothing panics in here")
    }
}

impl Place {
    /// What TCP would say of the machine; nothing of one that is there.
    pub fn acknowledgements(&self) -> Option<Acknowledgements> {
        let gone_since = self.places.machines().get(&self.address)?.gone_since?;
        let last = turmoil::sim_elapsed()?.saturating_sub(gone_since);
        Some(Acknowledgements { last, unanswered: if last > SENT_AGAIN { 2 } else { 0 } })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(machine) = self.places.machines().get_mut(&self.address) {
            machine.sockets -= 1;
        }
    }
}
