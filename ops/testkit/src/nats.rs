//! A nats-server of a test's own, to be stopped and started again.

use crate::{TestStream, eventually};
use std::{
    env,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use uuid::Uuid;

/// A nats-server with JetStream; it is killed, and its store removed, with this value.
pub struct TestNats {
    program: PathBuf,
    store: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl TestNats {
    /// Starts one, from what `TEST_NATS_SERVER` names, else from the `PATH`. `None`, and a line that says so, where there
    /// is no such program on this machine: its NATS runs in a container, which a test does not stop.
    pub async fn start() -> Option<Self> {
        let Some(program) = find_program() else {
            eprintln!("skipped: there is no nats-server to stop and start; TEST_NATS_SERVER names one");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let store = env::temp_dir().join(format!("registrar-test-nats-{}", Uuid::new_v4().simple()));
        let mut nats = Self { program, store, port, child: None };
        nats.restart().await;
        Some(nats)
    }

    /// A stream on it that nobody else has.
    pub fn stream(&self) -> TestStream {
        TestStream { url: format!("nats://127.0.0.1:{}", self.port), ..TestStream::unique() }
    }

    /// Kills it, as `kill -9` does.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).expect("it can be killed");
        }
    }

    /// Starts it again, on the same port and with what it had stored.
    pub async fn restart(&mut self) {
        self.stop();
        let child = Command::new(&self.program)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string(), "--jetstream", "--store_dir"])
            .arg(&self.store)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        self.child = Some(child);
        eventually("nats-server listens", Duration::from_secs(20), async || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        })
        .await;
    }
}

impl Drop for TestNats {
    fn drop(&mut self) {
        self.stop();
        // What is left of it is a folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.store);
    }
}

fn find_program() -> Option<PathBuf> {
    let named = env::var_os("TEST_NATS_SERVER").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    named.or_else(|| env::split_paths(&path).map(|folder| folder.join("nats-server")).find(|program| program.is_file()))
}
