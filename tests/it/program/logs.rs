//! Tests of the log that the built program writes. The program must log each refused request, and must never
//! log a token. If the program cannot write the log, it must keep running.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::process::{PATIENCE, ServerProcess, can_signal, line_with, run, tickerplant};

#[tokio::test]
async fn no_log_says_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tokens.toml");
    // printf %s secret | sha256sum
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let text =
        format!("[[auth.tokens]]\nname = \"dash\"\nsha256 = \"{hash}\"\nsubscribe = [\"*\"]\nrelay = true\n");
    std::fs::write(&config, text).unwrap();
    let mut server = ServerProcess::start(&["--config", config.to_str().unwrap(), "--log", "trace"]).await;

    for (token, code) in [("secret", 0), ("a-guess", 76)] {
        let url = format!("{}?token={token}", server.url);
        let (found, _, err) = run(tickerplant(&["send", "hi", "--url", &url])).await;
        assert_eq!(found, code, "{err}");
        assert!(!err.contains(token), "{err}");
    }
    server.process.kill().await.unwrap();
    let mut said = 0;
    while let Some(line) = timeout(PATIENCE, server.log.next_line()).await.unwrap().unwrap() {
        assert!(!line.contains("secret") && !line.contains("a-guess") && !line.contains(hash), "{line}");
        said += 1;
    }
    assert!(said > 0);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing() {
    if !can_signal("a_log_that_cannot_be_written_stops_nothing").await {
        return;
    }
    let server = ServerProcess::start(&["--log", "debug"]).await;
    let ServerProcess { mut process, log, url } = server;

    // From here on, each write to the log fails, as on a full disk.
    drop(log);

    assert_eq!(run(tickerplant(&["send", "hi", "--url", &url])).await.0, 0);
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    let ended = timeout(PATIENCE, process.wait()).await.expect("the server ends").unwrap();
    assert_eq!(ended.code(), Some(0));
}

/// Sends a request to a server and reads the whole response.
async fn request(server: &ServerProcess, request: &str, headers: &str) -> String {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer)).await.expect("an answer comes").unwrap();
    answer
}

#[tokio::test]
async fn a_refused_request_is_logged_with_its_reason_and_without_its_query() {
    let upgrade = "Host: localhost\r\nUpgrade: websocket\r\n";
    for (asked, headers, parts) in [
        ("GET /ws?symbols=A&token=secret", "Host: evil.example\r\n", ["status=403", "server.allowed_hosts"]),
        (
            "GET /ndjson?symbols=A",
            "Host: localhost\r\nOrigin: http://evil.example\r\n",
            ["status=403", "server.allowed_origins"],
        ),
        ("GET /ws", "Host: localhost\r\nX-Forwarded-For: 192.0.2.7\r\n", ["status=426", "client=192.0.2.7"]),
        ("GET /wss?token=secret", upgrade, ["status=404", "path=\"/wss\""]),
        ("GET /ws&token=secret", upgrade, ["status=404", "path=\"/ws&…\""]),
        ("GET /ndjson?symbols=A?token=secret", "Host: localhost\r\n", ["status=400", "client=127.0.0.1"]),
        ("GET /metrics?token=secret", "Host: localhost\r\n", ["status=401", "path=\"/metrics\""]),
    ] {
        let settings = [("server.trusted_proxies", "127.0.0.1")];
        let mut server = ServerProcess::configured(&[], &settings).await;

        request(&server, asked, headers).await;

        let line = line_with(&mut server.log, "refused a request").await;
        assert!(line.contains(" INFO ") && parts.iter().all(|part| line.contains(part)), "{line}");
        assert!(!line.contains("secret") && !line.contains("symbols="), "{line}");
    }
}

#[tokio::test]
async fn a_preflight_of_another_origin_is_logged_as_answered_and_plain_options_are_not_logged() {
    let mut server = ServerProcess::start(&[]).await;
    let origin = "Host: localhost\r\nOrigin: http://evil.example\r\n";
    let preflight = format!("{origin}Access-Control-Request-Method: POST\r\n");

    request(&server, "OPTIONS /api/v1/info", origin).await;
    let answer = request(&server, "OPTIONS /api/v1/feed", &preflight).await;

    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    let line = line_with(&mut server.log, "refusal_log").await;
    let expected = "answered a preflight without permission for the page";
    assert!(line.contains(expected) && line.contains("/api/v1/feed"), "{line}");
    assert!(line.contains("server.allowed_origins") && !line.contains("refused"), "{line}");
}

#[tokio::test]
async fn of_many_refusals_a_few_are_logged_and_the_others_are_counted() {
    const REQUESTS: u64 = 200;
    let mut server = ServerProcess::start(&[]).await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let all = "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(usize::try_from(REQUESTS).unwrap());

    socket.write_all(all.as_bytes()).await.unwrap();

    let (mut logged, mut counted) = (0, 0);
    while logged + counted < REQUESTS {
        let line = line_with(&mut server.log, "refused ").await;
        match line.split("requests=").nth(1) {
            Some(count) => counted += count.parse::<u64>().unwrap(),
            None => logged += 1,
        }
    }
    assert_eq!(logged + counted, REQUESTS);
    assert!(logged < counted, "{logged} are logged one by one");
}
