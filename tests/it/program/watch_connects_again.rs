//! Tests of the command `watch` when its connection breaks. The command must connect again, resume, and
//! report the new connection on standard error.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::faulty_proxy::{Fault, Proxy};
use crate::support::process::{PATIENCE, ServerProcess, can_signal, line_with, run, tickerplant};
use crate::support::scripted_server::ScriptedServer;

const SUBSCRIBED: &str =
    r#"{"type":"subscribed","trades":["A"],"epoch":"e","seq":7,"resumed":false,"snapshots":1}"#;
const RESUMED: &str =
    r#"{"type":"subscribed","trades":["A"],"epoch":"e","seq":9,"resumed":true,"snapshots":0}"#;
const SNAPSHOT: &str = r#"{"type":"snapshot","symbol":"A","seq":7}"#;
const TRADE: &str = r#"{"type":"trade","symbol":"A","seq":8,"time":"2024-01-03T14:30:00Z","price":1}"#;

fn watch(server: &ScriptedServer) -> Command {
    tickerplant(&["watch", "A", "--json", "--url", &server.url()])
}

fn lines(frames: &[&str]) -> String {
    frames.join("\n") + "\n"
}

#[tokio::test]
async fn a_lost_connection_is_resumed_from_the_last_cursor() {
    let server = ScriptedServer::start().await;
    for (code, reason) in [
        (Some(1001), "closed with 1001 e-7"),
        (Some(1013), "closed with 1013 e-7"),
        (Some(4008), "closed with 4008 e-7"),
        (None, "broke"),
    ] {
        let script = async {
            let first = server.serve(&[SUBSCRIBED, SNAPSHOT], code).await;
            // The client keeps its cursor when a full server refuses it.
            server.refuse(503, "full").await;
            (first, server.serve(&[RESUMED, TRADE], Some(1000)).await)
        };
        let ((code, out, err), (first, second)) = tokio::join!(run(watch(&server)), script);

        assert_eq!((code, out), (0, lines(&[SUBSCRIBED, SNAPSHOT, RESUMED, TRADE])), "{err}");
        assert_eq!((first.as_str(), second.as_str()), ("symbols=A", "symbols=A&after=e-7"));
        let told: Vec<&str> = err.lines().collect();
        assert_eq!(told.len(), 2, "{err}");
        assert!(told[0].starts_with("warning: ") && told[0].contains(reason), "{err}");
        assert_eq!(told[1], "note: connected again; the missed events follow");
    }
}

#[tokio::test]
async fn a_gap_is_printed_and_told() {
    let server = ScriptedServer::start().await;
    let history = r#"{"type":"gap","after":7,"until":20,"reason":"history_exhausted"}"#;
    let seek = r#"{"type":"gap","after":7,"until":7,"reason":"history_exhausted"}"#;
    let restart = r#"{"type":"gap","reason":"epoch_changed"}"#;
    for (gap, told) in [
        (history, "warning: connected again; events 8 to 20 of the feed are missing (history_exhausted)"),
        (seek, "note: connected again; the feed has moved to another time"),
        (restart, "warning: connected again; events are missing (epoch_changed)"),
    ] {
        let script = async {
            server.serve(&[SUBSCRIBED, SNAPSHOT], Some(1001)).await;
            server.serve(&[SUBSCRIBED, gap, SNAPSHOT], Some(1000)).await
        };
        let ((code, out, err), query) = tokio::join!(run(watch(&server)), script);

        assert_eq!((code, out), (0, lines(&[SUBSCRIBED, SNAPSHOT, SUBSCRIBED, gap, SNAPSHOT])), "{err}");
        assert_eq!(query, "symbols=A&after=e-7");
        assert!(err.lines().nth(1).unwrap().starts_with(told), "{err}");
    }
}

#[tokio::test]
async fn without_all_snapshots_there_is_no_cursor() {
    let server = ScriptedServer::start().await;
    let script = async {
        server.serve(&[SUBSCRIBED], None).await;
        server.serve(&[SUBSCRIBED, SNAPSHOT], Some(1000)).await
    };

    let ((code, _, err), query) = tokio::join!(run(watch(&server)), script);

    assert_eq!((code, query.as_str()), (0, "symbols=A"), "{err}");
    assert!(err.contains("connected again before all snapshots had come"), "{err}");
}

