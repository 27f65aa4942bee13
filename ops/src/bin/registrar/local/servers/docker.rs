//! The servers as containers, for machines that have Docker and none of the other ways. A container lives as long as the
//! `docker run` that the supervisor keeps; its data is in a named volume.

use std::{ffi::OsString, time::Duration};

use super::super::{Error, files, job, project::Instance, supervisor::Program};

const POSTGRES_IMAGE: &str = "postgres:18";
const NATS_IMAGE: &str = "nats:2.15";

/// Says that an instance has containers and volumes.
const MARKER: &str = "docker";

/// Whether a Docker daemon answers.
pub async fn check() -> Result<(), String> {
    let mut command = job::command("docker");
    command.args(["version", "--format", "{{.Server.Version}}"]);
    match tokio::time::timeout(Duration::from_secs(10), job::answer("docker", &mut command)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(Error::Spawn { .. })) => Err("there is no docker".to_owned()),
        Ok(Err(_)) => Err("its daemon does not answer".to_owned()),
        Err(_) => Err("its daemon did not answer in 10 s".to_owned()),
    }
}

/// Prepares for a container: notes that there is one, and removes the one that an earlier run has left behind; its name
/// belongs to this source tree.
pub async fn prepare(instance: &Instance, server: &str) -> Result<(), Error> {
    files::write_private(&instance.path(MARKER), b"")?;
    clear(instance, server).await;
    Ok(())
}

async fn clear(instance: &Instance, server: &str) {
    let mut command = job::command("docker");
    command.args(["rm", "--force", &name(instance, server)]);
    // There is none, mostly.
    let _ = job::answer("docker", &mut command).await;
}

/// Removes the containers and volumes of an instance that ever had some.
pub async fn clear_data(instance: &Instance) {
    if !instance.path(MARKER).exists() {
        return;
    }
    for server in ["postgres", "nats"] {
        clear(instance, server).await;
        let mut command = job::command("docker");
        command.args(["volume", "rm", "--force", &name(instance, server)]);
        let _ = job::answer("docker", &mut command).await;
    }
}

/// Makes a program out of `docker run` for PostgreSQL: the program's arguments are the server's own.
pub fn postgres(instance: &Instance, port: u16, password: &str, program: Program) -> Program {
    let mut program = run(instance, "postgres", (port, 5432), "/var/lib/postgresql", POSTGRES_IMAGE, program);
    // By name only, so that the password is in no list of processes.
    program.arguments.splice(1..1, ["--env".into(), "POSTGRES_PASSWORD".into()]);
    program.environment.push(("POSTGRES_PASSWORD", password.into()));
    program
}

/// Makes a program out of `docker run` for NATS.
pub fn nats(instance: &Instance, port: u16, program: Program) -> Program {
    run(instance, "nats", (port, 4222), "/data", NATS_IMAGE, program)
}

fn run(
    instance: &Instance,
    server: &str,
    (outside, inside): (u16, u16),
    data: &str,
    image: &str,
    mut program: Program,
) -> Program {
    let name = name(instance, server);
    let publish = format!("127.0.0.1:{outside}:{inside}");
    let volume = format!("{name}:{data}");
    let words = ["run", "--rm", "--name", &name, "--publish", &publish, "--volume", &volume, image];
    let own = std::mem::take(&mut program.arguments);
    program.arguments = words.into_iter().map(OsString::from).chain(own).collect();
    program.path = "docker".into();
    program.account = None;
    program
}

fn name(instance: &Instance, server: &str) -> String {
    format!("registrar-{}-{}-{server}", instance.project.tag(), instance.name)
}
