//! What perf has seen, added up: a tree of functions below each process, with the number of samples in each.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

/// The end of the name of a function in the kernel, as tools for flame graphs write it.
const KERNEL: &str = "_[k]";
/// The function below which a stack was larger than the copy of it.
const CUT: &str = "[deeper than recorded]";
/// Addresses from here on are the kernel's.
const KERNEL_SPACE: u64 = 1 << 63;
/// An address that perf gives to what it has not.
const NOWHERE: u64 = u64::MAX;
/// The process that a processor runs when there is nothing to do.
const IDLE: u32 = 0;

/// One look at one processor.
#[derive(Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    pid: u32,
    command: &'a str,
    /// From the outermost function to the one that ran.
    frames: Vec<String>,
}

/// The samples of `perf script --fields comm,pid,tid,ip,sym`: for each a line with command, process and thread, one line
/// for each function with its address, innermost first, and an empty line.
pub fn samples(script: &str) -> impl Iterator<Item = Sample<'_>> {
    script.split("\n\n").filter_map(|block| {
        let mut lines = block.trim_matches('\n').lines();
        let (command, ids) = lines.next()?.trim().rsplit_once(char::is_whitespace)?;
        let pid = ids.split_once('/')?.0.parse().ok()?;
        let mut frames: Vec<String> = lines.filter_map(frame).collect();
        frames.reverse();
        frames.dedup_by(|next, before| next == before && next == "[unknown]");
        Some(Sample { pid, command: command.trim(), frames })
    })
}

fn frame(line: &str) -> Option<String> {
    let (address, symbol) = line.trim().split_once(' ')?;
    let address = u64::from_str_radix(address, 16).ok()?;
    if address == NOWHERE {
        return Some(CUT.to_owned());
    }
    // A semicolon parts functions where stacks are written as lines.
    let name = symbol.trim().replace(';', ":");
    Some(if address >= KERNEL_SPACE { name + KERNEL } else { name })
}

/// A share of the samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The process.
    pub name: String,
    /// Its samples.
    pub samples: u64,
    /// Its part of all samples, of 1.
    pub of_all: f64,
    /// The part of its own samples in which the kernel ran, of 1.
    pub in_kernel: f64,
}

/// A function, or a process, with what it called.
#[derive(Debug, Default)]
struct Node {
    samples: u64,
    calls: BTreeMap<String, Node>,
}

/// All samples of processors that were not idle.
#[derive(Debug, Default)]
pub struct Stacks(Node);

impl Stacks {
    /// Adds samples up; `path` tells what the stacks of a process begin with.
    pub fn of<'a>(samples: impl Iterator<Item = Sample<'a>>, path: impl Fn(u32, &str) -> Vec<String>) -> Self {
        let mut root = Node::default();
        for sample in samples.filter(|sample| sample.pid != IDLE) {
            root.samples += 1;
            let mut node = &mut root;
            for name in path(sample.pid, sample.command).into_iter().chain(sample.frames) {
                node = node.calls.entry(name).or_default();
                node.samples += 1;
            }
        }
        Self(root)
    }

    /// How many there are.
    pub fn samples(&self) -> u64 {
        self.0.samples
    }

    /// The processes, the busiest first.
    #[expect(clippy::cast_precision_loss, reason = "samples of a few seconds stay far below 2^52")]
    pub fn shares(&self) -> Vec<Share> {
        let of = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let share = |(name, node): (&String, &Node)| Share {
            name: name.clone(),
            samples: node.samples,
            of_all: of(node.samples, self.samples()),
            in_kernel: of(node.in_kernel(name), node.samples),
        };
        let mut shares: Vec<Share> = self.0.calls.iter().map(share).collect();
        shares.sort_by_key(|share| std::cmp::Reverse(share.samples));
        shares
    }

    /// A line for each stack: its functions, outermost first, parted by semicolons, and its samples.
    pub fn folded(&self) -> String {
        let mut lines = String::new();
        for (name, node) in &self.0.calls {
            node.fold(name, &mut lines);
        }
        lines
    }

    /// The tree, each node as `[name, samples, [nodes]]`.
    pub fn json(&self) -> Value {
        self.0.json("all")
    }
}

impl Node {
    /// Samples in which this was the innermost function.
    fn own(&self) -> u64 {
        self.samples - self.calls.values().map(|node| node.samples).sum::<u64>()
    }

