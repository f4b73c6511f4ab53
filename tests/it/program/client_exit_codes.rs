//! Tests of the exit codes of `watch` and `send`, for each close code that a server sends.

use futures_util::SinkExt;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::support::process::{run, tickerplant};

#[tokio::test]
async fn the_close_code_of_the_server_decides_the_exit_code_of_a_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    for (close, watch_code, send_code, hint) in [
        (Some(1000), 0, 76, None),
        (Some(1001), 0, 76, None),
        (Some(1008), 76, 76, None),
        (Some(4008), 69, 69, Some("connect again with after=e-7 in the URL to resume")),
        (None, 76, 76, None),
    ] {
        let served = || async {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(socket).await.unwrap();
            socket.send(Message::Ping("is anybody there?".into())).await.unwrap();
            if let Some(code) = close {
                let frame = CloseFrame { code: code.into(), reason: "e-7".into() };
                socket.close(Some(frame)).await.unwrap();
                while let Some(Ok(_)) = socket.next().await {}
            }
        };
        for (arguments, code) in
            [(["watch", "AAPL", "--url", &url], watch_code), (["send", "hi", "--url", &url], send_code)]
        {
            let ((found, out, err), ()) = tokio::join!(run(tickerplant(&arguments)), served());

            assert_eq!((found, out.as_str()), (code, ""), "{close:?} {arguments:?}: {err}");
            assert_eq!(err.is_empty(), code == 0, "{err}");
            assert!(hint.is_none_or(|hint| err.ends_with(&format!(" hint: {hint}\n"))), "{err}");
        }
    }
}
