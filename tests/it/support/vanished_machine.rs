//! Imitates a client's machine that vanishes without closing its connections.

use socket2::{SockFilter, SockRef};
use tokio::net::TcpStream;

/// A packet filter that drops every incoming packet. Its only instruction, `BPF_RET | BPF_K`, accepts 0 bytes
/// of each packet.
const NOTHING: SockFilter = SockFilter::new(6, 0, 0, 0);

/// Makes the kernel drop all incoming packets of this socket. The other end of the connection then gets no
/// acknowledgements, as if this machine had lost power.
pub fn vanish(socket: &TcpStream) {
    SockRef::from(socket).attach_filter(&[NOTHING]).unwrap();
}
