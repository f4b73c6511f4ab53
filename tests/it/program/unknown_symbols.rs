//! Tests of the command `watch` with symbols that the feed does not know.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::timeout;

use crate::support::process::{PATIENCE, tickerplant};
use crate::support::scripted_server::ScriptedServer;

const UNKNOWN: &str =
    r#"{"type":"subscribed","epoch":"e","seq":7,"resumed":false,"snapshots":0,"unknown":["APPL","ZZZZ"]}"#;
const ALL: &str = r#"{"type":"subscribed","epoch":"e","seq":7,"resumed":false,"snapshots":2}"#;
const MSFT: &str = r#"{"type":"snapshot","symbol":"MSFT","seq":7}"#;
const TRADE: &str = r#"{"type":"trade","symbol":"MSFT","seq":8,"time":"2024-01-03T14:30:00Z","price":1}"#;
const AAPL: &str = r#"{"type":"snapshot","symbol":"AAPL","seq":8}"#;
const FORBIDDEN: &str = r#"{"type":"error","code":"forbidden","message":"this token does not allow *"}"#;

#[tokio::test]
async fn the_nearest_names_of_the_feed_are_suggested() {
    for (answer, question) in [(&[ALL, MSFT, TRADE, AAPL][..], "; did you mean AAPL?"), (&[FORBIDDEN], "")] {
        let server = ScriptedServer::start().await;
        let url = format!("{}?token=t&delivery=every", server.url());
        let mut process = tickerplant(&["watch", "APPL", "ZZZZ", "--json", "--url", &url]).spawn().unwrap();
        let mut told = BufReader::new(process.stderr.take().unwrap()).lines();

        let mut watching = server.accept().await;
        watching.say(&[UNKNOWN]).await;
        let mut looking = server.accept().await;
        looking.say(answer).await;
        for expected in [
            format!("warning: the feed has had no symbol APPL so far{question}"),
            "warning: the feed has had no symbol ZZZZ so far".to_owned(),
        ] {
            let line = timeout(PATIENCE, told.next_line()).await.expect("watch says so").unwrap();
            assert_eq!(line, Some(expected));
        }
        looking.wait_for_end().await;
        watching.close(Some(1000)).await;

        let mut out = String::new();
        process.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
        assert_eq!(out, format!("{UNKNOWN}\n"));
        assert_eq!(told.next_line().await.unwrap(), None);
        assert_eq!(process.wait().await.unwrap().code(), Some(0));
        assert_eq!(looking.query, "token=t&symbols=*&interval_ms=60000");
    }
}
