//! Tests of the built program with certificate files: errors at the start, and the renewal of a certificate.

use std::fs;

use tokio::net::TcpStream;

use crate::support::process::{ServerProcess, assert_is_one_error, line_with, run, tickerplant};
use crate::support::test_certificate::{Certificate, CertificateFiles};

#[tokio::test]
async fn wrong_certificate_files_are_one_error_that_names_them() {
    let (mine, other) = (Certificate::new(), Certificate::new());
    let (mine, other) = (CertificateFiles::of(&mine), CertificateFiles::of(&other));
    let rubbish = CertificateFiles::of(&Certificate::new());
    fs::write(&rubbish.certificate, "rubbish\n").unwrap();
    fs::write(&rubbish.key, "-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n").unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let [cert, key] = [path(&mine.certificate), path(&mine.key)];
    let [other_key, bad_cert, bad_key] =
        [&other.key, &rubbish.certificate, &rubbish.key].map(|file| path(file));

    for (given, code, place) in [
        (vec!["--tls-cert", &cert], 2, "--tls-cert: TLS needs"),
        (vec!["--tls-key", &key], 2, "--tls-key: TLS needs"),
        (vec!["--tls-cert", "no-such.pem", "--tls-key", &key], 66, "no-such.pem"),
        (vec!["--tls-cert", &cert, "--tls-key", "no-such.pem"], 66, "no-such.pem"),
        (vec!["--tls-cert", &cert, "--tls-key", &other_key], 78, &other_key),
        (vec!["--tls-cert", &key, "--tls-key", &key], 78, &key),
        (vec!["--tls-cert", &cert, "--tls-key", &cert], 78, &cert),
        (vec!["--tls-cert", &bad_cert, "--tls-key", &key], 78, &bad_cert),
        (vec!["--tls-cert", &cert, "--tls-key", &bad_key], 78, &bad_key),
    ] {
        let arguments = [given.as_slice(), &["--listen", "127.0.0.1:0"]].concat();
        let (found, out, err) = run(tickerplant(&arguments)).await;
        assert_eq!((found, out.as_str()), (code, ""), "{given:?}: {err}");
        assert_is_one_error(&err, place);
    }
}

#[tokio::test]
async fn new_connections_get_a_new_certificate_and_open_ones_stay() {
    let (first, second) = (Certificate::new(), Certificate::new());
    let files = CertificateFiles::of(&first);
    let arguments =
        ["--tls-cert", files.certificate.to_str().unwrap(), "--tls-key", files.key.to_str().unwrap()];
    let mut server = ServerProcess::start(&arguments).await;
    let address = server.url.trim_start_matches("ws://").trim_end_matches("/ws").to_owned();
    let open = async || TcpStream::connect(&address).await.unwrap();
    let mut early = first.websocket(open().await, "/ws").await;

    // During a renewal, the certificate may not match the key, or a file may be incomplete.
    fs::write(&files.certificate, &second.pem).unwrap();
    line_with(&mut server.log, "cannot use the changed certificate").await;
    first.websocket(open().await, "/ws").await;
    fs::write(&files.key, &second.key_pem[..50]).unwrap();
    line_with(&mut server.log, "cannot use the changed certificate").await;
    first.websocket(open().await, "/ws").await;

    fs::write(&files.key, &second.key_pem).unwrap();
    line_with(&mut server.log, "new connections get the new certificate").await;
    let mut late = second.websocket(open().await, "/ws").await;

    early.send("still here").await;
    assert_eq!(early.text().await, "still here");
    assert_eq!(late.text().await, "still here");
    assert_eq!(server.terminate().await.code(), Some(0));
}
