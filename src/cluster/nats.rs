//! The shared log as a stream of NATS JetStream. No other file names the library `async_nats`.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::object_store::{self, GetErrorKind, ObjectMetadata, ObjectStore};
use async_nats::jetstream::stream::{
    self, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, StorageType,
};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Subscriber};
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use tokio::select;
use tokio::time::sleep;
use tracing::{info, warn};

use super::config::{Config, Storage};
use super::entry::VERSION;
use super::error::ClusterError;
use super::log::{AppendError, Ask, Ends, Mail, Mailbox, Message, Messages, SharedLog, Subject, Unavailable};
use super::login::Login;
use super::peers::PeerQueues;

/// The oldest server that works: earlier ones lose messages after a crash.
const OLDEST: [u64; 3] = [2, 12, 8];

/// The smallest `max_payload` of a server with which nodes can work, in bytes.
const LEAST_PAYLOAD: usize = 64 * 1024;

/// The most that the headers of a message take, in bytes.
const HEADERS: usize = 1024;

/// The largest part of a checkpoint that is sent at once, in bytes.
const CHUNK: usize = 128 * 1024;

/// The answers of a server that has no room for a stream or for a message.
const NO_ROOM: [ErrorCode; 7] = [
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::CLUSTER_NO_PEERS,
    ErrorCode::INSUFFICIENT_RESOURCES,
    ErrorCode::MEMORY_RESOURCES_EXCEEDED,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::STREAM_MAX_STREAM_BYTES_EXCEEDED,
    ErrorCode::STREAM_STORE_FAILED,
];

/// The time between two signs of life of a consumer.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// The time between two pings of the connection.
const PING: Duration = Duration::from_secs(1);

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(1);

/// The longest wait before another attempt to connect.
const RETRY: Duration = Duration::from_secs(1);

/// The server forgets the consumer of a node that has been gone for this long.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// The stream of a cluster.
#[derive(Clone, Debug)]
pub struct NatsLog {
    client: Client,
    names: Names,
    context: Context,
    stream: stream::Config,
}

/// The names of the subjects. A subject has the configured names, words of ours and ids of nodes, and nothing
/// else.
#[derive(Clone, Debug)]
struct Names {
    prefix: String,
}

/// What comes from other nodes.
pub struct NatsMailbox {
    presences: Subscriber,
    requests: Subscriber,
}

/// The messages of one consumer.
pub struct NatsMessages {
    messages: pull::Stream,
}

