//! Tests that send the signal SIGHUP to the built program. After the signal, the program must read the tokens
//! and the certificate again, and keep running.

use std::fs;

use crate::support::process::{ServerProcess, can_signal, line_with, run, tickerplant};
use crate::support::test_certificate::{Certificate, CertificateFiles};

/// The hashes of the tokens `secret` and `correct`, from `printf %s TOKEN | sha256sum`.
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
const CORRECT: &str = "15a596e3c98c407e043751ff3b21ff0358a1bdfdf3fe948b1523893a8e5de2e8";

fn token(hash: &str) -> String {
    format!("[[auth.tokens]]\nname = \"dash\"\nsha256 = \"{hash}\"\nrelay = true\n")
}

#[tokio::test]
async fn tokens_are_read_again_and_a_wrong_file_changes_nothing() {
    if !can_signal("tokens_are_read_again_and_a_wrong_file_changes_nothing").await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(&file, token(SECRET)).unwrap();
    let mut server = ServerProcess::start(&["--config", file.to_str().unwrap()]).await;
    let url = server.url.clone();
    let says = async |token: &str| {
        run(tickerplant(&["send", "hi", "--url", &format!("{url}?token={token}")])).await.0
    };
    assert_eq!((says("secret").await, says("correct").await), (0, 76));

    for (text, place) in [
        (format!("{}relai = true\n", token(CORRECT)), "relai"),
        ("[[auth.tokens\n".to_owned(), "server.toml:1"),
        (String::new(), "auth.tokens is empty now"),
    ] {
        fs::write(&file, text).unwrap();
        server.signal("HUP").await;
        line_with(&mut server.log, place).await;
        assert_eq!((says("secret").await, says("correct").await), (0, 76), "{place}");
    }

    fs::write(&file, format!("log = \"debug\"\n[bus]\nhistory = 1000\n{}", token(CORRECT))).unwrap();
    server.signal("HUP").await;
    let ignored = line_with(&mut server.log, "need a restart").await;
    assert!(
        ignored.contains("keys=\"log,bus.history\"") || ignored.contains("keys=\"bus.history,log\""),
        "{ignored}"
    );
    line_with(&mut server.log, "read the tokens again").await;
    assert_eq!((says("secret").await, says("correct").await), (76, 0));
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named_at_each_signal() {
    if !can_signal("a_certificate_that_cannot_be_used_is_named_at_each_signal").await {
        return;
    }
    let files = CertificateFiles::of(&Certificate::new());
    let arguments =
        ["--tls-cert", files.certificate.to_str().unwrap(), "--tls-key", files.key.to_str().unwrap()];
    let mut server = ServerProcess::start(&arguments).await;
    fs::write(&files.key, "rubbish").unwrap();
    line_with(&mut server.log, "cannot use the changed certificate").await;

    for _ in 0..2 {
        server.signal("HUP").await;
        line_with(&mut server.log, "SIGHUP").await;
        line_with(&mut server.log, "cannot use the changed certificate").await;
    }

    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_hangup_during_the_shutdown_does_nothing() {
    if !can_signal("a_hangup_during_the_shutdown_does_nothing").await {
        return;
    }
    let patient =
        [("session.close_timeout", "0s"), ("server.shutdown", "0s"), ("limits.ping_interval", "0s")];
    let mut server = ServerProcess::configured(&[], &patient).await;
    // This client does not answer the close, so the shutdown waits for it.
    let still = tokio_tungstenite::connect_async(&server.url).await.unwrap();

    server.signal("TERM").await;
    line_with(&mut server.log, "shutting down").await;
    server.signal("HUP").await;
    server.signal("HUP").await;
    drop(still);

    while let Some(line) = server.log.next_line().await.unwrap() {
        assert!(!line.contains("SIGHUP"), "{line}");
    }
    assert_eq!(server.process.wait().await.unwrap().code(), Some(0));
}