    fn in_kernel(&self, name: &str) -> u64 {
        let own = if name.ends_with(KERNEL) { self.own() } else { 0 };
        own + self.calls.iter().map(|(name, node)| node.in_kernel(name)).sum::<u64>()
    }

    fn fold(&self, stack: &str, lines: &mut String) {
        let own = self.own();
        if own > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{stack} {own}");
        }
        for (name, node) in &self.calls {
            node.fold(&format!("{stack};{name}"), lines);
        }
    }

    fn json(&self, name: &str) -> Value {
        json!([name, self.samples, self.calls.iter().map(|(name, node)| node.json(name)).collect::<Vec<_>>()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As perf 6.1 writes it: a thread whose command has a space, a stack that was cut, an idle processor, and a sample
    /// without a stack.
    const SCRIPT: &str = "postgres  2986/2986  \n\
        \tffffffff81e11c7d fsync\n\
        \t          5e9ca2 issue_xlog_fsync\n\
        \t          1139d7 main\n\
        \n\
        tokio-rt-worker  2982/2984  \n\
        \t         114f6f1 <[u8; 32] as core::fmt::Debug>::fmt\n\
        \t               0 [unknown]\n\
        \t               8 [unknown]\n\
        \t         10f4fe2 axum::serve::handle_connection::{{closure}}\n\
        \tffffffffffffffff [unknown]\n\
        \n\
        swapper     0/0     \n\
        \tffffffff821f4dab pv_native_safe_halt\n\
        \n\
        postgres  2986/2986  \n\
        \t          5e9ca2 issue_xlog_fsync\n\
        \t          1139d7 main\n\
        \n\
        Web Content  7/9  \n\n";

    fn sample<'a>(pid: u32, command: &'a str, frames: &[&str]) -> Sample<'a> {
        Sample { pid, command, frames: frames.iter().map(|frame| (*frame).to_owned()).collect() }
    }

    fn stacks() -> Stacks {
        Stacks::of(samples(SCRIPT), |pid, command| match pid {
            2982 => vec!["command-api".to_owned()],
            _ => vec![command.to_owned()],
        })
    }

    #[test]
    fn samples_are_read_from_the_outermost_function_inwards() {
        let closure = "axum::serve::handle_connection::{{closure}}";
        let expected = [
            sample(2986, "postgres", &["main", "issue_xlog_fsync", "fsync_[k]"]),
            sample(2982, "tokio-rt-worker", &[CUT, closure, "[unknown]", "<[u8: 32] as core::fmt::Debug>::fmt"]),
            sample(0, "swapper", &["pv_native_safe_halt_[k]"]),
            sample(2986, "postgres", &["main", "issue_xlog_fsync"]),
            sample(7, "Web Content", &[]),
        ];
        assert_eq!(samples(SCRIPT).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_stack_is_one_line_with_its_samples_and_idle_processors_are_left_out() {
        let expected = "Web Content 1\n\
            command-api;[deeper than recorded];axum::serve::handle_connection::{{closure}};[unknown];\
            <[u8: 32] as core::fmt::Debug>::fmt 1\n\
            postgres;main;issue_xlog_fsync 1\n\
            postgres;main;issue_xlog_fsync;fsync_[k] 1\n";
        assert_eq!(stacks().folded(), expected);
        assert_eq!(stacks().samples(), 4);
    }

    #[test]
    fn the_busiest_process_comes_first_with_what_of_it_was_in_the_kernel() {
        let share =
            |name: &str, samples, of_all, in_kernel| Share { name: name.to_owned(), samples, of_all, in_kernel };
        let expected =
            [share("postgres", 2, 0.5, 0.5), share("Web Content", 1, 0.25, 0.0), share("command-api", 1, 0.25, 0.0)];
        assert_eq!(stacks().shares(), expected);
    }

    #[test]
    fn the_tree_has_the_samples_of_what_a_function_called() {
        let tree = stacks().json();
        assert_eq!((&tree[0], &tree[1]), (&json!("all"), &json!(4)));
        let postgres = json!(["postgres", 2, [["main", 2, [["issue_xlog_fsync", 2, [["fsync_[k]", 1, []]]]]]]]);
        assert_eq!(tree[2][2], postgres);
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        assert_eq!(samples("").count(), 0);
        assert_eq!(samples("no ids here\n\nperf  x/y  \n\t 1 main\n").count(), 0);
    }
}
