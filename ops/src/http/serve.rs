//! How a process listens: one port for callers, another for operators, both closed by the same stop.

use std::{future::IntoFuture, io, net::SocketAddr, sync::Arc};

use axum::{
    Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get, serve::ListenerExt,
};
use tokio::net::TcpListener;

use crate::{health::Health, metrics::Metrics, shutdown::Shutdown};

/// Why a process cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not one of this machine's.
    #[error("cannot listen on {address} ({variable}); free it, or choose another with {flag}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The variable that gives it.
        variable: &'static str,
        /// The flag that gives it.
        flag: &'static str,
        /// What the system answered.
        source: io::Error,
    },
}

/// Where a process listens; with port 0 in the configuration, the ports that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// For callers.
    pub http: SocketAddr,
    /// For operators.
    pub operations: SocketAddr,
}

/// `/metrics` and `/health*`, for the operations port.
pub fn operations_router(health: &Arc<Health>, metrics: &Metrics) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(metrics.clone()).merge(health.router())
}

async fn scrape(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render())
}

/// Listens for callers and for operators, and serves both as tasks of `shutdown`. Returns when both ports are open.
pub async fn serve(
    listen_address: SocketAddr,
    app: Router,
    operations_address: SocketAddr,
    operations: Router,
    shutdown: &Shutdown,
) -> Result<Listening, ServeError> {
    let callers = bind(listen_address, "LISTEN_ADDRESS", "--listen-address").await?;
    let operations = serve_operations(operations_address, operations, shutdown).await?;
    let http = address(&callers, listen_address);
    tracing::info!(%http, "listening");
    shutdown.spawn("http", run(callers, app, shutdown.clone()));
    Ok(Listening { http, operations })
}

/// Listens for operators only, as the projector does.
pub async fn serve_operations(
    operations_address: SocketAddr,
    operations: Router,
    shutdown: &Shutdown,
) -> Result<SocketAddr, ServeError> {
    let listener = bind(operations_address, "OPERATIONS_ADDRESS", "--operations-address").await?;
    let bound = address(&listener, operations_address);
    tracing::info!(operations = %bound, "listening");
    shutdown.spawn("operations http", run(listener, operations, shutdown.clone()));
    Ok(bound)
}

async fn bind(address: SocketAddr, variable: &'static str, flag: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, variable, flag, source })
}

fn address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

/// Serves until the stop, then finishes what was accepted. A connection that stays open beyond the bound is closed.
async fn run(listener: TcpListener, router: Router, shutdown: Shutdown) -> io::Result<()> {
    // Answers are small: Nagle's algorithm would only hold them back.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(shutdown.token().cancelled_owned());
    // The rest of the bound is for what flushes after the last answer.
    let last = async {
        shutdown.stopping().await;
        tokio::time::sleep(shutdown.bound().mul_f64(0.8)).await;
    };
    tokio::select! {
        result = served.into_future() => result,
        () = last => {
            tracing::warn!("connections were still open at the end of the stop");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::chain;

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_flag() {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let taken = serve_operations(any, Router::new(), &shutdown).await.unwrap();
        let error = serve(taken, Router::new(), any, Router::new(), &shutdown).await.unwrap_err();
        let line = chain(&error);
        assert!(line.contains(&taken.to_string()) && line.contains("--listen-address"), "{line}");
        assert!(line.contains("LISTEN_ADDRESS") && line.contains("in use"), "{line}");
    }

    #[tokio::test]
    async fn a_stop_finishes_what_was_accepted() {
        let shutdown = Shutdown::new(Duration::from_secs(10));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (entered, accepted) = (CancellationToken::new(), CancellationToken::new());
        let (seen, release) = (entered.clone(), accepted.clone());
        let slow = get(async move || {
            seen.cancel();
            release.cancelled().await;
            "done"
        });
        let listening = serve(any, Router::new().route("/slow", slow), any, Router::new(), &shutdown).await.unwrap();
        let call = tokio::spawn(reqwest::get(format!("http://{}/slow", listening.http)));
        entered.cancelled().await;
        shutdown.stop();
        accepted.cancel();
        assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done");
        shutdown.finished().await.unwrap();
    }
}
