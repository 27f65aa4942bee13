//! Linux's `perf`: whether it is there and may look at every process, the recording, and reading it back.

use std::{io, path::PathBuf};

use tokio_util::sync::CancellationToken;

use super::NoProfile;
use crate::local::{Error, files, job, project::Instance};

/// Looks a second at each processor; a prime, so that nothing that is done a hundred times a second hides between them.
const FREQUENCY: &str = "199";
/// Neither Registrar's binaries nor PostgreSQL's keep frame pointers, so perf copies the stack and unwinds it later: 64
/// KiB, the most there is. Futures within futures are large; of 32 KiB, a third of the command API's stacks were cut.
/// (Go's do keep them, but have no tables to unwind by: of NATS, only the innermost function is known.)
const CALL_GRAPH: &str = "dwarf,65528";
/// Where a recording ends whatever its length, on a machine of many processors.
const LARGEST: &str = "1G";

/// A perf that works here.
#[derive(Debug)]
pub struct Perf<'a> {
    instance: &'a Instance,
}

impl<'a> Perf<'a> {
    /// The perf on the PATH, once it has shown that it may look at all processes.
    pub async fn find(instance: &'a Instance) -> Result<Self, NoProfile> {
        let version = job::answer("perf --version", job::command("perf").arg("--version")).await;
        version.map_err(|error| match error {
            Error::Spawn { source, .. } if source.kind() == io::ErrorKind::NotFound => NoProfile::Absent,
            other => NoProfile::Broken(other),
        })?;
        let perf = Self { instance };
        perf.record_while(&["true"]).await.map_err(why_not)?;
        Ok(perf)
    }

    /// Records all processors for so many seconds.
    pub async fn record(&self, seconds: u64, cancel: &CancellationToken) -> Result<(), Error> {
        let recorded = cancel.run_until_cancelled(self.record_while(&["sleep", &seconds.to_string()])).await;
        recorded.unwrap_or(Err(Error::Interrupted))
    }

    /// The recording in words, and no longer as a file. Functions that were inlined are not looked up, which takes perf
    /// half a minute for three seconds of recording.
    pub async fn script(&self, cancel: &CancellationToken) -> Result<String, Error> {
        let path = self.path();
        let mut script = job::command("perf");
        script.args(["script", "--no-inline", "--fields", "comm,pid,tid,ip,sym", "--input"]).arg(&path);
        let script = cancel.run_until_cancelled(job::answer("perf script", &mut script)).await;
        files::remove(&path)?;
        script.unwrap_or(Err(Error::Interrupted))
    }

    async fn record_while(&self, program: &[&str]) -> Result<(), Error> {
        let mut record = job::command("perf");
        record.args(["record", "--quiet", "--all-cpus", "--freq", FREQUENCY, "--call-graph", CALL_GRAPH]);
        // The binaries are still where they ran when the recording is read: no copies of them for perf's own cache.
        record.args(["--no-buildid", "--no-buildid-cache", "--max-size", LARGEST, "--output"]).arg(self.path());
        record.arg("--").args(program);
        job::answer("perf record", &mut record).await.map(|_| ())
    }

    fn path(&self) -> PathBuf {
        self.instance.path("perf.data")
    }
}

/// Why a recording of nothing failed. Where it is for want of permission, perf ends with advice on this setting.
fn why_not(error: Error) -> NoProfile {
    const SETTING: &str = "perf_event_paranoid";
    match error {
        Error::Job { last, .. } if last.contains(SETTING) => {
            let value = std::fs::read_to_string(format!("/proc/sys/kernel/{SETTING}")).unwrap_or_default();
            NoProfile::Forbidden(value.trim().to_owned())
        }
        other => NoProfile::Broken(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_permission_is_told_from_a_perf_that_does_not_work() {
        let failed =
            |last: &str| why_not(Error::Job { name: "perf".into(), how: "exit code 255".into(), last: last.into() });
        let advice = "in /etc/sysctl.conf (e.g. kernel.perf_event_paranoid = <setting>)";
        assert!(matches!(failed(advice), NoProfile::Forbidden(_)));
        let NoProfile::Broken(error) = failed("unknown option `max-size'") else { panic!("it is no permission") };
        assert_eq!(error.to_string(), "perf failed (exit code 255): unknown option `max-size'");
    }
}
