//! A client's machine that is gone without a word.

use socket2::{SockFilter, SockRef};
use tokio::net::TcpStream;

/// The filter that lets no packet in: `BPF_RET | BPF_K`, of 0 bytes.
const NOTHING: SockFilter = SockFilter::new(6, 0, 0, 0);

/// Lets the kernel drop all that comes for this socket from now on: the other end gets no more acknowledgements, as if the
/// machine had lost its power.
pub fn vanish(socket: &TcpStream) {
    SockRef::from(socket).attach_filter(&[NOTHING]).unwrap();
}
