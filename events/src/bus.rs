//! The road from the log to whoever follows it: NATS JetStream, CloudEvents 1.0 in structured content mode.
//!
//! Every position of the log is published exactly once and in order, so that a message's JetStream sequence *is* its
//! position: each publish names the sequence that must come before it (`Nats-Expected-Last-Sequence`), and the server
//! refuses whatever would double, skip or swap an event, even from two relays at once. The stream is transport, not
//! truth: when it is lost it is filled again from the log.

mod message;
mod subscription;

pub use message::MalformedMessage;
pub use subscription::Subscription;

use crate::{Canonical, envelope::Recorded};
use async_nats::{
    ConnectOptions, connection,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, pull},
        context::{PublishAckFuture, PublishErrorKind},
        stream,
    },
};
use std::{borrow::Borrow, time::Duration};
use tokio::time::timeout;

/// How long the server may take to answer before it counts as unreachable.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the server is asked whether it is there; when it has let two answers wait, the connection is made anew.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long the server remembers the ids of events: as short as it can, since remembering costs with each.
const DUPLICATES: Duration = Duration::from_millis(100);
/// The server forgets a subscription that has been gone for so long.
const INACTIVE: Duration = Duration::from_mins(1);
/// Messages that a subscriber may have without having acknowledged them.
const MAX_UNACKNOWLEDGED: i64 = 100_000;

/// Where the events travel.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// Servers, comma-separated: `nats://host:4222`.
    pub url: String,
    /// Name of the JetStream stream.
    pub stream: String,
    /// What every subject begins with; followed by `.<tenant>.<aggregate>.<event>`.
    pub subject_prefix: String,
    /// Copies that the cluster keeps of each message.
    pub replicas: usize,
}

/// Why the bus failed.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The address is none, or a server refused the connection.
    #[error("cannot connect to NATS at {url}")]
    Connect {
        /// The configured address.
        url: String,
        /// What was wrong.
        source: async_nats::ConnectError,
    },
    /// JetStream did not answer, or not what was asked.
    #[error("JetStream failed to {0}")]
    JetStream(&'static str, #[source] async_nats::Error),
    /// The stream's last sequence is not the one before this event: another relay was here, or the stream was lost.
    #[error("the stream does not end right before position {0}")]
    OutOfSequence(i64),
    /// A message is not an event.
    #[error(transparent)]
    Malformed(#[from] MalformedMessage),
}

/// A connection to the bus; cheap to clone. It reconnects by itself, for as long as it takes.
#[derive(Clone)]
pub struct Bus {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    config: BusConfig,
}

impl Bus {
    /// Connects in the background: it succeeds while NATS is down.
    pub async fn connect(config: BusConfig, name: &str) -> Result<Self, BusError> {
        let client = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| Duration::from_millis(50 * attempts.min(10) as u64))
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .connect(config.url.split(',').map(str::trim).collect::<Vec<_>>())
            .await
            .map_err(|source| BusError::Connect { url: config.url.clone(), source })?;
        let jetstream = jetstream::ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone());
        Ok(Self { client, jetstream, config })
    }

    /// Whether the connection stands right now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == connection::State::Connected
    }

    /// Creates the stream where it is not there, and leaves it alone where it is.
    pub async fn ensure_stream(&self) -> Result<(), BusError> {
        self.jetstream
            .get_or_create_stream(stream::Config {
                name: self.config.stream.clone(),
                subjects: vec![format!("{}.>", self.config.subject_prefix)],
                description: Some("Every event of the log; the sequence is the log's position".to_owned()),
                storage: stream::StorageType::File,
                num_replicas: self.config.replicas,
                // The sequence that each publish demands admits no event twice, however late it comes.
                duplicate_window: DUPLICATES,
                // What a server that is killed had not written yet is published again from the log, in the same places.
                // A stream with copies cannot be written so, and none can be changed to or from it.
                persist_mode: (self.config.replicas == 1).then_some(stream::PersistenceMode::Async),
                ..stream::Config::default()
            })
            .await
            .map_err(|error| BusError::JetStream("create the stream", error.into()))?;
        Ok(())
    }

    /// The stream's last sequence, which is the last position that was published; `None` where there is no stream.
    pub async fn find_last_sequence(&self) -> Result<Option<u64>, BusError> {
        use jetstream::context::GetStreamErrorKind::JetStream;
        match self.jetstream.get_stream(&self.config.stream).await {
            Ok(stream) => Ok(Some(stream.cached_info().state.last_sequence)),
            Err(error) => match error.kind() {
                JetStream(answer) if answer.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND => Ok(None),
                _ => Err(BusError::JetStream("tell the stream's last sequence", error.into())),
            },
        }
    }

    /// Publishes events that follow one another, and waits until the server has them all, in their places.
    ///
    /// Each names the sequence before it, so the server keeps the last one only behind all others: one acknowledgement
    /// tells of all, and the others are sent without asking for one.
    pub async fn publish(&self, events: &[impl Borrow<Canonical>]) -> Result<(), BusError> {
        let Some((last, before)) = events.split_last() else { return Ok(()) };
        let position = last.borrow().recorded.position;
        // Without a connection what is sent waits for one, and once there is much of it, so does the sending.
        let sent = timeout(REQUEST_TIMEOUT, self.send(before, last.borrow())).await;
        let sent = sent.unwrap_or_else(|elapsed| Err(BusError::JetStream("take an event", elapsed.into())));
        match sent?.await {
            Ok(ack) if i64::try_from(ack.sequence) == Ok(position) => Ok(()),
            Ok(_) => Err(BusError::OutOfSequence(position)),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Err(BusError::OutOfSequence(position)),
            Err(error) => Err(BusError::JetStream("keep an event", error.into())),
        }
    }

    async fn send(&self, before: &[impl Borrow<Canonical>], last: &Canonical) -> Result<PublishAckFuture, BusError> {
        let failed = |error: async_nats::Error| BusError::JetStream("take an event", error);
        for event in before {
            let event = event.borrow();
            let message = message::to_publish(event).outbound_message(self.subject(&event.recorded));
            let headers = message.headers.unwrap_or_default();
            let sent = self.client.publish_with_headers(message.subject, headers, message.payload);
            sent.await.map_err(|error| failed(error.into()))?;
        }
        let sent = self.jetstream.send_publish(self.subject(&last.recorded), message::to_publish(last));
        sent.await.map_err(|error| failed(error.into()))
    }

    fn subject(&self, event: &Recorded) -> String {
        message::subject(&self.config.subject_prefix, event)
    }

    /// Follows the stream from behind the position.
    pub async fn subscribe(&self, after: i64) -> Result<Subscription, BusError> {
        let failed = |error: async_nats::Error| BusError::JetStream("subscribe", error);
        let stream = self.jetstream.get_stream_no_info(&self.config.stream).await.map_err(|e| failed(e.into()))?;
        let consumer = stream
            .create_consumer(pull::Config {
                deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after.unsigned_abs() + 1 },
                ack_policy: AckPolicy::All,
                max_ack_pending: MAX_UNACKNOWLEDGED,
                inactive_threshold: INACTIVE,
                // Whoever follows knows by its checkpoint where it was.
                memory_storage: true,
                ..pull::Config::default()
            })
            .await
            .map_err(|e| failed(e.into()))?;
        Subscription::start(self.client.clone(), self.jetstream.clone(), consumer).await
    }
}