#[tokio::test]
async fn a_cursor_in_the_url_counts_for_the_first_connection_only() {
    let server = ScriptedServer::start().await;
    let url = format!("{}?delivery=every&after=e-3&symbols=A", server.url());
    let script = async {
        (
            server.serve(&[RESUMED], None).await,
            server.serve(&[RESUMED, TRADE], None).await,
            server.serve(&[RESUMED], Some(1000)).await,
        )
    };

    let ((code, _, err), queries) = tokio::join!(run(tickerplant(&["watch", "--url", &url])), script);

    assert_eq!(code, 0, "{err}");
    assert_eq!(queries.0, "delivery=every&after=e-3&symbols=A");
    assert_eq!(queries.1, "delivery=every&symbols=A&after=e-3");
    assert_eq!(queries.2, "delivery=every&symbols=A&after=e-8");
}

#[tokio::test]
async fn a_refusal_that_stays_ends_watch_also_after_a_loss() {
    let server = ScriptedServer::start().await;
    for (status, hint) in
        [(401, " hint: set TICKERPLANT_TOKEN to a token of this server\n"), (403, ""), (404, "")]
    {
        let script = async {
            server.serve(&[SUBSCRIBED, SNAPSHOT], None).await;
            server.refuse(429, "too many").await;
            server.refuse(status, "not any more").await;
        };

        let ((code, _, err), ()) = tokio::join!(run(watch(&server)), script);

        assert_eq!(code, 76, "{err}");
        let end = format!("error: {} answers {status}: not any more\n{hint}", server.url());
        assert!(err.ends_with(&end), "{err}");
    }
}

#[tokio::test]
async fn an_error_reply_to_the_subscription_ends_watch() {
    let server = ScriptedServer::start().await;
    let forbidden = r#"{"type":"error","code":"forbidden","message":"this token does not allow A"}"#;
    let script = async { server.serve(&[forbidden], Some(1000)).await };

    let ((code, out, err), _) = tokio::join!(run(watch(&server)), script);

    let error = format!("error: {} answers forbidden: this token does not allow A\n", server.url());
    assert_eq!((code, out, err), (76, String::new(), error));
}

