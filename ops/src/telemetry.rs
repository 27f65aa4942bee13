//! Logs on stdout: one JSON object a line (`timestamp`, `level`, `target`, `message`, the event's fields, the fields of
//! the spans around it such as `request_id` and `trace_id`), or text for people. What is counted is left to `metrics`.

use std::{env, error::Error, fmt, panic};

use chrono::{SecondsFormat, Utc};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::{LogFormat, TelemetryArgs, chain};

/// Starts logging for this process, and logs every panic. Call it once, first.
pub fn init(args: &TelemetryArgs, service: &'static str) -> Result<(), TelemetryError> {
    let directives = args.log_level.clone().or_else(|| env::var("RUST_LOG").ok().filter(|text| !text.is_empty()));
    let filter = EnvFilter::try_new(directives.as_deref().unwrap_or("info"))?;
    let lines = match args.log_format {
        LogFormat::Json => {
            tracing_subscriber::fmt::layer().event_format(JsonLine { service }).fmt_fields(JsonFields::new()).boxed()
        }
        LogFormat::Text => tracing_subscriber::fmt::layer().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic: {}", panic.payload_as_str().unwrap_or("without a message"));
    }));
    Ok(())
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` cannot be read; `LOG_LEVEL` is checked when it is parsed.
    #[error("RUST_LOG is not usable")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Logging was started before.
    #[error("logging cannot start")]
    Started(#[from] TryInitError),
}

/// Logs an error with its whole chain of causes, as a fault.
pub fn error(error: &dyn Error, message: &str) {
    tracing::error!(error = chain(error), "{message}");
}

/// Writes an event as one JSON object. The fields of its spans stand beside its own, so that a search for a request id
/// finds every line of the request, however deep it was written.
struct JsonLine {
    service: &'static str,
}

impl<S, F> FormatEvent<S, F> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, F>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        write!(
            writer,
            r#"{{"timestamp":"{time}","level":"{}","service":"{}","target":"{}""#,
            metadata.level(),
            self.service,
            metadata.target()
        )?;
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        write_members(&mut writer, &fields)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<F>>() {
                write_members(&mut writer, &fields.fields)?;
            }
        }
        writeln!(writer, "}}")
    }
}

/// Splices the members of a JSON object that is already written into the one being written.
fn write_members(writer: &mut Writer<'_>, object: &str) -> fmt::Result {
    match object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(members) if !members.is_empty() => write!(writer, ",{members}"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_carries_the_fields_of_every_span_around_it() {
        let lines = Lines::default();
        let sink = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(JsonLine { service: "test" })
            .fmt_fields(JsonFields::new())
            .with_writer(move || sink.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let _outer = tracing::info_span!("request", request_id = "r-1").entered();
            let _inner = tracing::info_span!("append", stream = "a \"quoted\" one").entered();
            tracing::info!(events = 2, "appended");
        });
        let line: Value = serde_json::from_slice(&lines.0.lock().unwrap()).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["service"], "test");
        assert_eq!(line["message"], "appended");
        assert_eq!(line["events"], 2);
        assert_eq!(line["request_id"], "r-1");
        assert_eq!(line["stream"], "a \"quoted\" one");
    }
}
