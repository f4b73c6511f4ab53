//! Tests of the subcommands `send` and `config`.

use std::fs;

use crate::support::process::{ServerProcess, assert_is_one_error, line_with, run, tickerplant};

#[tokio::test]
async fn the_client_of_the_tutorial_gets_its_own_message() {
    let server = ServerProcess::start(&["--feed", "simulated"]).await;

    let sent = run(tickerplant(&["send", "Hello, WebSocket Server!", "--url", &server.url])).await;

    assert_eq!(sent, (0, "Received: Hello, WebSocket Server!\n".to_owned(), String::new()));
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn config_prints_the_effective_configuration() {
    let mut command = tickerplant(&["config", "--seed", "7", "--symbols", "A,B"]);
    command.env("TICKERPLANT_RELAY__BURST", "3").current_dir(std::env::temp_dir());

    let (code, out, _) = run(command).await;

    let printed: toml::Table = out.parse().unwrap();
    assert_eq!(code, 0);
    assert_eq!(printed["feed"]["simulated"]["seed"].as_integer(), Some(7));
    assert_eq!(printed["relay"]["burst"].as_integer(), Some(3));
}

#[tokio::test]
async fn config_check_says_that_the_configuration_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tickerplant(&["config", "--check", "--listen", "no.such.host:8000"]);
    command.env("TICKERPLANT_SERVER__TRUSTED_PROXIES", "").current_dir(folder.path());

    let checked = run(command).await;

    assert_eq!(checked, (0, String::new(), "the configuration is valid\n".to_owned()));
}

#[tokio::test]
async fn config_check_finds_what_would_stop_a_server_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    for (text, error) in [
        ("[server]\nlisten = 5", "check.toml:2: server.listen: `5` is not an address and a port"),
        (
            "[server]\nlisten = \"0.0.0.0:8000\"",
            "check.toml:2: server.listen: 0.0.0.0:8000 can be reached from other",
        ),
        (
            "\n[server]\ntls_key = \"no.pem\"",
            "check.toml:3: server.tls_key: TLS needs a certificate and its key",
        ),
        ("[server]\ntls_cert = \"no.pem\"\ntls_key = \"no.pem\"", "cannot open no.pem"),
        (
            "[server]\ntls_cert = \"check.toml\"\ntls_key = \"check.toml\"",
            "check.toml: no certificate in PEM form",
        ),
        ("[feed]\nkind = \"replay\"", "feed.replay.files: no file is given"),
        ("[feed]\nkind = \"replay\"\n[feed.replay]\nfiles = [\"no.csv\"]", "cannot open no.csv"),
        ("[feed]\nexit_at_end = true", "check.toml:2: feed.exit_at_end: a simulation has no end"),
        (
            &format!("[[auth.tokens]]\nname = \"a\"\nsha256 = \"{hash}0\""),
            "check.toml:3: auth.tokens[0].sha256: a token is",
        ),
    ] {
        fs::write(folder.path().join("check.toml"), text).unwrap();
        let mut command = tickerplant(&["config", "--check", "--config", "check.toml"]);
        command.current_dir(folder.path());

        let (code, out, err) = run(command).await;

        assert_eq!((code, out.as_str()), (78, ""), "{err}");
        assert_is_one_error(&err, error);
        assert!(err.contains("\n hint: ") && !err.contains(hash), "{err}");
    }
}

#[tokio::test]
async fn what_belongs_to_other_programs_is_passed_over_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    // The text is not UTF-8.
    fs::write(folder.path().join("config.toml"), b"title = \"a bl\xf6g\"\n[params]\nserver = 1\n").unwrap();
    let mut command = tickerplant(&[]);
    command.env("TICKERPLANT_PORT_8000_TCP", "tcp://10.0.0.1:8000").current_dir(folder.path());

    let mut process = command.args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let stderr = process.stderr.take().unwrap();
    let mut log = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(stderr));

    line_with(&mut log, "TICKERPLANT_PORT_8000_TCP is not read").await;
    line_with(&mut log, "config.toml in the working directory is not read").await;
    line_with(&mut log, "listening").await;

    fs::write(folder.path().join("config.toml"), "title = \"a blog\"\n[params]\nserver = 1\n").unwrap();
    let mut command = tickerplant(&["config", "--config", "config.toml"]);
    command.current_dir(folder.path());
    let (code, _, err) = run(command).await;
    assert_eq!(code, 78, "{err}");
    assert_is_one_error(&err, "config.toml:2: unknown key `params`");
}
