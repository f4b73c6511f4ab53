//! What a node refuses at its start, and which logins it has.

use std::path::Path;

use nkeys::KeyPair;

use super::nats_server::NatsServer;
use super::{node, node_command, ready_process};
use crate::support::process::{assert_is_one_error, run};
use crate::support::test_certificate::{Certificate, CertificateFiles};

/// The exit code of a node that NATS does not let in.
const LOGIN: i32 = 77;

/// The exit code of a node whose settings are wrong.
const CONFIGURATION: i32 = 78;

/// The exit code of a node whose server cannot be used.
const UNAVAILABLE: i32 = 69;

/// Checks that a node with these settings ends with an exit code, and with an error that has a text.
async fn ends(nats: &str, settings: &[(&str, &str)], expected: i32, text: &str) {
    let mut command = node_command(&[nats], settings);
    command.args(["--listen", "127.0.0.1:0", "--log", "off"]);
    let (code, _, err) = run(command).await;
    assert_eq!(code, expected, "{err}");
    let error = err.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>().join("\n");
    assert_is_one_error(&error, text);
}

#[tokio::test]
async fn a_wrong_login_ends_the_node() {
    let config = "authorization { user: prices, password: geheim }";
    let Some(nats) = NatsServer::configured(config).await else { return };
    let file = |name: &str, text: &str| nats.file(name, text).to_str().unwrap().to_owned();
    let (right, wrong) = (file("right", "prices:geheim\n"), file("wrong", "prices:guessed\n"));
    let refused = "the NATS server refuses the login";

    ends(nats.url(), &[], LOGIN, refused).await;
    ends(nats.url(), &[("cluster.password_file", &wrong)], LOGIN, refused).await;
    ends(nats.url(), &[("cluster.token_file", &file("token", "geheim"))], LOGIN, refused).await;

    ready_process(&node(&[nats.url()], &[("cluster.password_file", &right)]).await).await;
}

#[tokio::test]
async fn a_node_proves_its_nkey() {
    let (own, other) = (KeyPair::new_user(), KeyPair::new_user());
    let config = format!("authorization {{ users: [{{ nkey: {} }}] }}", own.public_key());
    let Some(nats) = NatsServer::configured(&config).await else { return };
    let seed = |name: &str, key: &KeyPair| nats.file(name, &key.seed().unwrap()).to_str().unwrap().to_owned();

    ends(nats.url(), &[("cluster.nkey_seed", &seed("other", &other))], LOGIN, "refuses the login").await;

    ready_process(&node(&[nats.url()], &[("cluster.nkey_seed", &seed("own", &own))]).await).await;
}

#[tokio::test]
async fn a_node_and_its_server_prove_who_they_are_by_tls() {
    let (server, client) = (Certificate::new(), Certificate::new());
    let (server, client) = (CertificateFiles::of(&server), CertificateFiles::of(&client));
    let config = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        server.certificate, server.key, client.certificate
    );
    let Some(nats) = NatsServer::configured(&config).await else { return };
    let url = format!("tls://localhost:{}", nats.port());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (ca, cert, key) = (text(&server.certificate), text(&client.certificate), text(&client.key));

    let settings = [("cluster.tls_ca", &*ca), ("cluster.tls_cert", &*cert), ("cluster.tls_key", &*key)];
    let node = node(&[&url], &settings).await;

    ready_process(&node).await;
}

#[tokio::test]
async fn a_stream_with_other_settings_ends_the_node() {
    let Some(nats) = NatsServer::start().await else { return };
    ready_process(&node(&[nats.url()], &[]).await).await;

    ends(nats.url(), &[("cluster.storage", "memory")], CONFIGURATION, "cluster.storage").await;
    ends(nats.url(), &[("cluster.replicas", "3")], CONFIGURATION, "cluster.replicas").await;
}

#[tokio::test]
async fn a_server_without_jetstream_or_with_a_small_max_payload_ends_the_node() {
    let Some(nats) = NatsServer::configured("jetstream: disabled").await else { return };
    ends(nats.url(), &[], UNAVAILABLE, "the NATS server has no JetStream").await;

    let Some(nats) = NatsServer::configured("max_payload: 65535").await else { return };
    ends(nats.url(), &[], CONFIGURATION, "max_payload of 65535 bytes").await;
}

#[tokio::test]
async fn a_server_that_is_too_old_ends_the_node() {
    let Some(nats) = NatsServer::too_old().await else { return };

    ends(nats.url(), &[], UNAVAILABLE, "a node needs 2.12.8 or newer").await;
}
