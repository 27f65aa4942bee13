//! What is measured of each request.

use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::Handles;

static IN_FLIGHT: Handles<(), Gauge> = Handles::none();
static ANSWERED: Handles<(&'static str, String, u16), (Counter, Histogram)> = Handles::none();

/// What is measured of each request, from its arrival to its answer.
#[derive(Debug)]
pub struct HttpMetrics {
    started: Instant,
    in_flight: InFlight,
}

impl HttpMetrics {
    /// A request has arrived.
    #[must_use]
    pub fn arrived() -> Self {
        in_flight(|gauge| gauge.increment(1));
        Self { started: Instant::now(), in_flight: InFlight }
    }

    /// It is answered; `route` is the route's template, never the path. Returns how long it took.
    pub fn answered(self, method: &'static str, route: &str, status: u16) -> Duration {
        let took = self.started.elapsed();
        ANSWERED.with((method, route.to_owned(), status), find, |(requests, duration)| {
            requests.increment(1);
            duration.record(took);
        });
        drop(self.in_flight);
        took
    }
}

fn find((method, route, status): &(&'static str, String, u16)) -> (Counter, Histogram) {
    let (method, route) = (*method, route.clone());
    let requests = counter!("registrar_http_requests_total", "method" => method, "route" => route.clone(), "status" => status.to_string());
    (requests, histogram!("registrar_http_request_duration_seconds", "method" => method, "route" => route))
}

fn in_flight(count: impl FnOnce(&Gauge)) {
    IN_FLIGHT.with((), |()| gauge!("registrar_http_requests_in_flight"), count);
}

/// Taken back on drop, so that a request whose caller went away is not counted for ever.
#[derive(Debug)]
struct InFlight;

impl Drop for InFlight {
    fn drop(&mut self) {
        in_flight(|gauge| gauge.decrement(1));
    }
}
