//! How short processors are on this machine, as Linux tells it (Pressure Stall Information, `/proc/pressure/cpu`): the whole
//! machine, not this container alone, since whoever serves commands here may be in another. Of other machines it says nothing.

use std::{fs, time::Duration};

/// How long, since the machine started, somebody who could have gone on has waited for a processor; `None` where the
/// kernel does not tell.
pub(crate) fn processor_shortage() -> Option<Duration> {
    parse(&fs::read_to_string("/proc/pressure/cpu").ok()?)
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=<microseconds>`, and a line `full` that says nothing of processors.
fn parse(text: &str) -> Option<Duration> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some.split(' ').find_map(|field| field.strip_prefix("total="))?;
    total.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortage_is_what_some_have_waited() {
        let text =
            "some avg10=12.34 avg60=0.67 avg300=7.21 total=424627974\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n";
        assert_eq!(parse(text), Some(Duration::from_micros(424_627_974)));
        for bad in ["", "full avg10=0.00 total=9\n", "some avg10=0.00\n", "some total=much\n"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