impl NatsLog {
    /// Connects to one of the configured servers. If none can be reached, tries for ever.
    ///
    /// # Errors
    ///
    /// Returns an error if a server refuses the login, or if the server or the stream cannot be used.
    pub async fn connect(config: &Config, id: &str) -> Result<Self, ClusterError> {
        let mut is_first = true;
        loop {
            let options = options(config, id)?;
            match options.connect(config.url.clone()).await {
                Ok(client) => {
                    check_server(&client)?;
                    let context = jetstream::ContextBuilder::new()
                        .timeout(REQUEST)
                        .ack_timeout(REQUEST)
                        .build(client.clone());
                    let names = Names { prefix: format!("{}.{}", config.prefix, config.name) };
                    let stream = stream_config(config, &names);
                    let log = Self { client, names, context, stream };
                    log.check_stream().await?;
                    return Ok(log);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation
                    ) =>
                {
                    return Err(ClusterError::Login { reason: error.to_string() });
                }
                Err(error) => {
                    if std::mem::take(&mut is_first) {
                        warn!(%error, "no NATS server can be reached, and the connection is tried again");
                    }
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Checks that an existing stream has the configured subjects, storage and replicas.
    async fn check_stream(&self) -> Result<(), ClusterError> {
        let Ok(stream) = self.context.get_stream(&self.stream.name).await else { return Ok(()) };
        let (own, found) = (&self.stream, &stream.cached_info().config);
        let differs = |key, own: String, found: String| {
            let stream = self.stream.name.clone();
            if own == found { Ok(()) } else { Err(ClusterError::Stream { stream, key, own, found }) }
        };
        differs("cluster.prefix", own.subjects.join(","), found.subjects.join(","))?;
        differs("cluster.storage", format!("{:?}", own.storage), format!("{:?}", found.storage))?;
        differs("cluster.replicas", own.num_replicas.to_string(), found.num_replicas.to_string())
    }

    /// Returns the stream, and creates it if there is none.
    async fn stream(&self) -> Result<stream::Stream, Unavailable> {
        match self.context.get_stream(&self.stream.name).await {
            Ok(stream) => Ok(stream),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    let created = self.context.create_stream(&self.stream).await;
                    let created = created.map_err(|error| match error.kind() {
                        CreateStreamErrorKind::JetStream(answer) => Unavailable(self.without_room(&answer)),
                        _ => unavailable(error),
                    })?;
                    info!(stream = self.stream.name, "the stream was created");
                    Ok(created)
                }
                _ => Err(unavailable(error)),
            },
        }
    }
}

impl NatsLog {
    /// Returns the largest size of an entry that the server takes, in bytes.
    #[must_use]
    pub fn max_entry(&self) -> usize {
        self.client.server_info().max_payload - HEADERS
    }

    /// Returns an answer of the server as text. If the server has no room for the stream, the text says what to
    /// do.
    fn without_room(&self, answer: &jetstream::Error) -> String {
        if !NO_ROOM.contains(&answer.error_code()) {
            return answer.to_string();
        }
        let bytes = self.stream.max_bytes;
        let (kind, key) = match self.stream.storage {
            StorageType::File => ("files", "max_file_store"),
            StorageType::Memory => ("memory", "max_memory_store"),
        };
        format!(
            "the NATS server has no room in {kind} for the stream of {bytes} bytes (cluster.stream_bytes): \
             {answer}. Raise {key} of the server or the limits of the account, make room on a full disk, delete \
             other streams, or choose a smaller stream before it is created"
        )
    }

    /// Returns the object store of the checkpoints, and creates it if there is none.
    async fn store(&self) -> Result<ObjectStore, Unavailable> {
        let bucket = &self.stream.name;
        if let Ok(store) = self.context.get_object_store(bucket).await {
            return Ok(store);
        }
        let config = object_store::Config {
            bucket: bucket.clone(),
            storage: self.stream.storage,
            num_replicas: self.stream.num_replicas,
            ..object_store::Config::default()
        };
        self.context.create_object_store(config).await.map_err(unavailable)
    }
}

impl Ask for NatsLog {
    async fn ask(&self, node: &str, request: Vec<u8>) -> Result<Vec<u8>, Unavailable> {
        let answer = self.client.request(self.names.node(node), request.into()).await;
        answer.map(|answer| answer.payload.into()).map_err(unavailable)
    }
}

impl Mailbox for NatsMailbox {
    async fn next(&mut self) -> Mail {
        loop {
            let message = select! {
                Some(message) = self.presences.next() => return Mail::Presence(message.payload.into()),
                Some(message) = self.requests.next() => message,
                // The subscriptions end only with the connection, and the node with it.
                else => std::future::pending().await,
            };
            if let Some(reply_to) = message.reply {
                return Mail::Request { request: message.payload.into(), reply_to: reply_to.to_string() };
            }
        }
    }
}

impl SharedLog for NatsLog {
    type Mailbox = NatsMailbox;
    type Messages = NatsMessages;

    async fn append(&self, subject: Subject, message: Vec<u8>, expected: u64) -> Result<u64, AppendError> {
        let publish = PublishMessage::build().payload(message.into()).expected_last_sequence(expected);
        let publish = publish.expected_stream(&self.stream.name);
        let (index, publish) = match subject {
            Subject::Log => (0, publish),
            Subject::Beat => (1, publish.header(async_nats::header::NATS_ROLLUP, "sub")),
        };
        let subject = self.stream.subjects[index].clone();
        let sent = self.context.send_publish(subject, publish).await.map_err(|_| AppendError::NoAnswer)?;
        let acknowledged = sent.await.map_err(|error| match error.kind() {
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => AppendError::NoAnswer,
            PublishErrorKind::WrongLastSequence => AppendError::Refused,
            _ => {
                let source = std::error::Error::source(&error);
                let answer = source.and_then(|source| source.downcast_ref::<jetstream::Error>());
                AppendError::Rejected(
                    answer.map_or_else(|| error.to_string(), |answer| self.without_room(answer)),
                )
            }
        })?;
        Ok(acknowledged.sequence)
    }

    async fn ends(&self) -> Result<Ends, Unavailable> {
        let stream = self.stream().await?;
        let state = &stream.cached_info().state;
        Ok(Ends { first: state.first_sequence, last: state.last_sequence })
    }

    async fn message(&self, number: u64) -> Result<Option<Vec<u8>>, Unavailable> {
        let stream = self.context.get_stream_no_info(&self.stream.name).await.map_err(unavailable)?;
        match stream.get_raw_message(number).await {
            Ok(message) => Ok(Some(message.payload.into())),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn mailbox(&self, node: &str) -> Result<NatsMailbox, Unavailable> {
        let presences = self.client.subscribe(self.names.presence()).await.map_err(unavailable)?;
        let requests = self.client.subscribe(self.names.node(node)).await.map_err(unavailable)?;
        Ok(NatsMailbox { presences, requests })
    }

    async fn announce(&self, presence: Vec<u8>) {
        // A node that cannot be heard is cut off, which it notices by the stream.
        let _ = self.client.publish(self.names.presence(), presence.into()).await;
    }

    async fn reply(&self, reply_to: String, answer: Vec<u8>) {
        // The asking node gives up after a second.
        let _ = self.client.publish(reply_to, answer.into()).await;
    }

    async fn save(&self, name: &'static str, bytes: Vec<u8>) -> Result<(), Unavailable> {
        let store = self.store().await?;
        let object = ObjectMetadata {
            name: name.to_owned(),
            chunk_size: Some(self.max_entry().min(CHUNK)),
            ..ObjectMetadata::default()
        };
        store.put(object, &mut &*bytes).await.map(drop).map_err(unavailable)
    }

    async fn load(&self, name: &'static str) -> Result<Option<Vec<u8>>, Unavailable> {
        let store = self.store().await?;
        let mut object = match store.get(name).await {
            Ok(object) => object,
            Err(error) if error.kind() == GetErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        };
        let mut bytes = Vec::new();
        object.read_to_end(&mut bytes).await.map_err(unavailable)?;
        Ok(Some(bytes))
    }

    async fn messages(&self, next: u64) -> Result<NatsMessages, Unavailable> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: next },
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGOTTEN,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer: PullConsumer =
            self.context.create_consumer_on_stream(config, &self.stream.name).await.map_err(unavailable)?;
        let messages = consumer.stream().heartbeat(HEARTBEAT).messages().await.map_err(unavailable)?;
        Ok(NatsMessages { messages })
    }
}

impl Messages for NatsMessages {
    async fn next(&mut self) -> Result<Message, Unavailable> {
        let ended = || Unavailable("the consumer has ended".to_owned());
        let message = self.messages.next().await.ok_or_else(ended)?.map_err(unavailable)?;
        let info = message.info().map_err(|error| Unavailable(error.to_string()))?;
        let number = info.stream_sequence;
        Ok(Message { number, bytes: message.message.payload.into() })
    }
}

impl Names {
    fn of(&self, word: &str) -> String {
        format!("{}.{word}", self.prefix)
    }

    /// Returns the subject on which all nodes announce themselves.
    fn presence(&self) -> String {
        self.of("nodes")
    }

    /// Returns the subject of the requests to a node.
    fn node(&self, id: &str) -> String {
        self.of(&format!("node.{id}"))
    }
}

/// Passes the messages of clients between this node and the others, without end. Tries for ever to connect.
pub async fn pass_messages(config: Config, id: String, queues: PeerQueues) {
    let PeerQueues { mut outgoing, incoming } = queues;
    let subject = Names { prefix: format!("{}.{}", config.prefix, config.name) }.of("relay");
    let mut messages = loop {
        // The connection of the log has checked the login, and reports errors.
        if let Ok(options) = options(&config, &id)
            && let Ok(client) = options.no_echo().connect(config.url.clone()).await
            && let Ok(messages) = client.subscribe(subject.clone()).await
        {
            break (client, messages);
        }
        sleep(RETRY).await;
    };
    let (client, messages) = (&messages.0, &mut messages.1);
    loop {
        select! {
            Some(message) = outgoing.recv() => {
                let bytes = postcard::to_extend(&message, vec![VERSION]).expect("a message can be written");
                // A message that cannot be sent is lost.
                let _ = client.publish(subject.clone(), bytes.into()).await;
            }
            Some(message) = messages.next() => {
                let rest = message.payload.strip_prefix(&[VERSION]);
                if let Some(message) = rest.and_then(|rest| postcard::from_bytes(rest).ok()) {
                    // A message that finds no room is lost.
                    let _ = incoming.try_send(message);
                }
            }
            else => return,
        }
    }
}

/// Returns the options of a connection.
fn options(config: &Config, id: &str) -> Result<ConnectOptions, ClusterError> {
    let mut options = ConnectOptions::new()
        .name(format!("tickerplant {} {id}", config.name))
        .ping_interval(PING)
        .connection_timeout(2 * RETRY)
        .request_timeout(Some(REQUEST))
        .reconnect_delay_callback(|attempts| {
            Duration::from_millis(100 * u64::try_from(attempts).unwrap_or(10)).min(RETRY)
        });
    if let Some(login) = config.login()? {
        options = login.apply(options)?;
    }
    if let Some(ca) = &config.tls_ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(options)
}

/// Returns the configuration of the stream.
fn stream_config(config: &Config, names: &Names) -> stream::Config {
    stream::Config {
        name: format!("{}_{}", config.prefix.replace('.', "_"), config.name),
        subjects: vec![names.of("log"), names.of("beat")],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_bytes: i64::try_from(config.stream_bytes.get()).unwrap_or(i64::MAX),
        storage: match config.storage {
            Storage::File => StorageType::File,
            Storage::Memory => StorageType::Memory,
        },
        num_replicas: config.replicas,
        allow_rollup: true,
        ..stream::Config::default()
    }
}

/// Checks that the server is new enough, has JetStream and takes messages that are long enough.
fn check_server(client: &Client) -> Result<(), ClusterError> {
    let info = client.server_info();
    let numbers = info.version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    if numbers.take(3).lt(OLDEST) {
        return Err(ClusterError::TooOld { found: info.version });
    }
    if !info.jetstream {
        return Err(ClusterError::NoJetStream);
    }
    if info.max_payload < LEAST_PAYLOAD {
        return Err(ClusterError::Payload { found: info.max_payload });
    }
    Ok(())
}

fn unavailable(error: impl std::fmt::Display) -> Unavailable {
    Unavailable(error.to_string())
}

impl Login {
    /// Adds the login to the options of a connection.
    fn apply(self, options: ConnectOptions) -> Result<ConnectOptions, ClusterError> {
        Ok(match self {
            Self::Credentials(text) => options.credentials(&text).map_err(|_| ClusterError::Unusable {
                key: "cluster.credentials",
                reason: "the file is no credentials file of NATS".to_owned(),
            })?,
            Self::Seed(seed) => options.nkey(seed),
            Self::Password(user, password) => options.user_and_password(user, password),
            Self::Token(token) => options.token(token),
        })
    }
}
