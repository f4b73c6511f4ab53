//! Tests of compressed responses.

use std::io::Read;

use flate2::read::GzDecoder;
use tickerplant::config::Config;

use crate::support::events::trade;
use crate::support::json_answer::JsonAnswer;
use crate::support::line_client::LineClient;
use crate::support::test_server::TestServer;

async fn with_symbols(count: usize) -> TestServer {
    let server = TestServer::start(Config::default()).await;
    server.publish((0..count).map(|number| trade(&format!("S{number}"), "184.25")));
    server.caught_up().await;
    server
}

fn decoded(answer: &JsonAnswer, coding: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    match coding {
        "gzip" => GzDecoder::new(&*answer.body).read_to_end(&mut decoded).unwrap(),
        "br" => brotli::Decompressor::new(&*answer.body, 4096).read_to_end(&mut decoded).unwrap(),
        "zstd" => zstd::Decoder::new(&*answer.body).unwrap().read_to_end(&mut decoded).unwrap(),
        _ => return answer.body.clone(),
    };
    decoded
}

#[tokio::test]
async fn a_compressed_body_has_the_same_content() {
    let server = with_symbols(2000).await;
    for path in
        ["/api/v1/symbols", "/api/v1/snapshots?symbols=*", "/api/v1/events?symbols=*", "/openapi.json"]
    {
        let plain = JsonAnswer::get(&server, path).await;
        assert!(!plain.head.contains("content-encoding"), "{}", plain.head);
        for (accepted, coding) in [
            ("gzip", "gzip"),
            ("br;q=1.0, gzip;q=0.5", "br"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip;q=0, identity", ""),
            ("gzip;q=0.5, identity;q=0.9", ""),
        ] {
            let headers = format!("Accept-Encoding: {accepted}\r\n");
            let answer = JsonAnswer::to(&server, "GET", path, &headers).await;
            let head = JsonAnswer::to(&server, "HEAD", path, &headers).await;

            let found = answer.head.lines().find_map(|line| line.strip_prefix("content-encoding: "));
            assert_eq!(found.unwrap_or_default(), coding, "{path}: {}", answer.head);
            assert!(decoded(&answer, coding) == plain.body, "{path}: {accepted}");
            assert!(coding.is_empty() || 2 * answer.body.len() < plain.body.len(), "{path}: {accepted}");
            for head in [&answer.head, &head.head] {
                assert!(head.contains(&format!("content-length: {}\r\n", answer.body.len())), "{head}");
                assert!(head.contains("vary: Accept-Encoding\r\n"), "{head}");
            }
        }
    }
}

#[tokio::test]
async fn short_bodies_and_streams_are_not_compressed() {
    let server = with_symbols(1).await;
    let accepts = "Accept-Encoding: gzip, br, zstd\r\n";
    for path in ["/api/v1/symbols", "/api/v1/info", "/api/v1/feed", "/nope"] {
        let answer = JsonAnswer::to(&server, "GET", path, accepts).await;
        assert!(!answer.head.contains("content-encoding"), "{path}: {}", answer.head);
        answer.json();
    }

    let mut stream = LineClient::ask_with(server.open().await, "/ndjson?symbols=*", accepts).await;

    assert!(!stream.head.contains("content-encoding"), "{}", stream.head);
    assert_eq!(stream.line().await["type"], "subscribed");
}
