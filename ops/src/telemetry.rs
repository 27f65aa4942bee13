//! Logs on stdout: one JSON object a line (`timestamp`, `level`, `target`, `message`, the event's fields, the fields of
//! the spans around it such as `request_id` and `trace_id`), or text for people. How lines are written is in `lines`; what
//! is counted is left to `metrics`.

mod lines;

use std::{
    env,
    error::Error,
    fmt::{self, Write},
    io, panic,
};

use chrono::{SecondsFormat, Utc};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::Record,
};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::{LogFormat, TelemetryArgs, chain};
use lines::Output;

/// Starts logging for this process, and logs every panic. Call it once, first, and keep what it gives until the end.
pub fn init(args: &TelemetryArgs, service: &'static str) -> Result<Logging, TelemetryError> {
    let directives = args.log_level.clone().or_else(|| env::var("RUST_LOG").ok().filter(|text| !text.is_empty()));
    let filter = EnvFilter::try_new(directives.as_deref().unwrap_or("info"))?;
    let lines = match args.log_format {
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .event_format(JsonLine { service })
            .fmt_fields(Members)
            .with_writer(Output)
            .boxed(),
        LogFormat::Text => tracing_subscriber::fmt::layer().with_writer(Output).boxed(),
    };
    lines::start().map_err(TelemetryError::Thread)?;
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic: {}", panic.payload_as_str().unwrap_or("without a message"));
    }));
    Ok(Logging(()))
}

/// Logging that goes on; when it is dropped, the lines that wait are written.
#[derive(Debug)]
#[must_use = "the last lines are written when it is dropped"]
pub struct Logging(());

impl Drop for Logging {
    fn drop(&mut self) {
        lines::flush();
    }
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
    /// The system gave no thread.
    #[error("a thread for logging cannot start")]
    Thread(#[source] io::Error),
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
        context.format_fields(writer.by_ref(), event)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<F>>() {
                writer.write_str(&fields.fields)?;
            }
        }
        writeln!(writer, "}}")
    }
}

/// Writes fields as members of a JSON object, a comma before each, so that those of an event and of its spans can stand
/// one after the other.
struct Members;

impl<'writer> FormatFields<'writer> for Members {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = WriteMembers { writer, result: Ok(()) };
        fields.record(&mut members);
        members.result
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

struct WriteMembers<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl WriteMembers<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let name = field.name();
        self.result = self.result.and_then(|()| write!(self.writer, ",\"{name}\":{value}"));
    }
}

impl Visit for WriteMembers<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity.
        if value.is_finite() { self.write(field, format_args!("{value}")) } else { self.record_debug(field, &value) }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, format_args!("\"{}\"", Escaped(&value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, format_args!("\"{}\"", Escaped(&format_args!("{value:?}"))));
    }
}

/// A text with what JSON escapes in strings escaped (RFC 8259, section 7).
struct Escaped<'a, T: ?Sized>(&'a T);

impl<T: fmt::Display + ?Sized> fmt::Display for Escaped<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escape(formatter), "{}", self.0)
    }
}

struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
            let (plain, special) = rest.split_at(at);
            self.0.write_str(plain)?;
            match special.as_bytes()[0] {
                b'\n' => self.0.write_str("\\n")?,
                byte @ (b'"' | b'\\') => write!(self.0, "\\{}", char::from(byte))?,
                byte => write!(self.0, "\\u{byte:04x}")?,
            }
            rest = &special[1..];
        }
        self.0.write_str(rest)
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
            .fmt_fields(Members)
            .with_writer(move || sink.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let _outer = tracing::info_span!("request", request_id = "r-1").entered();
            let inner =
                tracing::info_span!("append", stream = "a \"quoted\" one", late = tracing::field::Empty).entered();
            inner.record("late", "tab\tand \\ line\nend");
            tracing::info!(events = 2, ratio = 0.5, endless = f64::INFINITY, "appended");
        });
        let line: Value = serde_json::from_slice(&lines.0.lock().unwrap()).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["service"], "test");
        assert_eq!(line["message"], "appended");
        assert_eq!(line["events"], 2);
        assert_eq!(line["request_id"], "r-1");
        assert_eq!(line["stream"], "a \"quoted\" one");
        assert_eq!(line["late"], "tab\tand \\ line\nend");
        assert_eq!((&line["ratio"], &line["endless"]), (&serde_json::json!(0.5), &serde_json::json!("inf")));
    }
}
