//! What is measured of the projections, each labelled `projection`:
//!
//! | metric | kind | what |
//! |---|---|---|
//! | `registrar_projection_position` | gauge | the checkpoint |
//! | `registrar_projection_lag_events` | gauge | events between the checkpoint and the end of the log |
//! | `registrar_projection_lag_seconds` | gauge | age of the oldest event that is not applied; 0 when there is none |
//! | `registrar_projection_parked_streams` | gauge | streams that stand aside |
//! | `registrar_projection_leased` | gauge | 1 where this process applies it, else 0 |
//! | `registrar_projection_batch_size` | histogram | events of a batch |
//! | `registrar_projection_batch_duration_seconds` | histogram | from a batch's arrival to its commit |
//! | `registrar_projection_events_applied_total` | counter | events applied or parked by this process |
//! | `registrar_projection_failures_total` | counter | steps that failed and were tried again |
//!
//! And `registrar_log_head_position`, the last position of the log.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use std::time::Duration;

/// Tells the recorder what each metric means; call it once, after the recorder was installed.
pub(crate) fn describe() {
    describe_gauge!("registrar_projection_position", "The position up to which a projection is applied");
    describe_gauge!("registrar_projection_lag_events", "Events between a projection and the end of the log");
    describe_gauge!("registrar_projection_lag_seconds", Unit::Seconds, "Age of the oldest event not applied; 0: none");
    describe_gauge!("registrar_projection_parked_streams", "Streams that a projection could not go on with");
    describe_gauge!("registrar_projection_leased", "1 where this process applies the projection, else 0");
    describe_histogram!("registrar_projection_batch_size", "Events of a batch");
    describe_histogram!(
        "registrar_projection_batch_duration_seconds",
        Unit::Seconds,
        "From a batch's arrival to its commit"
    );
    describe_counter!("registrar_projection_events_applied_total", "Events applied or parked by this process");
    describe_counter!("registrar_projection_failures_total", "Steps that failed and were tried again");
    describe_gauge!("registrar_log_head_position", "The last position of the log");
}

/// The metrics of one projection.
#[derive(Clone)]
pub(crate) struct ProjectionMetrics {
    position: Gauge,
    lag_events: Gauge,
    lag_seconds: Gauge,
    parked_streams: Gauge,
    leased: Gauge,
    batch_size: Histogram,
    batch_duration: Histogram,
    events_applied: Counter,
    failures: Counter,
}

impl ProjectionMetrics {
    /// Those of the projection of this name.
    pub(crate) fn of(name: &'static str) -> Self {
        Self {
            position: gauge!("registrar_projection_position", "projection" => name),
            lag_events: gauge!("registrar_projection_lag_events", "projection" => name),
            lag_seconds: gauge!("registrar_projection_lag_seconds", "projection" => name),
            parked_streams: gauge!("registrar_projection_parked_streams", "projection" => name),
            leased: gauge!("registrar_projection_leased", "projection" => name),
            batch_size: histogram!("registrar_projection_batch_size", "projection" => name),
            batch_duration: histogram!("registrar_projection_batch_duration_seconds", "projection" => name),
            events_applied: counter!("registrar_projection_events_applied_total", "projection" => name),
            failures: counter!("registrar_projection_failures_total", "projection" => name),
        }
    }

    /// A batch was committed.
    pub(crate) fn applied(&self, events: usize, took: Duration) {
        self.batch_size.record(u32::try_from(events).unwrap_or(u32::MAX));
        self.batch_duration.record(took);
        self.events_applied.increment(events as u64);
    }

    /// A step failed.
    pub(crate) fn failed(&self) {
        self.failures.increment(1);
    }

    /// Whether this process applies it.
    pub(crate) fn leased(&self, is_leased: bool) {
        self.leased.set(f64::from(u8::from(is_leased)));
    }

    /// Where it was found.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; positions stay exact up to 2^53")]
    pub(crate) fn observed(&self, position: i64, lag_events: i64, lag_seconds: f64, parked_streams: i64) {
        self.position.set(position as f64);
        self.lag_events.set(lag_events as f64);
        self.lag_seconds.set(lag_seconds);
        self.parked_streams.set(parked_streams as f64);
    }
}

impl std::fmt::Debug for ProjectionMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProjectionMetrics").finish_non_exhaustive()
    }
}

/// The end of the log was seen.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; positions stay exact up to 2^53")]
pub(crate) fn log_head(position: i64) {
    gauge!("registrar_log_head_position").set(position as f64);
}
