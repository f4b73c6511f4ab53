//! The log of the built program. It contains no token. If the log cannot be written, the program continues.

use tokio::process::Command;
use tokio::time::timeout;

use crate::support::process::{PATIENCE, ServerProcess, can_signal, run, tickerplant};

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

    // Writes fail from here on, as on a full disk.
    drop(log);

    assert_eq!(run(tickerplant(&["send", "hi", "--url", &url])).await.0, 0);
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    let ended = timeout(PATIENCE, process.wait()).await.expect("the server ends").unwrap();
    assert_eq!(ended.code(), Some(0));
}
