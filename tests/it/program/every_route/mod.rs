//! Every route of the built program: with and without tokens, with and without TLS, directly and behind `nginx`
//! and `haproxy`. Behind a proxy, the proxy ends TLS.

mod setting;

use serde_json::Value;

use self::setting::Setting;
use crate::support::likeness::is_like;
use crate::support::reverse_proxy::Program;
use crate::support::websocket_client::Client;

/// What the clients of a server with tokens show: no token, a wrong token, and the three tokens.
const SHOWN: [&str; 5] = ["", "wrong", "any", "some", "all"];

/// What a request needs on a server with tokens.
#[derive(Clone, Copy, Debug)]
enum Needs {
    Nothing,
    AnyToken,
    /// The right to subscribe to AAPL.
    Aapl,
    /// The right to subscribe to all symbols.
    EverySymbol,
    Control,
}

use Needs::{Aapl, AnyToken, Control, EverySymbol, Nothing};

/// A request, what it needs, and the status and the body of the response. The body of a stream is its first
/// lines. Each `…` stands for any text.
type Row = (Needs, &'static str, &'static str);

/// The routes that only read.
const READING: &[Row] = &[
    (Nothing, "GET /", "200 <!doctype html>…</html>"),
    (Nothing, "HEAD /", "200"),
    (Nothing, "GET /ws", r#"426 {"error":{"code":"upgrade_required",…"#),
    (
        Aapl,
        "GET /ndjson?symbols=AAPL",
        r#"200 {"type":"subscribed","trades":["AAPL"],…,"seq":300,"resumed":false,"snapshots":1,…
           {"type":"snapshot","symbol":"AAPL","seq":300,"trade":{"seq":300,…,"price":189.48,"size":49},…"#,
    ),
    (
        EverySymbol,
        "GET /ndjson?symbols=*&channels=trades&delivery=every&interval_ms=250",
        r#"200 {"type":"subscribed","trades":["*"],"quotes":[],"bars":[],…,"delivery":"every","interval_ms":250,…
           {"type":"snapshot","symbol":"AAPL",…
           {"type":"snapshot","symbol":"MSFT",…
           {"type":"snapshot","symbol":"NVDA",…"#,
    ),
    (
        Aapl,
        "GET /ndjson?symbols=AAPL&after=EPOCH-297",
        r#"200 {"type":"subscribed",…,"resumed":true,"snapshots":0,…
           {"type":"trade","symbol":"AAPL","seq":300,"time":"2024-01-03T14:30:27.181818304Z","price":189.48,"size":49}"#,
    ),
    (AnyToken, "GET /ndjson", r#"400 {"error":{"code":"bad_parameter",…"#),
    (AnyToken, "GET /ndjson?symbls=AAPL", r#"400 {"error":{"code":"bad_parameter",…symbls…"#),
    (
        Aapl,
        "GET /sse?symbols=AAPL",
        r#"200 data: {"type":"subscribed",…,"snapshots":1,…
           event: subscribed

           id: EPOCH-300
           data: {"type":"snapshot","symbol":"AAPL","seq":300,…
           event: snapshot"#,
    ),
    (
        Aapl,
        "GET /sse?symbols=AAPL&after=EPOCH-297",
        r#"200 id: EPOCH-297
           data: {"type":"subscribed",…,"resumed":true,"snapshots":0,…
           event: subscribed

           id: EPOCH-300
           data: {"type":"trade","symbol":"AAPL","seq":300,…
           event: trade"#,
    ),
    (EverySymbol, "HEAD /sse?symbols=NVDA", "200"),
    (AnyToken, "GET /sse", r#"400 {"error":{"code":"bad_parameter",…"#),
    (AnyToken, "GET /api/v1/symbols", r#"200 {"symbols":[…]}"#),
    (AnyToken, "GET /api/v1/symbols?limit=0", r#"400 {"error":{"code":"bad_parameter",…limit…"#),
    (
        Aapl,
        "GET /api/v1/snapshots?symbols=AAPL",
        r#"200 {"snapshots":{"AAPL":{"type":"snapshot","symbol":"AAPL","seq":300,"trade":{…},"quote":{…},"day":{…}}}}"#,
    ),
    (
        EverySymbol,
        "GET /api/v1/snapshots?symbols=*",
        r#"200 {"snapshots":{"AAPL":{…},"MSFT":{…},"NVDA":{…}}}"#,
    ),
    (EverySymbol, "GET /api/v1/snapshots?symbols=AAPL,APPL", r#"200 {"snapshots":{"AAPL":{…}}}"#),
    (AnyToken, "GET /api/v1/snapshots", r#"400 {"error":{"code":"bad_parameter",…symbols…"#),
    (
        Aapl,
        "GET /api/v1/bars/AAPL?interval=1m&limit=500",
        r#"200 {"symbol":"AAPL","interval":"1m","bars":[{"time":"2024-01-03T14:30:00Z","open":189.49,"high":189.54,"low":189.37,"close":189.48,"volume":27294,"partial":true}]}"#,
    ),
    (
        Aapl,
        "GET /api/v1/bars/AAPL?interval=1s&limit=2",
        r#"200 {"symbol":"AAPL","interval":"1s","bars":[{"time":"2024-01-03T14:30:26Z",…},{"time":"2024-01-03T14:30:27Z",…,"partial":true}]}"#,
    ),
    (EverySymbol, "HEAD /api/v1/bars/NVDA", "200"),
    (EverySymbol, "GET /api/v1/bars/APPL", r#"404 {"error":{"code":"not_found",…APPL…"#),
    (AnyToken, "GET /api/v1/bars/AAPL?interval=2m", r#"400 {"error":{"code":"bad_parameter",…interval…"#),
    (
        Aapl,
        "GET /api/v1/events?symbols=AAPL&after=EPOCH-297&limit=1000",
        r#"200 {"epoch":"…","seq":300,"events":[{"type":"trade","symbol":"AAPL","seq":300,…}],"next":"EPOCH-300"}"#,
    ),
    (
        EverySymbol,
        "GET /api/v1/events?symbols=*&limit=1",
        r#"200 {"epoch":"…","seq":300,"events":[{"type":"quote","symbol":"AAPL","seq":1,…}],"next":"EPOCH-1"}"#,
    ),
    (Aapl, "GET /api/v1/events?symbols=AAPL&after=another-1", r#"410 {"error":{"code":"epoch_changed",…"#),
    (Aapl, "GET /api/v1/events?symbols=AAPL&after=EPOCH-301", r#"400 {"error":{"code":"bad_cursor",…"#),
    (AnyToken, "GET /api/v1/events", r#"400 {"error":{"code":"bad_parameter",…symbols…"#),
    (
        AnyToken,
        "GET /api/v1/feed",
        r#"200 {"kind":"replay","state":"paused","position":"2024-01-03T14:30:27.181818304Z","speed":1,…"#,
    ),
    (
        Nothing,
        "GET /api/v1/info",
        r#"200 {"version":"…","protocol":1,"feed":{"kind":"replay"},…,"limits":{…},"tokens":…}"#,
    ),
    (Nothing, "GET /openapi.json", r#"200 {"components":…"#),
    (Nothing, "GET /asyncapi.json", r#"200 {"asyncapi":"3.0.0",…"#),
    (Nothing, "GET /healthz", r#"200 {"status":"alive"}"#),
    (Nothing, "GET /readyz", r#"200 {"status":"ready"}"#),
    (AnyToken, "GET /metrics", "200 # HELP …tickerplant_events_total 300…# EOF"),
    (Nothing, "GET /prices", r#"404 {"error":{"code":"not_found",…"#),
    (Nothing, "POST /healthz", r#"405 {"error":{"code":"method_not_allowed",…"#),
    (Nothing, "OPTIONS /api/v1/feed", "204"),
    (Nothing, "OPTIONS /ndjson", "204"),
];

/// The commands to the feed. Each command may come several times.
const CONTROLLING: &[Row] = &[
    (
        Control,
        r#"POST /api/v1/feed {"action":"speed","speed":10}"#,
        r#"200 {…"state":"paused",…,"speed":10,…"#,
    ),
    (
        Control,
        r#"POST /api/v1/feed {"action":"speed","speed":"max"}"#,
        r#"200 {…"state":"paused",…,"speed":"max",…"#,
    ),
    (Control, r#"POST /api/v1/feed {"action":"speed","speed":1}"#, r#"200 {…"state":"paused",…,"speed":1,…"#),
    (
        Control,
        r#"POST /api/v1/feed {"action":"loop","loop":true}"#,
        r#"200 {…"state":"paused",…,"loop":true,…"#,
    ),
    (
        Control,
        r#"POST /api/v1/feed {"action":"seek","time":"2024-01-03T14:31:00Z"}"#,
        r#"200 {…"state":"paused","position":"2024-01-03T14:31:00Z",…"#,
    ),
    (Control, r#"POST /api/v1/feed {"action":"resume"}"#, r#"200 {…"state":"running",…"#),
    (Control, r#"POST /api/v1/feed {"action":"pause"}"#, r#"200 {…"state":"paused",…"#),
    (Control, r#"POST /api/v1/feed {"action":"step"}"#, r#"200 {…"state":"paused",…"#),
    (Control, r#"POST /api/v1/feed {"action":"stop"}"#, r#"400 {"error":{"code":"unknown_action",…"#),
    (Control, "POST /api/v1/feed pause", r#"400 {"error":{"code":"bad_command",…"#),
];

/// Returns the status with which a server with tokens refuses a client that shows this token, if it does.
fn refusal(needs: Needs, shown: &str) -> Option<u16> {
    match (needs, shown) {
        (Nothing, _) | (_, "all") | (AnyToken, "any" | "some") | (Aapl, "some") => None,
        (_, "" | "wrong") => Some(401),
        _ => Some(403),
    }
}

impl Setting {
    /// Sends the request of a row with each token, and compares the answers with the row.
    async fn play(&self, (needs, request, expected): Row) {
        let expected = expected.replace("EPOCH", &self.epoch);
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        let clients = if self.has_tokens { &SHOWN[..] } else { &SHOWN[..1] };
        for (shown, in_url) in clients.iter().flat_map(|shown| [(*shown, false), (*shown, true)]) {
            let refused = if self.has_tokens { refusal(needs, shown) } else { None };
            let like = match refused {
                // The response to `HEAD` has no body.
                Some(status) if request.starts_with("HEAD ") => status.to_string(),
                Some(401) => r#"401 {"error":{"code":"unauthorized",…"#.to_owned(),
                Some(_) => r#"403 {"error":{"code":"forbidden",…"#.to_owned(),
                None => expected.join("\n"),
            };
            let lines = if refused.is_some() { 1 } else { expected.len() };
            let found = self.answer(request, shown, in_url, lines).await;
            assert!(
                is_like(&found, &like),
                "{}: {request} with token {shown:?}\n     got {found}",
                self.name
            );
        }
    }

    /// Checks which symbols `/api/v1/symbols` lists for each token.
    async fn check_listed_symbols(&self) {
        let all = &["AAPL", "MSFT", "NVDA"][..];
        let expected: &[(&str, &[&str])] =
            if self.has_tokens { &[("any", &[]), ("some", &["AAPL"]), ("all", all)] } else { &[("", all)] };
        for (shown, expected) in expected {
            let answer = self.answer("GET /api/v1/symbols", shown, false, 1).await;
            let answer: Value = serde_json::from_str(answer.strip_prefix("200 ").unwrap()).unwrap();
            let listed = answer["symbols"].as_array().unwrap().iter().map(|symbol| &symbol["symbol"]);
            assert!(listed.eq(*expected), "{}: {shown}: {answer}", self.name);
        }
    }

    /// Checks the WebSocket at `path` with each token: a subscription, and a message to the peers.
    async fn check_websocket(&self, path: &str) {
        let subscribing = format!("{path}?symbols=AAPL");
        let clients = if self.has_tokens { &SHOWN[..] } else { &SHOWN[..1] };
        for shown in clients {
            let refused = if self.has_tokens { refusal(Aapl, shown) } else { None };
            let client = self.connect(&subscribing, shown).await;
            match (refused, client) {
                // A client without a token may show the token later.
                (Some(401), Ok(client)) if shown.is_empty() => self.check_late_token(client).await,
                (None, Ok(client)) => expect_snapshot(client).await,
                (Some(status), Err(found)) if status == found => {}
                (_, found) => panic!("{}: {path} with {shown:?}: {:?}", self.name, found.map(drop)),
            }
        }
        let mut client = self.connect(path, self.full_token()).await.unwrap();
        client.send("Hello, WebSocket Server!").await;
        assert_eq!(client.text().await, "Hello, WebSocket Server!", "{}", self.name);
        if self.has_tokens {
            let mut client = self.connect(path, "some").await.unwrap();
            client.send("Hello, WebSocket Server!").await;
            client.expect(r#"{"type":"error","code":"forbidden"}"#).await;
        }
    }

    /// Checks that a client gets nothing before it shows a token.
    async fn check_late_token(&self, mut client: Client) {
        client.send(r#"{"action":"ping","id":1}"#).await;
        client.expect(r#"{"type":"error","id":1,"code":"unauthorized"}"#).await;
        client.send(r#"{"action":"auth","token":"all","id":2}"#).await;
        client.expect(r#"{"type":"authenticated","id":2,"name":"all","relay":true,"control":true}"#).await;
        expect_snapshot(client).await;
    }

    /// Checks that the header `Last-Event-ID` counts before the parameter `after`.
    async fn check_last_event_id(&self) {
        let epoch = &self.epoch;
        let headers = format!("Authorization: Bearer all\r\nLast-Event-ID: {epoch}-297\r\n");
        let found = self.stream(&format!("/sse?symbols=AAPL&after={epoch}-1"), &headers, 5).await;
        let like = format!("200 id: {epoch}-297\ndata: …\"resumed\":true…\n\nid: {epoch}-300");
        assert!(is_like(&found, &like), "{}: {found}", self.name);
    }

    /// Checks the headers that tell a client what it may do instead.
    async fn check_headers(&self) {
        let mut rows = vec![
            ("GET /ws", "sec-websocket-version: 13"),
            ("DELETE /api/v1/symbols", "allow: GET, HEAD, OPTIONS"),
            ("OPTIONS /api/v1/feed", "allow: GET, HEAD, POST, OPTIONS"),
        ];
        if self.has_tokens {
            rows.push(("GET /sse?symbols=AAPL", "www-authenticate: Bearer"));
            rows.push(("GET /api/v1/bars/AAPL", "www-authenticate: Bearer"));
        }
        for (request, header) in rows {
            let head = self.ask(request, "", "").await.head.to_lowercase();
            assert!(head.contains(&header.to_lowercase()), "{}: {request}: {head}", self.name);
        }
    }

    /// Checks that a page of the server's own origin may read and control, and a stranger's page may not.
    async fn check_origins(&self) {
        let own = format!("https://{}", self.host());
        for (origin, is_own) in [(own.as_str(), true), ("https://evil.example", false)] {
            let preflight = format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n");
            let token = "Authorization: Bearer all\r\n";
            for (request, headers, statuses) in [
                ("GET /api/v1/feed", format!("{token}Origin: {origin}\r\n"), [200, 403]),
                ("POST /api/v1/feed", format!("{token}Origin: {origin}\r\n"), [200, 403]),
                ("OPTIONS /api/v1/feed", preflight, [204, 204]),
            ] {
                let body = if request.starts_with("POST") { r#"{"action":"pause"}"# } else { "" };
                let answer = self.ask(request, &headers, body).await;
                let allowed = format!("access-control-allow-origin: {origin}\r\n");
                let may_read = answer.head.to_lowercase().contains(&allowed);
                let expected = (if is_own { statuses[0] } else { statuses[1] }, is_own);
                assert_eq!((answer.status, may_read), expected, "{}: {request} of {origin}", self.name);
            }
        }
    }

    async fn check_all(&self) {
        for path in ["/ws", "/"] {
            self.check_websocket(path).await;
        }
        self.check_listed_symbols().await;
        self.check_last_event_id().await;
        self.check_headers().await;
        self.check_origins().await;
        for row in READING.iter().chain(CONTROLLING) {
            self.play(*row).await;
        }
        let long = format!("POST /api/v1/feed {}", " ".repeat(4097));
        let answer = self.answer(&long, self.full_token(), false, 1).await;
        assert!(answer.starts_with(r#"413 {"error":{"code":"message_too_long""#), "{}: {answer}", self.name);
    }
}

/// Reads the frames of a subscription to AAPL.
async fn expect_snapshot(mut client: Client) {
    client.expect(r#"{"type":"subscribed","trades":["AAPL"],"seq":300,"snapshots":1}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"AAPL","seq":300,"trade":{"price":189.48}}"#).await;
}

/// Checks all routes behind this proxy, or directly.
async fn check(proxy: Option<Program>) {
    for has_tls in [false, true] {
        for has_tokens in [false, true] {
            let Some(setting) = Setting::start(proxy, has_tls, has_tokens).await else { return };
            setting.check_all().await;
        }
    }
}

#[tokio::test]
async fn each_route_answers_each_token() {
    check(None).await;
}

#[tokio::test]
async fn each_route_answers_each_token_behind_nginx() {
    check(Some(Program::Nginx)).await;
}

#[tokio::test]
async fn each_route_answers_each_token_behind_haproxy() {
    check(Some(Program::Haproxy)).await;
}
