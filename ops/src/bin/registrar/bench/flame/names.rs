//! Whose a process is. The command of a sample is its thread's, `tokio-rt-worker` for all of Registrar's, so processes
//! are known by their ids, from /proc while they run.

use std::collections::BTreeMap;

use super::super::usage;
use crate::local::process;

/// This process: what runs in it during a recording is the load.
const GENERATOR: &str = "load generator";
/// Everything on this machine that the benchmark did not start.
const OTHERS: &str = "other processes";

/// The processes of the benchmark by process id, each as the path that its stacks begin with.
#[derive(Debug)]
pub struct Names(BTreeMap<u32, Vec<String>>);

impl Names {
    /// Of these processes and their children, such as PostgreSQL's, and of this process.
    pub fn look(processes: &[(String, u32)]) -> Self {
        let mut names: BTreeMap<u32, Vec<String>> = usage::family(processes)
            .into_iter()
            .map(|(pid, name)| {
                let role = process::command_line(pid).as_deref().and_then(role).map(str::to_owned);
                (pid, [name].into_iter().chain(role).collect())
            })
            .collect();
        names.insert(std::process::id(), vec![GENERATOR.to_owned()]);
        Self(names)
    }

    /// What the stacks of a process begin with.
    pub fn path(&self, pid: u32, command: &str) -> Vec<String> {
        let others = || vec![OTHERS.to_owned(), command.to_owned()];
        self.0.get(&pid).cloned().unwrap_or_else(others)
    }
}

/// What a process of PostgreSQL is for, by the title that it gives itself: whose connection it serves, or its own kind.
fn role(command_line: &str) -> Option<&str> {
    let title = command_line.strip_prefix("postgres: ")?.trim();
    let mut words = title.split(' ');
    let (first, peer) = (words.next()?, words.nth(1));
    let serves = peer.is_some_and(|peer| peer == "[local]" || peer.ends_with(')'));
    Some(if serves { first } else { title.trim_end_matches(|letter: char| letter == ' ' || letter.is_ascii_digit()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_postgresql_is_known_by_whom_it_serves_or_by_its_kind() {
        for (command_line, expected) in [
            ("postgres: registrar_command registrar_log 127.0.0.1(39482) COMMIT ", Some("registrar_command")),
            ("postgres: postgres postgres [local] idle", Some("postgres")),
            ("postgres: io worker 0 ", Some("io worker")),
            ("postgres: walwriter ", Some("walwriter")),
            ("postgres: logical replication launcher ", Some("logical replication launcher")),
            ("/usr/lib/postgresql/18/bin/postgres -D data", None),
        ] {
            assert_eq!(role(command_line), expected, "{command_line}");
        }
    }

    #[test]
    fn this_process_is_the_load_and_a_stranger_keeps_its_command() {
        let own = std::process::id();
        let names = Names::look(&[]);
        assert_eq!(names.path(own, "tokio-rt-worker"), ["load generator"]);
        assert_eq!(names.path(0, "kworker/0:1"), ["other processes", "kworker/0:1"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_known_by_the_name_that_it_was_started_under() {
        let own = std::process::id();
        let parent = std::os::unix::process::parent_id();
        let names = Names::look(&[("command-api".to_owned(), parent)]);
        assert_eq!(names.path(parent, "tokio-rt-worker"), ["command-api"]);
        // Its child too, were it not this process.
        assert_eq!(usage::family(&[("command-api".to_owned(), parent)])[&own], "command-api");
    }
}
