//! What is counted: the Prometheus recorder, what every process measures of itself and of its pools. What it measures of
//! requests is in `http`, and how metrics with labels are found quickly in `handles`.
//!
//! Metrics of a domain are described and recorded where they happen, with the `metrics` macros; their names begin with
//! `registrar_`, except those about the process that have names of their own everywhere (`process_*`).

mod handles;
mod http;

use std::{
    fmt, fs,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use sqlx::PgPool;

pub use self::{handles::Handles, http::HttpMetrics};
use crate::shutdown::Shutdown;

/// Histograms in seconds have these bounds, from half a millisecond to ten seconds.
pub const SECONDS_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Histograms whose name ends in `_size`, such as that of a batch, have these bounds.
pub const SIZE_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Linux accounts processor time in hundredths of a second, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

type Sampler = Box<dyn Fn() + Send + Sync>;

/// The recorder of this process. Clones share it.
#[derive(Clone)]
pub struct Metrics {
    prometheus: PrometheusHandle,
    samplers: Arc<Mutex<Vec<Sampler>>>,
}

impl Metrics {
    /// Installs the recorder for this process; call it once, before anything is counted.
    pub fn install(service: &'static str) -> Result<Self, BuildError> {
        let prometheus = PrometheusBuilder::new()
            .set_buckets(SECONDS_BUCKETS)?
            .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), SIZE_BUCKETS)?
            .add_global_label("service", service)
            .install_recorder()?;
        handles::recorder_is_there();
        describe();
        gauge!("registrar_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        gauge!("process_start_time_seconds").set(seconds_since_1970());
        let metrics = Self { prometheus, samplers: Arc::default() };
        metrics.sample(sample_process);
        Ok(metrics)
    }

    /// Runs `sampler` before each scrape; it must be quick and must not wait.
    pub fn sample(&self, sampler: impl Fn() + Send + Sync + 'static) {
        self.samplers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(sampler));
    }

    /// Shows how `pool` is used: `registrar_database_pool_connections{pool, state}`, `state` being `idle` or `in_use`.
    pub fn watch_pool(&self, name: &'static str, pool: &PgPool) {
        let pool = pool.clone();
        self.sample(move || {
            let (idle, open) = (u32::try_from(pool.num_idle()).unwrap_or(u32::MAX), pool.size());
            gauge!("registrar_database_pool_connections", "pool" => name, "state" => "idle").set(idle);
            gauge!("registrar_database_pool_connections", "pool" => name, "state" => "in_use")
                .set(open.saturating_sub(idle));
            gauge!("registrar_database_pool_limit", "pool" => name).set(pool.options().get_max_connections());
        });
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        for sampler in &*self.samplers.lock().unwrap_or_else(PoisonError::into_inner) {
            sampler();
        }
        self.prometheus.render()
    }

    /// Folds samples together while nobody scrapes, so that memory stays bounded; runs until the stop.
    pub fn spawn_upkeep(&self, shutdown: &Shutdown) {
        let (prometheus, stop) = (self.prometheus.clone(), shutdown.token());
        shutdown.spawn("metrics upkeep", async move {
            while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_INTERVAL)).await.is_some() {
                prometheus.run_upkeep();
            }
            Ok::<_, std::convert::Infallible>(())
        });
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Counts a refusal by its problem type.
pub fn count_refusal(slug: &'static str) {
    counter!("registrar_refusals_total", "problem" => slug).increment(1);
}

fn describe() {
    describe_counter!("registrar_http_requests_total", "Requests answered, by method, route template and status");
    describe_histogram!(
        "registrar_http_request_duration_seconds",
        Unit::Seconds,
        "From a request's arrival to its answer's headers"
    );
    describe_gauge!("registrar_http_requests_in_flight", "Requests that are being handled");
    describe_counter!("registrar_refusals_total", "Requests answered with a problem, by its type");
    describe_gauge!("registrar_database_pool_connections", "Connections of a pool, by state: idle or in_use");
    describe_gauge!("registrar_database_pool_limit", "Connections that a pool may hold");
    describe_gauge!("registrar_build_info", "1, labelled with the version");
    describe_gauge!("process_start_time_seconds", Unit::Seconds, "When the process started, since 1970");
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory of the process that is in RAM");
    describe_gauge!("process_cpu_seconds_total", Unit::Seconds, "Processor time, user and system");
    describe_gauge!("process_open_fds", "Open file descriptors");
}

/// Reads the process' own numbers from /proc; where there is none, as on macOS, it leaves them out.
fn sample_process() {
    if let Some(bytes) = resident_memory_bytes() {
        gauge!("process_resident_memory_bytes").set(bytes);
    }
    if let Some(seconds) = processor_seconds() {
        gauge!("process_cpu_seconds_total").set(seconds);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(u32::try_from(entries.count()).unwrap_or(u32::MAX));
    }
}

fn resident_memory_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn processor_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the command's name, may hold spaces; user and system time are the 12th and 13th after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_shows_requests_refusals_and_the_process() {
        let metrics = Metrics::install("test").unwrap();
        HttpMetrics::arrived().answered("GET", "/v1/courses/{id}", 404);
        count_refusal("not-found");
        drop(HttpMetrics::arrived());
        let text = metrics.render();
        for line in [
            r#"registrar_http_requests_total{service="test",method="GET",route="/v1/courses/{id}",status="404"} 1"#,
            r#"registrar_refusals_total{service="test",problem="not-found"} 1"#,
            r#"registrar_http_requests_in_flight{service="test"} 0"#,
            r#"le="0.0005"} 1"#,
            r#"registrar_build_info{service="test",version="#,
            "# HELP registrar_http_requests_total Requests answered",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_knows_its_own_size() {
        assert!(resident_memory_bytes().unwrap() > 100_000.0);
        assert!(processor_seconds().unwrap() >= 0.0);
    }
}
