//! What the command API counts, beside what every process does (`ops::metrics`).
//!
//! | metric | labels | meaning |
//! |---|---|---|
//! | `registrar_commands_total` | command, outcome | commands answered: `appended`, `replayed`, `refused`, `failed` |
//! | `registrar_command_duration_seconds` | command | from decision to answer |
//! | `registrar_command_retries_total` | command | decisions made again because a stream had moved |
//! | `registrar_append_batch_size` | – | commands in one transaction |
//! | `registrar_append_duration_seconds` | – | one transaction, from sent to committed |
//! | `registrar_append_queue` | – | commands that wait to be appended |
//! | `registrar_log_head_position` | – | last position of the log, as far as this process knows |
//! | `registrar_relay_leader` | – | 1 in the process that publishes |
//! | `registrar_relay_position` | – | last position that JetStream acknowledged |
//! | `registrar_relay_lag_events` | – | positions of the log that it has not |
//! | `registrar_argon2_queue_depth` | – | passwords that wait to be hashed or verified |
//! | `registrar_argon2_seconds` | – | hashing or verifying one password, without the wait |
//! | `registrar_refusals_unrecorded_total` | – | refusals that are not in the audit trail, for there were too many |
//! | `registrar_mails_total` | outcome | mail: `sent`, `failed` (and tried again), `expired` |
//! | `registrar_mails_waiting` | – | mail that is to be sent |

use ::metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use ops::metrics::Handles;
use std::time::Duration;

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandOutcome {
    /// It is in the log.
    Appended,
    /// Its first answer was given again.
    Replayed,
    /// A rule said no.
    Refused,
    /// Something is broken.
    Failed,
}

impl CommandOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Appended => "appended",
            Self::Replayed => "replayed",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

pub(crate) fn answered(command: &'static str, outcome: CommandOutcome, took: Duration) {
    static ANSWERED: Handles<(&str, CommandOutcome), (Counter, Histogram)> = Handles::none();
    let find = |(command, outcome): &(&'static str, CommandOutcome)| {
        let commands = counter!("registrar_commands_total", "command" => *command, "outcome" => outcome.as_str());
        (commands, histogram!("registrar_command_duration_seconds", "command" => *command))
    };
    ANSWERED.with((command, outcome), find, |(commands, duration)| {
        commands.increment(1);
        duration.record(took);
    });
}

pub(crate) fn retried(command: &'static str) {
    counter!("registrar_command_retries_total", "command" => command).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; these counts stay far below 2^52")]
pub(crate) fn append_queue(waiting: usize) {
    gauge!("registrar_append_queue").set(waiting as f64);
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; these counts stay far below 2^52")]
pub(crate) fn appended(commands: usize, took: Duration) {
    histogram!("registrar_append_batch_size").record(commands as f64);
    histogram!("registrar_append_duration_seconds").record(took);
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; positions stay far below 2^52")]
pub(crate) fn relay(leader: bool, published: i64, head: i64) {
    gauge!("registrar_relay_leader").set(f64::from(u8::from(leader)));
    gauge!("registrar_log_head_position").set(head as f64);
    if leader {
        gauge!("registrar_relay_position").set(published as f64);
        gauge!("registrar_relay_lag_events").set((head - published).max(0) as f64);
    }
}

pub(crate) fn refusal_unrecorded() {
    counter!("registrar_refusals_unrecorded_total").increment(1);
}

pub(crate) fn mail(outcome: &'static str) {
    counter!("registrar_mails_total", "outcome" => outcome).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; these counts stay far below 2^52")]
pub(crate) fn mails_waiting(count: i64) {
    gauge!("registrar_mails_waiting").set(count as f64);
}

pub(crate) fn passwords_waiting() -> Gauge {
    gauge!("registrar_argon2_queue_depth")
}

pub(crate) fn password_hashed(took: Duration) {
    histogram!("registrar_argon2_seconds").record(took);
}
