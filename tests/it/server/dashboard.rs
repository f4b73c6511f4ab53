//! Checks how the server sends the dashboard and the client library. A program that was built without npm has
//! only the plain page, so the other checks pass there without a request.

use tickerplant::config::Config;
use tickerplant::server::missing_dashboard;

use crate::support::test_server::TestServer;

/// Sends a GET request with more headers. Returns the head of the response, and the length of its body.
async fn answered(server: &TestServer, path: &str, headers: &str) -> (String, usize) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n");
    let answer = server.request_bytes(&request).await;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the head ends");
    (String::from_utf8(answer[..end + 2].to_vec()).unwrap(), answer.len() - end - 4)
}

/// Returns the value of a header.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Returns the addresses of the files that the page loads.
async fn files_of_the_page(server: &TestServer) -> Vec<String> {
    let page = server.request("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    let quoted = page.split('"').filter_map(|text| text.strip_prefix("./")).map(|name| format!("/{name}"));
    quoted.collect()
}

#[tokio::test]
async fn the_policy_of_the_page_allows_no_inline_code_and_no_other_host() {
    let server = TestServer::start(Config::default()).await;

    let (head, _) = answered(&server, "/", "").await;

    let policy = header(&head, "content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert!(head.contains("content-type: text/html; charset=utf-8\r\n"), "{head}");
}

#[tokio::test]
async fn a_known_file_is_not_sent_again() {
    if missing_dashboard().is_some() {
        return;
    }
    let server = TestServer::start(Config::default()).await;

    for path in ["/", "/client.js", "/licenses.txt"] {
        let (head, length) = answered(&server, path, "").await;
        let tag = header(&head, "etag").unwrap();
        assert!(length > 0 && head.starts_with("HTTP/1.1 200"), "{head}");

        let (head, length) = answered(&server, path, &format!("If-None-Match: \"other\", {tag}\r\n")).await;
        assert!(length == 0 && head.starts_with("HTTP/1.1 304"), "{head}");
        let (head, length) = answered(&server, path, "If-None-Match: \"other\"\r\n").await;
        assert!(length > 0 && head.starts_with("HTTP/1.1 200"), "{head}");
    }
}

#[tokio::test]
async fn the_files_of_the_page_are_sent_compressed_and_may_stay_in_caches() {
    if missing_dashboard().is_some() {
        return;
    }
    let server = TestServer::start(Config::default()).await;
    let files = files_of_the_page(&server).await;
    assert!(files.len() >= 3, "{files:?}");

    for path in files {
        let (head, plain) = answered(&server, &path, "").await;
        assert_eq!(header(&head, "cache-control"), Some("max-age=31536000, immutable"), "{path}");
        assert_eq!(header(&head, "content-encoding"), None, "{path}");
        for (accepted, coding) in [("gzip, br, zstd", "br"), ("gzip", "gzip")] {
            let (head, length) = answered(&server, &path, &format!("Accept-Encoding: {accepted}\r\n")).await;
            assert_eq!(header(&head, "content-encoding"), Some(coding), "{path}");
            assert!(head.contains("vary: Accept-Encoding\r\n") && length < plain, "{head}");
        }
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_import_the_client_library() {
    if missing_dashboard().is_some() {
        return;
    }
    let server = TestServer::start(Config::default()).await;

    let (head, _) = answered(&server, "/client.js", "Origin: http://localhost:1\r\n").await;

    assert_eq!(header(&head, "access-control-allow-origin"), Some("http://localhost:1"));
    assert_eq!(header(&head, "content-type"), Some("text/javascript; charset=utf-8"));
}

#[tokio::test]
async fn a_file_that_the_dashboard_does_not_have_is_not_found() {
    let server = TestServer::start(Config::default()).await;

    let (head, _) = answered(&server, "/assets/none.js", "").await;

    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}
