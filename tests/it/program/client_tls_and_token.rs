//! Tests of the commands `watch` and `send` with TLS and with a token.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::support::process::{PATIENCE, ServerProcess, assert_is_one_error, configured, run, tickerplant};
use crate::support::scripted_server::ScriptedServer;
use crate::support::test_certificate::{Certificate, CertificateFiles};

/// Starts a server that uses these certificate files. Returns the server and its port.
async fn server_with(files: &CertificateFiles) -> (ServerProcess, u16) {
    let [certificate, key] = [&files.certificate, &files.key].map(|path| text(path));
    let server = ServerProcess::start(&["--tls-cert", certificate, "--tls-key", key]).await;
    let port = server.address().port();
    (server, port)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn send_and_watch_speak_tls() {
    let files = CertificateFiles::of(&Certificate::new());
    let (_server, port) = server_with(&files).await;
    let ca = text(&files.certificate);
    let url = format!("wss://localhost:{port}/ws");

    for url in [url.as_str(), &format!("https://localhost:{port}")] {
        let sent = run(tickerplant(&["send", "hi", "--url", url, "--ca", ca])).await;
        assert_eq!(sent, (0, "Received: hi\n".to_owned(), String::new()));
    }
    let mut watching = tickerplant(&["watch", "--json", "--url", &url, "--ca", ca]).spawn().unwrap();
    let mut out = BufReader::new(watching.stdout.take().unwrap()).lines();
    let first = timeout(PATIENCE, out.next_line()).await.expect("a frame comes").unwrap().unwrap();
    assert!(first.starts_with(r#"{"type":"subscribed""#), "{first}");
    // Without `--ca`, the client trusts only the system's certificates.
    let mut command = tickerplant(&["send", "hi", "--url", &url]);
    command.env("SSL_CERT_FILE", ca);
    assert_eq!(run(command).await.0, 0);
}

#[tokio::test]
async fn an_error_of_tls_says_what_is_wrong_and_what_helps() {
    let certificate = |change: fn(&mut CertificateParams)| {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut params);
        CertificateFiles::of(&Certificate::from(params))
    };
    let mine = certificate(|_| {});
    let other = certificate(|_| {});
    let old = certificate(|params| params.not_after = date_time_ymd(2020, 2, 1));
    let authority = certificate(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let (plain, (_mine, port)) = tokio::join!(ServerProcess::start(&[]), server_with(&mine));
    let ((_old, old_port), (_authority, authority_port)) =
        tokio::join!(server_with(&old), server_with(&authority));
    let plain_port = plain.address().port();

    for (url, files, code, fault, hint) in [
        (
            format!("wss://localhost:{port}/ws"),
            Some(&other),
            76,
            "no authority that this client trusts",
            "--ca FILE",
        ),
        (format!("wss://localhost:{port}/ws"), None, 76, "no authority that this client trusts", "--ca FILE"),
        (
            format!("wss://127.0.0.1:{port}/ws"),
            Some(&mine),
            76,
            "not valid for name 127.0.0.1, but for localhost",
            "a name that the certificate has",
        ),
        (
            format!("wss://localhost:{old_port}/ws"),
            Some(&old),
            76,
            "the certificate has expired",
            "a new certificate",
        ),
        (format!("wss://localhost:{authority_port}/ws"), Some(&authority), 76, "of an authority", "CA:FALSE"),
        (
            format!("wss://localhost:{plain_port}/ws"),
            Some(&mine),
            76,
            "not answer in TLS",
            "--url ws://localhost:",
        ),
        (format!("ws://localhost:{port}/ws"), None, 69, "cannot connect", "--url wss://localhost:"),
        (format!("ws://localhost:{port}/ws"), Some(&mine), 2, "--ca: the URL is without TLS", "wss://"),
    ] {
        let url = format!("{url}?token=secret");
        let ca = files.map_or(vec![], |files| vec!["--ca", text(&files.certificate)]);
        for command in ["send", "watch"] {
            let (found, out, err) =
                run(tickerplant(&[&[command, "A", "--url", &url], &ca[..]].concat())).await;

            assert_eq!((found, out.as_str()), (code, ""), "{url} {err}");
            assert_is_one_error(&err, fault);
            assert!(err.lines().nth(1).unwrap_or_default().contains(hint), "{err}");
            assert!(!err.contains("secret"), "{err}");
        }
    }
}

#[tokio::test]
async fn a_wrong_file_of_certificates_is_one_error_that_names_it() {
    let files = CertificateFiles::of(&Certificate::new());
    for (ca, code, place) in [
        ("no-such.pem", 66, "no-such.pem"),
        (text(&files.key), 78, text(&files.key)),
        ("Cargo.toml", 78, "Cargo.toml: no certificate in PEM form"),
    ] {
        let (found, out, err) =
            run(tickerplant(&["send", "hi", "--url", "wss://127.0.0.1:1", "--ca", ca])).await;

        assert_eq!((found, out.as_str()), (code, ""), "{err}");
        assert_is_one_error(&err, place);
        assert_eq!(code == 78, err.lines().next().unwrap().ends_with("no certificate in PEM form"), "{err}");
    }
}

#[tokio::test]
async fn a_token_of_the_environment_is_shown_in_the_header_only() {
    let server = ScriptedServer::start().await;
    for (token, header) in [("secret", Some("Bearer secret")), ("", None)] {
        for command in ["send", "watch"] {
            let mut program = tickerplant(&[command, "A", "--url", &server.url()]);
            program.env("TICKERPLANT_TOKEN", token);
            let script = async {
                let connection = server.accept().await;
                let found = (connection.query.clone(), connection.authorization.clone());
                connection.close(Some(1008)).await;
                found
            };

            let ((_, out, err), (query, authorization)) = tokio::join!(run(program), script);

            assert_eq!(authorization.as_deref(), header);
            assert!(!format!("{query} {out} {err}").contains("secret"), "{query} {out} {err}");
        }
    }
}

#[tokio::test]
async fn a_server_with_tokens_leads_to_the_variable() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tokens.toml");
    // This is the hash of the token `secret`.
    let token = "[[auth.tokens]]\nname = \"a\"\nsubscribe = [\"A\"]\nrelay = true\nsha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";
    std::fs::write(&config, format!("[auth]\ntimeout = \"1h\"\n{token}")).unwrap();
    let server = ServerProcess::start(&["--config", text(&config)]).await;
    let with = |token, arguments: &[&str]| {
        let mut command = tickerplant(&[arguments, &["--url", &server.url]].concat());
        command.env("TICKERPLANT_TOKEN", token);
        command
    };

    for (token, arguments, place) in [
        ("wrong", ["send", "hi"], "answers 401"),
        ("wrong", ["watch", "A"], "answers 401"),
        ("", ["send", "hi"], "answers unauthorized"),
        ("", ["watch", "A"], "answers unauthorized"),
        ("a\u{1}b", ["send", "hi"], "the token has a character"),
        ("é", ["send", "hi"], "the token has a character"),
    ] {
        let (code, out, err) = run(with(token, &arguments)).await;

        assert_eq!((code, out.as_str()), (if place.starts_with("the") { 78 } else { 76 }, ""), "{err}");
        assert_is_one_error(&err, place);
        assert!(err.lines().nth(1).unwrap().contains("TICKERPLANT_TOKEN"), "{err}");
        assert!(!err.contains("wrong"), "{err}");
    }
    let sent = run(with("secret", &["send", "hi"])).await;
    assert_eq!(sent, (0, "Received: hi\n".to_owned(), String::new()));
    let (code, _, err) = run(with("secret", &["watch", "B"])).await;
    assert_eq!(code, 76, "{err}");
    assert_is_one_error(&err, "answers 403: this token does not allow B");
}

#[tokio::test]
async fn a_server_without_tokens_does_not_lead_to_the_variable() {
    let server = ServerProcess::start(&[]).await;
    let url = format!("{}?token=secret", server.url);
    let auth = r#"{"action":"auth","token":"secret"}"#;

    for (arguments, answer) in [
        (["send", "hi", "--url", &url], "answers 401"),
        (["watch", "A", "--url", &url], "answers 401"),
        (["send", auth, "--url", &server.url], "answers unauthorized"),
    ] {
        let (code, _, err) = run(tickerplant(&arguments)).await;

        assert_eq!(code, 76, "{err}");
        assert_is_one_error(&err, &format!("{answer}: this server has no tokens; connect without one"));
        let hint = " hint: leave the token out of the URL or the message";
        assert_eq!(err.lines().nth(1), Some(hint), "{err}");
    }
}

#[tokio::test]
async fn send_reports_an_error_reply_as_an_error() {
    let settings = [("relay.enabled", "false")];
    let server = ServerProcess::spawn(configured(tickerplant(&[]), &settings)).await;

    let (code, out, err) = run(tickerplant(&["send", "hi", "--url", &server.url])).await;

    assert_eq!((code, out.as_str()), (76, ""), "{err}");
    assert_is_one_error(&err, "answers relay_disabled: ");
    // A message from a peer is not an error, even if its text looks like an error reply.
    let server = ServerProcess::start(&[]).await;
    let text = r#"{"type":"error","code":"forbidden","message":"a joke"}"#;
    let sent = run(tickerplant(&["send", text, "--url", &server.url])).await;
    assert_eq!(sent, (0, format!("Received: {text}\n"), String::new()));
}