#[tokio::test]
async fn a_server_that_says_nothing_to_a_client_without_a_token_is_asked_for_an_answer() {
    let server = ScriptedServer::start().await;
    let ask = r#"{"action":"ping"}"#;
    let unauthorized = r#"{"type":"error","code":"unauthorized","message":"show a token first"}"#;
    let script = async {
        let mut open = server.accept().await;
        assert_eq!(open.hear().await, ask);
        open.say(&[r#"{"type":"pong"}"#, SUBSCRIBED, SNAPSHOT]).await;
        open.close(None).await;
        // When the client comes back, the server has tokens. The server answers nothing else.
        let mut closed = server.accept().await;
        assert_eq!(closed.hear().await, ask);
        closed.say(&[unauthorized]).await;
        closed.wait_for_end().await;
    };

    let ((code, out, err), ()) = tokio::join!(run(watch(&server)), script);

    // The answer to the client's own question is not part of the output.
    assert_eq!((code, out), (76, lines(&[SUBSCRIBED, SNAPSHOT])), "{err}");
    let end = format!(
        "error: {} answers unauthorized: show a token first\n hint: set TICKERPLANT_TOKEN to a token of this server\n",
        server.url()
    );
    assert!(err.ends_with(&end), "{err}");
}

#[tokio::test]
async fn a_silent_connection_is_replaced() {
    let server = ScriptedServer::start().await;
    let script = async {
        let mut silent = server.accept().await;
        silent.say(&[SUBSCRIBED, SNAPSHOT]).await;
        let query = server.serve(&[RESUMED], Some(1000)).await;
        // The client sends a ping before it gives the connection up.
        let mut asked = Vec::new();
        timeout(PATIENCE, silent.line().read_to_end(&mut asked)).await.expect("the client leaves").unwrap();
        (query, asked)
    };

    let ((code, _, err), (query, asked)) = tokio::join!(run(watch(&server)), script);

    assert_eq!((code, query.as_str()), (0, "symbols=A&after=e-7"), "{err}");
    assert!(err.contains("timed out"), "{err}");
    assert_eq!(asked[0], 0x89, "a ping");
}

#[tokio::test]
async fn an_interrupt_ends_watch_with_0_at_any_time() {
    if !can_signal("an_interrupt_ends_watch_with_0_at_any_time").await {
        return;
    }
    // First case: `watch` tries to connect again, but the server does not come back.
    let server = ScriptedServer::start().await;
    let mut process = watch(&server).spawn().unwrap();
    let mut told = BufReader::new(process.stderr.take().unwrap()).lines();
    server.serve(&[SUBSCRIBED, SNAPSHOT], None).await;
    line_with(&mut told, "connecting again").await;
    drop(server);
    interrupt(process, told).await;

    // Second case: the test does not read the output of `watch`. So `watch` soon stops reading from the
    // server, and becomes a slow consumer.
    let arguments = ["--profile", "gbm", "--rate", "50000", "--log", "tickerplant=debug"];
    let mut server = ServerProcess::configured(&arguments, &[("session.every_buffer", "65536")]).await;
    let url = format!("{}?delivery=every", server.url);
    let mut process = tickerplant(&["watch", "--json", "--url", &url]).spawn().unwrap();
    let told = BufReader::new(process.stderr.take().unwrap()).lines();
    line_with(&mut server.log, "a session has ended").await;
    interrupt(process, told).await;

    // Third case: `watch` is receiving frames.
    let mut process = tickerplant(&["watch", "--json", "--url", &server.url]).spawn().unwrap();
    let told = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut out = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut copying = JoinSet::new();
    let (first, came) = oneshot::channel();
    copying.spawn(async move {
        out.next_line().await.unwrap();
        first.send(()).unwrap();
        while let Some(_line) = out.next_line().await.unwrap() {}
    });
    came.await.unwrap();
    interrupt(process, told).await;
    copying.join_all().await;
}

/// Interrupts `watch`. Checks that `watch` exits with code 0, and prints only warnings on standard error.
async fn interrupt(mut process: Child, mut told: Lines<BufReader<ChildStderr>>) {
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    let ended = timeout(PATIENCE, process.wait()).await.expect("watch ends").unwrap();
    assert_eq!(ended.code(), Some(0));
    while let Some(line) = told.next_line().await.unwrap() {
        assert!(line.starts_with("warning: "), "{line}");
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_again_and_again_loses_and_repeats_nothing() {
    let server = ServerProcess::start(&["--profile", "gbm", "--rate", "2000"]).await;
    let proxy = Proxy::start(server.address()).await;
    let url = format!("ws://{}/ws?delivery=every", proxy.address());
    let mut process = tickerplant(&["watch", "--json", "--url", &url]).spawn().unwrap();
    let mut out = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut told = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut received = Received::default();

    for count in [1, 400, 17, 90, 3] {
        received.read(&mut out, count).await;
        for (fault, news) in [(Fault::Reset, "connecting again"), (Fault::None, "the missed events follow")] {
            proxy.strike(fault);
            // Reads the output and standard error at the same time, because `watch` waits while its output is
            // blocked.
            tokio::select! {
                _ = line_with(&mut told, news) => {}
                () = received.read(&mut out, usize::MAX) => {}
            }
        }
    }
    received.read(&mut out, 2000).await;
    assert_eq!(received.resumed, 5);
}

/// Checks and counts the frames that `watch` has printed. The events in these frames must have consecutive
/// sequence numbers.
#[derive(Default)]
struct Received {
    seq: Option<u64>,
    owed: u64,
    resumed: usize,
}

impl Received {
    /// Reads frames until `count` events have followed the snapshots. This function is cancel safe: between
    /// reading a frame and checking it, there is no `await`.
    async fn read<R: AsyncBufRead + Unpin>(&mut self, out: &mut Lines<R>, count: usize) {
        let mut events = 0;
        while events < count {
            let line = timeout(PATIENCE, out.next_line()).await.expect("a frame comes").unwrap().unwrap();
            let frame: serde_json::Value = serde_json::from_str(&line).unwrap();
            let seq = frame["seq"].as_u64();
            match frame["type"].as_str().unwrap() {
                "subscribed" if frame["resumed"] == true => self.resumed += 1,
                "subscribed" => {
                    assert_eq!(self.seq, None, "{line}");
                    (self.seq, self.owed) = (seq, frame["snapshots"].as_u64().unwrap());
                }
                "snapshot" => (self.owed, self.seq) = (self.owed - 1, seq),
                "trade" | "quote" | "bar" if self.owed == 0 => {
                    assert_eq!(seq, self.seq.map(|before| before + 1), "{line}");
                    (self.seq, events) = (seq, events + 1);
                }
                "gap" => panic!("{line}"),
                _ => {}
            }
        }
    }
}
