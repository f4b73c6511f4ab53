//! Keeps track of the server's open sockets, and of the client machines that have vanished.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tcp_info::Acknowledgements;

/// If no acknowledgement arrives within this time, TCP has sent the same bytes more than once.
const RETRANSMITTED_AFTER: Duration = Duration::from_millis(300);

/// The number of the server's open sockets to each client machine.
#[derive(Clone, Debug, Default)]
pub struct OpenSockets(Arc<Mutex<BTreeMap<IpAddr, Machine>>>);

#[derive(Debug, Default)]
struct Machine {
    sockets: usize,
    /// The time at which the machine vanished, or `None` for a machine that has not vanished.
    vanished_at: Option<Duration>,
}

/// An open socket of the server to a client machine.
#[derive(Debug)]
pub struct OpenSocket {
    open_sockets: OpenSockets,
    address: IpAddr,
}

impl OpenSockets {
    /// Counts a new open socket to the machine at this address. The socket counts as open until the returned
    /// value is dropped.
    pub fn open(&self, address: IpAddr) -> OpenSocket {
        self.machines().entry(address).or_default().sockets += 1;
        OpenSocket { open_sockets: self.clone(), address }
    }

    /// Marks the machine at this address as vanished at the time `now`.
    pub fn mark_vanished(&self, address: IpAddr, now: Duration) {
        self.machines().entry(address).or_default().vanished_at = Some(now);
    }

    /// Returns whether the server has an open socket to the machine at this address.
    pub fn has_socket_to(&self, address: IpAddr) -> bool {
        self.machines().get(&address).is_some_and(|machine| machine.sockets > 0)
    }

    fn machines(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Machine>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

impl OpenSocket {
    /// Returns the acknowledgements that TCP would report for a vanished machine, or `None` if the machine
    /// has not vanished.
    pub fn acknowledgements(&self) -> Option<Acknowledgements> {
        let vanished_at = self.open_sockets.machines().get(&self.address)?.vanished_at?;
        let last = turmoil::sim_elapsed()?.saturating_sub(vanished_at);
        Some(Acknowledgements { last, unanswered: if last > RETRANSMITTED_AFTER { 2 } else { 0 } })
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        if let Some(machine) = self.open_sockets.machines().get_mut(&self.address) {
            machine.sockets -= 1;
        }
    }
}
