//! When things go wrong, and for how long.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use tokio::time::sleep;

use super::{
    Length,
    client::Client,
    fault::{Fault, Kind},
    readiness::Readiness,
    recovery::{self, BOUND, Observer, Recovery},
    report::Suffered,
    stage::Stage,
};
use crate::local;

/// How long a fault lasts, in milliseconds: long enough for readiness to have to tell of it.
const HOLD: Range<u64> = 5_000..7_000;
/// The same, where each kind comes but once.
const SHORT_HOLD: Range<u64> = 4_300..4_800;
/// How long everything is well between two faults, in milliseconds.
const CALM: Range<u64> = 300..1_000;

/// The part of a run in which things go wrong.
pub struct Act<'a> {
    /// Where.
    pub stage: &'a Stage<'a>,
    /// Who looks on.
    pub observer: &'a Observer,
    /// Who notices.
    pub client: &'a Client,
    /// Who knows what each process must say.
    pub readiness: &'a Readiness,
    /// Who tells the operator.
    pub progress: ProgressBar,
}

impl Act<'_> {
    /// Brings about one or two faults at a time until the time is over, each kind once before any comes again.
    pub async fn play(&self, length: Length, mut rng: StdRng, suffered: &mut BTreeMap<Kind, Suffered>) {
        let begun = Instant::now();
        let mut deck = shuffled(&mut rng);
        loop {
            let (done, is_over, hold, pairs) = match length {
                Length::Once => (Kind::ALL.len() - deck.len(), deck.is_empty(), SHORT_HOLD, 1.0),
                Length::For(length) => {
                    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap_or(usize::MAX);
                    (seconds, begun.elapsed() >= length, HOLD, 0.7)
                }
            };
            if is_over {
                return;
            }
            self.progress.set_position(done as u64);
            sleep(Duration::from_millis(rng.random_range(CALM))).await;
            if deck.is_empty() {
                deck = shuffled(&mut rng);
            }
            let faults = deal(&mut deck, pairs, &mut rng);
            let hold = Duration::from_millis(rng.random_range(hold));
            if !self.suffer(faults, hold, suffered).await {
                return;
            }
        }
    }

    /// Whether the run can go on after these faults.
    async fn suffer(&self, faults: Vec<Fault>, hold: Duration, suffered: &mut BTreeMap<Kind, Suffered>) -> bool {
        let kinds: Vec<Kind> = faults.iter().map(|fault| fault.kind).collect();
        let described = faults.iter().map(Fault::describe).collect::<Vec<_>>().join(" and ");
        self.progress.set_message(described.clone());
        let Recovery { took, late } = match self.bring_about(faults, hold).await {
            Ok(recovery) => recovery,
            Err(error) => {
                self.breach(format!("{described}: {error}; the run was ended there"));
                return false;
            }
        };
        for kind in kinds {
            suffered.entry(kind).or_default().add(took);
        }
        if !late.is_empty() {
            let (bound, took) = (BOUND.as_secs(), took.as_secs_f64());
            self.breach(format!("{bound} s after {described}: {late}; it took {took:.1} s"));
        }
        true
    }

    async fn bring_about(&self, mut faults: Vec<Fault>, hold: Duration) -> Result<Recovery, String> {
        let failed = |error: local::Error| ops::config::chain(&error);
        self.readiness.prepare(&faults);
        for fault in &mut faults {
            fault.begin(self.stage).await.map_err(failed)?;
        }
        self.readiness.begin(&faults);
        if faults.iter().any(Fault::lasts) {
            sleep(hold).await;
        }
        self.readiness.end();
        for fault in &mut faults {
            fault.end(self.stage).await.map_err(failed)?;
        }
        let recovery = recovery::await_all(self.stage, self.observer, self.client, Instant::now()).await?;
        self.readiness.recovered();
        Ok(recovery)
    }

    fn breach(&self, what: String) {
        self.progress.suspend(|| eprintln!("  broken: {what}"));
        self.client.ledger().breach(what);
    }
}

fn shuffled(rng: &mut StdRng) -> Vec<Kind> {
    let mut deck = Kind::ALL.to_vec();
    deck.shuffle(rng);
    deck
}

/// The next fault, and as often as `pairs` says a second one beside it.
fn deal(deck: &mut Vec<Kind>, pairs: f64, rng: &mut StdRng) -> Vec<Fault> {
    let Some(kind) = deck.pop() else { return Vec::new() };
    let mut faults = vec![Fault::draw(kind, rng)];
    if rng.random_bool(pairs) {
        let second = (0..deck.len()).rev().find_map(|at| {
            let fault = Fault::draw(deck[at], rng);
            fault.goes_with(&faults[0]).then_some((at, fault))
        });
        if let Some((at, fault)) = second {
            deck.remove(at);
            faults.push(fault);
        }
    }
    faults
}
