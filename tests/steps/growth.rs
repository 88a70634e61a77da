//! How steps grow.

use std::{collections::BTreeMap, sync::Mutex};

use bailiwick_tests::client::Ask;

use super::host::STEPS;

/// A request that is twice as large takes at most so many times the steps for what has been added to it, in hundredths. Of what
/// grows with the product of size and its logarithm that is 215, of the square 400.
const MOST: u64 = 230;
/// Steps that come and go: where memory is taken anew, or a number has one more digit. A buffer that cannot grow where it is, is
/// copied: the same text was seen to take 4.5 steps a byte up to one size and 9 from there on, up to four times that size.
const SLACK: u64 = 50_000;

/// How something is called, and what makes so much of it.
pub(crate) type Kind<T> = (&'static str, fn(usize) -> T);

/// What was seen to grow too fast, or not to be answered as it should.
#[derive(Default)]
pub(crate) struct Faults {
    all: Mutex<Vec<String>>,
    /// Requests that were asked, by their status.
    asked: Mutex<BTreeMap<u16, u32>>,
}

/// The sizes at which a request is asked: each twice the one before.
pub(crate) fn doubled(first: usize) -> [usize; 3] {
    [first, 2 * first, 4 * first]
}

impl Faults {
    /// Asks at each size.
    pub(crate) async fn grows(&self, what: &str, sizes: [usize; 3], ask: impl AsyncFn(usize) -> Ask) {
        // First of all once more, so that what is kept from then on is there. Not of the size that comes next: what changes
        // nothing does nothing.
        ask(sizes[1]).await.send().await;
        let (mut steps, mut statuses) = ([0; 3], [0; 3]);
        for (place, size) in sizes.into_iter().enumerate() {
            let answer = ask(size).await.send().await;
            steps[place] = answer.header(STEPS).and_then(|steps| steps.parse().ok()).expect("steps");
            statuses[place] = answer.status;
            *self.asked.lock().expect("nobody panicked").entry(answer.status).or_default() += 1;
            assert!(answer.status < 500, "{what} of {size}: {answer:?}");
        }
        let [first, second, third]: [u64; 3] = steps;
        let (before, after) = (second.saturating_sub(first), third.saturating_sub(second));
        let told = format!("at {sizes:?}, answered {statuses:?}, {steps:?} steps");
        if std::env::var_os("STEPS_SHOWN").is_some() {
            eprintln!("{what} {told}: +{before} +{after}");
        }
        // What is answered in another way is not to be compared.
        let alike = statuses.iter().all(|status| *status == statuses[0]);
        if !alike || after > before * MOST / 100 + SLACK {
            self.add(format!("{what} {told}"));
        }
    }

    fn add(&self, fault: String) {
        self.all.lock().expect("nobody panicked").push(fault);
    }

    /// Fails if there is any. As many requests as this at least must have been of use: an attempt that is refused at the first
    /// glance shows little.
    pub(crate) fn none(self, succeeded: u32) {
        let asked = self.asked.into_inner().expect("nobody panicked");
        eprintln!("requests by their status: {asked:?}");
        let all = self.all.into_inner().expect("nobody panicked");
        let cut: Vec<_> = all.iter().map(|fault| fault.chars().take(400).collect::<String>()).collect();
        assert!(cut.is_empty(), "{} grow too fast:\n{}", cut.len(), cut.join("\n"));
        let of_use: u32 = asked.iter().filter(|(status, _)| **status < 300).map(|(_, times)| times).sum();
        assert!(of_use >= succeeded, "{of_use} succeeded, of {asked:?}");
    }
}
