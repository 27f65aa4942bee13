//! nats-server with JetStream, on a loopback port.

use std::{path::Path, time::Duration};

use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{
    super::{
        Error, files, ports,
        project::Instance,
        supervisor::{Program, Stop, Supervisor, fresh_log},
    },
    Origin, docker,
};

/// Its name for people.
pub const NAME: &str = "NATS";

/// Starts it and waits until JetStream answers; the answer is its port.
pub async fn start(instance: &Instance, origin: &Origin, supervisor: &Supervisor) -> Result<u16, Error> {
    let log = instance.log("nats");
    fresh_log(&log)?;
    let port_file = instance.path("nats.port");
    let preferred = std::fs::read_to_string(&port_file).ok().and_then(|port| port.trim().parse().ok());
    let port = ports::free(preferred)?;
    let program = Program {
        name: NAME,
        path: "nats-server".into(),
        arguments: Vec::new(),
        environment: Vec::new(),
        account: None,
        folder: instance.logs(),
        log,
        shown: false,
        stop: Stop { ask: Signal::SIGTERM, grace: Duration::from_secs(15), end: Signal::SIGKILL },
    };
    let program = match origin {
        Origin::Binary(binary) => {
            let configuration = instance.path("nats.conf");
            let store = instance.path("nats");
            files::folder(&store, 0o700)?;
            files::write_private(&configuration, configure(&instance.name, port, &store).as_bytes())?;
            Program { path: binary.path.clone(), arguments: vec!["--config".into(), configuration.into()], ..program }
        }
        Origin::Docker => {
            docker::prepare(instance, "nats").await?;
            let own = ["--jetstream", "--store_dir", "/data"].map(Into::into).to_vec();
            docker::nats(instance, port, Program { arguments: own, ..program })
        }
    };
    // An image may have to be fetched.
    let limit = Duration::from_secs(if matches!(origin, Origin::Docker) { 300 } else { 30 });
    supervisor.start(program, limit, async || has_jetstream(port).await).await?;
    files::write_private(&port_file, port.to_string().as_bytes())?;
    Ok(port)
}

fn configure(name: &str, port: u16, store: &Path) -> String {
    format!(
        "server_name: \"registrar-{name}\"\nlisten: \"127.0.0.1:{port}\"\njetstream {{\n  store_dir: {:?}\n}}\n",
        store.display().to_string()
    )
}

/// The server greets with one line of JSON that says what it can do.
async fn has_jetstream(port: u16) -> bool {
    let greeting = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await?;
        Ok::<_, std::io::Error>(line)
    };
    let greeting = timeout(Duration::from_secs(2), greeting).await;
    greeting.is_ok_and(|line| line.is_ok_and(|line| line.starts_with("INFO ") && line.contains("\"jetstream\":true")))
}
