//! Random sequences of what random people do in a few tenants, against a small model: what comes is what the model
//! says, and nothing that was planted in a tenant is ever seen by somebody who is not in it, in any body or header.
//!
//! Each run draws new sequences. One that fails is made shorter and told with its seed. `PROPERTY_SEED=..` plays that
//! one again; `PROPERTY_ROUNDS=..` plays so many on each target, `PROPERTY_STEPS=..` makes them so long.

mod check;
pub(crate) mod draw;
mod operations;
mod plan;
mod run;
mod scan;
mod world;

use std::{env, fmt::Write};

use bailiwick_tests::targets::Target;
use uuid::Uuid;

use self::{
    draw::Draw,
    run::{Failure, play, sequence, shrink},
};
use crate::Case;

/// Sequences that are played side by side on each target.
const LANES: u64 = 3;
/// Sequences that are played on each target, in all.
const ROUNDS: u64 = 12;
/// Steps of a sequence.
const STEPS: u64 = 200;

pub(crate) fn cases() -> Vec<Case> {
    let given = number("PROPERTY_SEED");
    let rounds = if given.is_some() { 1 } else { number("PROPERTY_ROUNDS").unwrap_or(ROUNDS) };
    let steps = usize::try_from(number("PROPERTY_STEPS").unwrap_or(STEPS)).expect("not that many");
    let (lanes, drawn) = (LANES.min(rounds), Uuid::now_v7().as_u64_pair().1 >> 2);
    (0..lanes)
        .map(|lane| {
            // Of the rounds each lane has its share.
            let rounds = (rounds + lanes - 1 - lane) / lanes;
            Case::new(format!("property::planted_and_scanned_{lane}"), move |target| {
                // Three targets see more if each sees something else.
                let other = target
                    .name
                    .bytes()
                    .fold(drawn + lane, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
                check(target, given.unwrap_or(other), rounds, steps)
            })
        })
        .collect()
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

async fn check(target: &'static Target, first: u64, rounds: u64, steps: usize) {
    let mut seeds = Draw::new(first, "");
    for round in 0..rounds {
        let seed = if round == 0 { first } else { seeds.number() };
        let steps = sequence(seed, steps);
        match play(target, seed, &steps).await {
            // A model that refuses all would hold anything.
            Ok(score) => {
                assert!(score.done * 4 >= score.steps, "most steps are refused: {score:?}, seed {seed}");
            }
            Err(failure) => {
                let failure = shrink(target, seed, &steps, failure).await;
                panic!("{}", story(target, seed, steps.len(), &failure));
            }
        }
    }
}

fn story(target: &Target, seed: u64, steps: usize, failure: &Failure) -> String {
    let Failure { taken, story, why } = failure;
    let mut said = format!("{}: {why}\nthis is what was done, in {taken} steps:\n", target.name);
    for line in story {
        let _ = writeln!(said, "  {line}");
    }
    let _ = write!(said, "all of it again: PROPERTY_SEED={seed} PROPERTY_STEPS={steps}");
    said
}
