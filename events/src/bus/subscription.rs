//! Following the stream: batches as they come, acknowledged when what they led to is safe.

use super::{BusError, message};
use crate::envelope::Recorded;
use async_nats::{
    Subject,
    jetstream::{
        self,
        consumer::{Consumer, pull},
    },
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use std::{collections::VecDeque, time::Duration};

/// How often the server says that it is there while nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long one request for messages lives on the server.
const EXPIRES: Duration = Duration::from_secs(30);
/// Messages asked for at a time.
const ASKED_AT_A_TIME: usize = 2_000;

/// One follower of the stream.
pub struct Subscription {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    messages: pull::Stream,
    consumer: Consumer<pull::Config>,
    unacknowledged: VecDeque<(i64, Subject)>,
}

impl Subscription {
    pub(super) async fn start(
        client: async_nats::Client,
        jetstream: jetstream::Context,
        consumer: Consumer<pull::Config>,
    ) -> Result<Self, BusError> {
        let messages = consumer
            .stream()
            .max_messages_per_batch(ASKED_AT_A_TIME)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|error| BusError::JetStream("deliver events", error.into()))?;
        Ok(Self { client, jetstream, messages, consumer, unacknowledged: VecDeque::new() })
    }

    /// What has arrived, at most `max`: waits up to `wait` for the first, and for none after it. Empty when nothing
    /// came. After an error the subscription is of no more use; subscribe again.
    pub async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Recorded>, BusError> {
        let mut batch = Vec::new();
        let Ok(mut next) = tokio::time::timeout(wait, self.messages.next()).await else { return Ok(batch) };
        loop {
            let message = next
                .ok_or_else(|| BusError::JetStream("go on delivering events", "the subscription ended".into()))?
                .map_err(|error| BusError::JetStream("deliver events", error.into()))?;
            let event = message::parse(message.headers.as_ref(), &message.payload)?;
            if let Some(reply) = message.message.reply {
                self.unacknowledged.push_back((event.position, reply));
            }
            batch.push(event);
            if batch.len() >= max {
                return Ok(batch);
            }
            match self.messages.next().now_or_never() {
                Some(more) => next = more,
                None => return Ok(batch),
            }
        }
    }

    /// Tells the server that all up to the position is dealt with. Only a courtesy: what counts is the checkpoint.
    pub async fn ack_through(&mut self, position: i64) {
        let mut last = None;
        while self.unacknowledged.front().is_some_and(|(at, _)| *at <= position) {
            last = self.unacknowledged.pop_front();
        }
        if let Some((_, reply)) = last
            && let Err(error) = self.client.publish(reply, Bytes::from_static(b"+ACK")).await
        {
            tracing::debug!(%error, "an acknowledgement was not sent; the checkpoint stands all the same");
        }
    }

    /// Tells the server, in the background, that nobody follows any more. Only a courtesy: it would forget by itself.
    pub fn close(self) {
        let Self { jetstream, consumer, .. } = self;
        tokio::spawn(async move {
            let info = consumer.cached_info();
            if let Err(error) = jetstream.delete_consumer_from_stream(&info.name, &info.stream_name).await {
                tracing::debug!(%error, "the server was not told that nobody follows");
            }
        });
    }
}
