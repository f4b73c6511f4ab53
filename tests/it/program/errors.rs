//! Tests of errors in the command line, in a file or in the network. The program must print one line with the
//! error, and at most one line with a hint.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::process::{ServerProcess, assert_is_one_error, run, tickerplant};

#[tokio::test]
async fn an_error_is_one_line_with_the_place_and_one_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let no_time = file("no-time.csv", "symbol,price\nAAPL,1\n");
    let no_symbol = file("train.csv", "time,price\n2024-01-03,1\n");
    let ice = file("CRUDE_ICE.csv", "time,price\n2024-01-03,1\n");
    let west_texas = file("CRUDE_W.csv", "time,price\n2024-01-03,1\n");
    let page = file("page.csv", "<!DOCTYPE html><html></html>\n");
    let misspelt = file("misspelt.toml", "[session]\nheartbaet = \"5s\"\n");
    let hour = file("hour.toml", "[server]\nflush_window = \"1h\"\n");
    let origin = file("origin.toml", "[server]\nallowed_origins = [\"https://dash.example/\"]\n");
    let host = file("host.toml", "[server]\nallowed_hosts = [\"https://ticks.example\"]\n");
    let proxy = file("proxy.toml", "[server]\ntrusted_proxies = [\"10.1.2.3/8\"]\n");
    let long = "A".repeat(70_000);
    for (arguments, code, place) in [
        (vec!["--feed", "replay", "no-such-file.csv"], 66, "no-such-file.csv"),
        (vec!["--feed", "replay", no_time.as_str()], 65, "no-time.csv:1: no time column"),
        (vec!["--feed", "replay", page.as_str()], 65, "an HTML page"),
        (vec!["--feed", "replay", no_symbol.as_str()], 65, "train.csv: cannot tell the symbol"),
        (
            vec!["cat", "--log", "error", ice.as_str(), west_texas.as_str()],
            65,
            "its name gives the symbol `CRUDE`",
        ),
        (vec!["--feed", "replay"], 78, "no file is given"),
        (vec!["--config", misspelt.as_str()], 78, "misspelt.toml:2: unknown key `session.heartbaet`"),
        (vec!["--config", "no-such.toml"], 66, "no-such.toml"),
        (
            vec!["--config", hour.as_str()],
            78,
            "hour.toml:2: server.flush_window: `\"1h\"` is not a time from 0s to 1s",
        ),
        (vec!["--config", origin.as_str()], 78, "write `https://dash.example`"),
        (vec!["--config", host.as_str()], 78, "write `ticks.example`"),
        (vec!["--config", proxy.as_str()], 78, "write `10.0.0.0/8`"),
        (vec!["--tls-cert", "no-such.pem"], 2, "--tls-cert: TLS needs a certificate and its key"),
        (vec!["--tls-cert", "no-such.pem", "--tls-key", "no-such.pem"], 66, "no-such.pem"),
        (vec!["--tls-cert", page.as_str(), "--tls-key", page.as_str()], 78, "page.csv"),
        (vec!["a.csv"], 2, "a.csv"),
        (vec!["watch", long.as_str()], 2, "the symbols do not fit into a URL"),
        (vec!["--speed", "fast"], 2, "--speed: `fast` is not a number from"),
        (vec!["--max-gap", "5"], 2, "--max-gap: `5` is not a time from"),
        (vec!["--max-gap", "-5s"], 2, "--max-gap: `-5s` is not a time from"),
        (vec!["--seed", "x"], 2, "--seed: `x` is not a whole number from"),
        (vec!["--speed", "0"], 2, "--speed: `0` is not a number from"),
        (
            vec!["--profile", "gbm", "--session", "9:30-16:00 UTC"],
            2,
            "--session: the profile gbm trades all day",
        ),
        (vec!["--feed", "stdin", "--paused"], 2, "--paused"),
        (vec!["--feed", "stdin", "--speed", "2"], 2, "--speed"),
        (vec!["--rate", "-1"], 2, "--rate: `-1` is not a whole number from 1 to 1000000"),
        (vec!["--rate", "0"], 2, "--rate: `0` is not a whole number from 1 to 1000000"),
        (vec!["--symbols", "A B"], 2, "--symbols: symbol \"A B\" has a space"),
        (vec!["--price-scale", "-1"], 2, "--price-scale: `-1` is not a whole number"),
        (vec!["--log", "loud"], 2, "--log: `loud` is not a level"),
        (vec!["--listen", "0.0.0.0:0"], 2, "--listen: 0.0.0.0:0 can be reached from other machines"),
        (vec!["--listen", "nonsense"], 2, "--listen: `nonsense` is not an address and a port"),
        (vec!["--listen", "127.0.0.1:70000"], 2, "--listen: `127.0.0.1:70000` is not an address and a port"),
        (vec!["--log", "tickerplant=loud"], 2, "--log: `tickerplant=loud` is not"),
        (vec!["--fed", "simulated"], 2, "--fed"),
        (vec!["--feed", "simulatd"], 2, "simulatd"),
        (vec!["wacth", "AAPL"], 2, "wacth"),
        (vec!["send", "hi", "--url", "ws://127.0.0.1:1/ws"], 69, "127.0.0.1:1"),
    ] {
        let (found, out, err) = run(tickerplant(&arguments)).await;
        assert_eq!((found, out.as_str()), (code, ""), "{arguments:?}: {err}");
        assert_is_one_error(&err, place);
    }
}

