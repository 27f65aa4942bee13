//! Where log lines go: standard output, many at a time. A process that answers thousands of requests a second would
//! otherwise ask the system as often to write one line, and its threads would wait for one another to do so.
//!
//! A line waits for others for 50 ms at most, and not at all where it warns or is an error: with it goes all that waited.
//! What a process that is killed had not written yet is lost; one that ends writes it first.

use std::{
    io::{self, Write},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits for others.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// So many bytes are written at once, at most; longer lines are written alone.
const FULL: usize = 32 * 1024;

/// The lines of this process that wait.
static WAITING: Lines = Lines { text: Mutex::new(Vec::new()), begun: Condvar::new() };

/// Lines that wait to be written together.
#[derive(Debug)]
struct Lines {
    text: Mutex<Vec<u8>>,
    /// Told when the first line begins to wait.
    begun: Condvar,
}

impl Lines {
    /// A poisoned lock guards nothing that could be broken: lines are added whole.
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8], is_urgent: bool, to: &mut impl Write) -> io::Result<()> {
        let mut text = self.lock();
        let before = if text.len() + line.len() > FULL { write_all(&mut text, to) } else { Ok(()) };
        if text.is_empty() && !is_urgent {
            self.begun.notify_one();
        }
        text.extend_from_slice(line);
        if is_urgent { before.and(write_all(&mut text, to)) } else { before }
    }

    fn flush(&self, to: &mut impl Write) -> io::Result<()> {
        write_all(&mut self.lock(), to)
    }

    /// Writes what has waited long enough, for as long as the process runs.
    fn run(&self, to: &mut impl Write) {
        loop {
            let waiting = self.begun.wait_while(self.lock(), |text| text.is_empty());
            drop(waiting);
            thread::sleep(LONGEST_WAIT);
            // Standard output may be closed; there is nowhere to tell of that.
            let _ = self.flush(to);
        }
    }
}

/// The lines are written under their lock, so that they stay in order. What cannot be written is given up.
fn write_all(text: &mut Vec<u8>, to: &mut impl Write) -> io::Result<()> {
    let written = to.write_all(text).and_then(|()| to.flush());
    text.clear();
    written
}

/// Starts the thread that writes what waits.
pub(super) fn start() -> io::Result<()> {
    thread::Builder::new().name("log lines".to_owned()).spawn(|| WAITING.run(&mut io::stdout()))?;
    Ok(())
}

/// Writes what waits.
pub(super) fn flush() {
    let _ = WAITING.flush(&mut io::stdout());
}

/// Makes what each line is written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output;

/// Takes one line, whole.
#[derive(Debug)]
pub(super) struct Line {
    is_urgent: bool,
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { is_urgent: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        Line { is_urgent: is_urgent(*metadata.level()) }
    }
}

/// Warnings and errors wait for nobody.
fn is_urgent(level: Level) -> bool {
    level <= Level::WARN
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        WAITING.add(line, self.is_urgent, &mut io::stdout()).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Lines {
        Lines { text: Mutex::default(), begun: Condvar::new() }
    }

    #[test]
    fn lines_wait_and_an_urgent_one_takes_them_along_in_order() {
        let (lines, mut written) = (lines(), Vec::new());
        lines.add(b"one\n", false, &mut written).unwrap();
        lines.add(b"two\n", false, &mut written).unwrap();
        assert!(written.is_empty());
        lines.add(b"three\n", true, &mut written).unwrap();
        assert_eq!(written, b"one\ntwo\nthree\n");
        lines.add(b"four\n", false, &mut written).unwrap();
        lines.flush(&mut written).unwrap();
        assert_eq!(written, b"one\ntwo\nthree\nfour\n");
    }

    #[test]
    fn warnings_and_errors_alone_are_urgent() {
        assert_eq!([Level::ERROR, Level::WARN].map(is_urgent), [true; 2]);
        assert_eq!([Level::INFO, Level::DEBUG, Level::TRACE].map(is_urgent), [false; 3]);
    }

    #[test]
    fn what_cannot_be_written_takes_no_later_line_with_it() {
        let (lines, mut written) = (lines(), Vec::new());
        let old = vec![b'x'; FULL];
        lines.add(&old, false, &mut written).unwrap();
        let mut nowhere: &mut [u8] = &mut [];
        assert!(lines.add(b"new\n", false, &mut nowhere).is_err());
        lines.flush(&mut written).unwrap();
        assert_eq!(written, b"new\n");
    }

    #[test]
    fn what_waits_is_bounded() {
        let (lines, mut written) = (lines(), Vec::new());
        let line = [b'x'; 1000];
        for _ in 0..100 {
            lines.add(&line, false, &mut written).unwrap();
            assert!(lines.lock().len() <= FULL);
        }
        lines.flush(&mut written).unwrap();
        assert_eq!(written.len(), 100 * line.len());
    }

    #[test]
    fn what_waits_is_written_without_another_line() {
        struct Told(std::sync::mpsc::Sender<Vec<u8>>);
        impl Write for Told {
            fn write(&mut self, text: &[u8]) -> io::Result<usize> {
                self.0.send(text.to_vec()).map(|()| text.len()).map_err(io::Error::other)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (tell, told) = std::sync::mpsc::channel();
        let lines: &'static Lines = Box::leak(Box::new(lines()));
        thread::spawn(move || lines.run(&mut Told(tell)));
        lines.add(b"alone\n", false, &mut io::sink()).unwrap();
        assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap(), b"alone\n");
    }
}
