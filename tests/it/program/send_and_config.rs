//! The subcommands `send` and `config`.

use crate::support::process::{ServerProcess, run, tickerplant};

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