#[tokio::test]
async fn a_command_line_that_is_almost_right_leads_to_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prices"), "time,price\n").unwrap();
    for (arguments, error, hint) in [
        (&["insepct", "a.csv"][..], "`insepct` is not a command", "did you mean `tickerplant inspect`?"),
        (
            &["insepct", "--json", "a.csv"],
            "`insepct` is not a command",
            "did you mean `tickerplant inspect`?",
        ),
        (
            &["replay", "a b.csv"],
            "`replay` is not a command",
            "did you mean `tickerplant --feed replay 'a b.csv'`?",
        ),
        (&["simulated"], "`simulated` is not a command", "did you mean `tickerplant --feed simulated`?"),
        (&["stdin"], "`stdin` is not a command", "did you mean `tickerplant --feed stdin`?"),
        (&["simulatd"], "`simulatd` is not a command", "did you mean `tickerplant --feed simulated`?"),
        (
            &["prices"],
            "prices: only a replay takes files",
            "did you mean `tickerplant --feed replay prices`?",
        ),
        (
            &["serve", "a.csv"],
            "a.csv: only a replay takes files",
            "did you mean `tickerplant --feed replay a.csv`?",
        ),
        (&["market"], "`market` is not a command", "commands are serve, watch, send, inspect, "),
        (
            &["--seed", "7", "watch"],
            "`watch` is not the first word",
            "flags come after the command; tickerplant watch --help",
        ),
        (
            &["wacth", "--url", "ws://h?token=t"],
            "`wacth` is not a command",
            "did you mean `tickerplant watch`?",
        ),
        (&["watch", "--jsno"], "unexpected argument '--jsno' found", "a similar argument exists: '--json'"),
        (
            &["watch", "--symbols", "A"],
            "unexpected argument '--symbols' found",
            "tickerplant watch --help lists its flags",
        ),
        (&["watch", "ws://h"], "a symbol is a URL", "name the server with --url URL"),
        (
            &["send", "hello", "world"],
            "send takes one text",
            "put the text into quotes: tickerplant send 'hello world'",
        ),
        (&["send", "-5"], "unexpected argument '-5' found", "to pass '-5' as a value, use '-- -5'"),
        (
            &["send", "hi", "--url", "ftp://h"],
            "--url: a server has no `ftp://`",
            "a URL has the form ws://127.0.0.1:8000/ws",
        ),
        (
            &["send", "hi", "--url", "ws://[h"],
            "--url: this is not a URL",
            "a URL has the form ws://127.0.0.1:8000/ws",
        ),
        (
            &["watch", "--url", "ws://127.0.0.1:99999/ws"],
            "--url: the URL's port is not a number from 1 to 65535",
            "a URL has the form ws://127.0.0.1:8000/ws",
        ),
    ] {
        let mut command = tickerplant(arguments);
        command.current_dir(folder.path());
        let (code, out, err) = run(command).await;

        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert_is_one_error(&err, error);
        assert!(err.lines().nth(1).unwrap_or_default().contains(hint), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn a_url_may_be_without_a_scheme_or_with_that_of_http() {
    let server = ServerProcess::start(&[]).await;
    let address = server.address();
    for url in [address.to_string(), format!("http://{address}"), format!("localhost:{}/ws", address.port())]
    {
        let sent = run(tickerplant(&["send", "hi", "--url", &url])).await;
        assert_eq!(sent, (0, "Received: hi\n".to_owned(), String::new()), "{url}");
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_its_owner_goes_on() {
    let first = ServerProcess::start(&[]).await;
    let address = first.url.trim_start_matches("ws://").trim_end_matches("/ws");

    let (code, _, err) = run(tickerplant(&["--listen", address])).await;

    assert_eq!(code, 69, "{err}");
    assert_is_one_error(&err, address);
    assert_eq!(run(tickerplant(&["send", "hi", "--url", &first.url])).await.0, 0);
}

#[tokio::test]
async fn an_error_does_not_repeat_a_url_that_may_contain_a_token() {
    for (url, code) in [
        ("ws://[bad?token=secret", 2),
        ("ws://127.0.0.1:1/ws?symbols=A&token=secret and more", 2),
        ("ws://secret@127.0.0.1:1/ws?token=secret", 69),
    ] {
        for arguments in [["send", "hi", "--url", url], ["watch", "AAPL", "--url", url]] {
            let (found, _, err) = run(tickerplant(&arguments)).await;

            assert_eq!(found, code, "{err}");
            assert_is_one_error(&err, if code == 2 { "--url" } else { "127.0.0.1:1" });
            assert!(!err.contains("secret"), "{err}");
        }
    }
}

#[tokio::test]
async fn a_server_of_another_kind_is_an_error_in_words_of_this_program() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let (other, tls) = ("start a server with `tickerplant`", "if the server speaks TLS");
    let switching = "HTTP/1.1 101 Switching Protocols\r\n";
    let upgraded = format!("{switching}Connection: upgrade\r\nUpgrade: websocket\r\n");
    let no_websockets = "this is no tickerplant server, but an HTTP server without WebSockets";
    for (answer, code, fault, hint) in [
        ("HTTP/1.0 200 OK\r\n\r\n", 69, no_websockets, other),
        ("HTTP/1.0 404 Not Found\r\n\r\n", 69, no_websockets, other),
        (&format!("{switching}\r\n"), 69, no_websockets, other),
        (&format!("{upgraded}\r\n"), 69, no_websockets, other),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            76,
            "answers 200: OK",
            "this is no tickerplant server",
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n", 69, "the server does not answer in HTTP", tls),
        ("HTTP/7 200 OK\r\n\r\n", 69, "the server does not answer in HTTP", tls),
        ("", 69, "the server closed the connection without an answer", tls),
    ] {
        for arguments in [["send", "hi", "--url", &url], ["watch", "AAPL", "--url", &url]] {
            let served = async {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(socket.read_u8().await.unwrap());
                }
                socket.write_all(answer.as_bytes()).await.unwrap();
            };

            let ((found, out, err), ()) = tokio::join!(run(tickerplant(&arguments)), served);

            assert_eq!((found, out.as_str()), (code, ""), "{answer:?}: {err}");
            let error = err.lines().next().unwrap();
            assert!(error.ends_with(&format!(" {fault}")), "{answer:?}: {err}");
            assert_is_one_error(&err, &url);
            assert!(err.lines().nth(1).unwrap_or_default().contains(hint), "{answer:?}: {err}");
        }
    }
    drop(listener);

    let (code, _, err) = run(tickerplant(&["send", "hi", "--url", &url])).await;

    assert_eq!(code, 69, "{err}");
    assert!(err.starts_with(&format!("error: cannot connect to {url}: Connection refused")), "{err}");
}

#[tokio::test]
async fn a_full_output_is_an_error_and_a_closed_pipe_is_none() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        eprintln!("skipped, this system has no /dev/full: a full output");
        return;
    };
    let server = ServerProcess::start(&[]).await;
    let bars = concat!(env!("CARGO_MANIFEST_DIR"), "/feeds/bars-1m.csv");

    for arguments in [
        &["config"][..],
        &["cat", bars],
        &["inspect", bars],
        &["send", "hi", "--url", &server.url],
        &["watch", "--url", &server.url],
    ] {
        let mut command = tickerplant(arguments);
        command.stdout(full.try_clone().unwrap());
        let (code, _, err) = run(command).await;
        assert_eq!(code, 74, "{arguments:?}: {err}");
        assert_is_one_error(&err, "cannot write the output");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = tickerplant(arguments);
        command.stdout(writer);
        assert_eq!(run(command).await, (0, String::new(), String::new()), "{arguments:?}");
    }
}
