//! NATS servers that have no room for the stream, or take only short messages.

use async_nats::jetstream::{self, Context, stream};

use super::nats_server::NatsServer;
use super::{node, ready_process, until};
use crate::support::process::{ServerProcess, line_with};

/// Starts a node whose history and stream are small.
async fn small_node(nats: &NatsServer, stream_bytes: &str) -> ServerProcess {
    let settings = [("bus.history_bytes", "500000"), ("cluster.stream_bytes", stream_bytes)];
    node(&[nats.url()], &settings).await
}

#[tokio::test]
async fn a_node_without_room_for_its_stream_says_what_nats_answers_and_what_to_do() {
    let Some(nats) = NatsServer::configured("jetstream { max_file_store: 4MB }").await else { return };

    let mut node = small_node(&nats, "8000000").await;

    let line = line_with(&mut node.log, "cannot be opened").await;
    for text in [
        "no room in files for the stream of 8000000 bytes (cluster.stream_bytes)",
        "insufficient storage resources available",
        "Raise max_file_store",
        "is tried again",
    ] {
        assert!(line.contains(text), "{text:?} is not in {line}");
    }
    assert!(node.terminate().await.success());
}

/// Stores messages in another stream, which has no limit, until the server takes no more.
async fn take_all_room(nats: &NatsServer) -> Context {
    let context = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let greedy = stream::Config {
        name: "greedy".to_owned(),
        subjects: vec!["greedy".to_owned()],
        ..stream::Config::default()
    };
    context.create_stream(greedy).await.unwrap();
    until(async || {
        let sent = context.publish("greedy", vec![0; 500_000].into()).await.unwrap();
        sent.await.is_err()
    })
    .await;
    context
}

#[tokio::test]
async fn a_leader_whose_stream_loses_its_room_says_so_and_goes_on_when_there_is_room() {
    let Some(nats) = NatsServer::configured("jetstream { max_file_store: 4MB }").await else { return };
    let mut node = small_node(&nats, "1048576").await;
    ready_process(&node).await;
    let context = take_all_room(&nats).await;

    let line = line_with(&mut node.log, "takes no entry").await;

    for text in ["no room in files", "insufficient resources", "Raise max_file_store", "tries again"] {
        assert!(line.contains(text), "{text:?} is not in {line}");
    }
    context.delete_stream("greedy").await.unwrap();
    line_with(&mut node.log, "takes entries again").await;
}

#[tokio::test]
async fn a_leader_whose_server_has_a_full_disk_says_what_to_do() {
    let Some(nats) = NatsServer::with_disk("6M").await else { return };
    let mut node = small_node(&nats, "1048576").await;
    ready_process(&node).await;
    take_all_room(&nats).await;

    let line = line_with(&mut node.log, "takes no entry").await;

    // The server answers nothing, or that it has no room.
    for text in ["make room", "tries again"] {
        assert!(line.contains(text), "{text:?} is not in {line}");
    }
}

#[tokio::test]
async fn a_checkpoint_fits_into_the_messages_that_the_server_takes() {
    let Some(nats) = NatsServer::configured("max_payload: 64KB").await else { return };
    let settings =
        [("feed.simulated.rate", "100000"), ("feed.simulated.symbols", "1000"), ("cluster.checkpoint", "1s")];
    let first = node(&[nats.url()], &settings).await;
    ready_process(&first).await;
    let context = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let size = async || {
        let store = context.get_object_store("tickerplant_main").await.ok()?;
        store.info("checkpoint-0").await.ok().map(|object| object.size)
    };
    // The first checkpoint may come before every symbol has an event.
    until(async || size().await.is_some_and(|size| size > 64 * 1024)).await;

    let mut second = node(&[nats.url()], &settings).await;

    line_with(&mut second.log, "continues at a checkpoint").await;
    ready_process(&second).await;
}
