//! A bounded queue in which clients take turns: nobody waits behind more than one job of each other client, and when it
//! is full, the client with the most jobs loses one.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// The waiting jobs, by client.
#[derive(Debug)]
pub struct Turns<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
    /// The clients with waiting jobs, the next one first.
    order: VecDeque<K>,
    all: usize,
    most: usize,
}

/// The result of adding a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed<T> {
    /// It was added: there was room.
    Taken,
    /// It was added, and this job had to give way to it.
    InPlaceOf(T),
    /// It was not added.
    Refused(T),
}

impl<K: Copy + Eq + Hash, T> Turns<K, T> {
    /// A queue with room for `most` jobs in all.
    pub fn new(most: usize) -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new(), all: 0, most }
    }

    /// Adds a job of a client. When the queue is full, the newest job of the client with the most is removed, if that
    /// client has more than an even share; otherwise this one is refused.
    pub fn push(&mut self, who: K, job: T) -> Pushed<T> {
        let own = self.waiting.get(&who).map_or(0, VecDeque::len);
        let mut given_up = None;
        if self.all >= self.most {
            let busiest = self.waiting.iter().max_by_key(|(_, jobs)| jobs.len());
            let Some(busiest) = busiest.filter(|(_, jobs)| jobs.len() > own + 1).map(|(who, _)| *who) else {
                return Pushed::Refused(job);
            };
            // The client has more than one job, so it keeps its turn.
            given_up = self.waiting.get_mut(&busiest).and_then(VecDeque::pop_back);
            self.all -= 1;
        }
        let jobs = self.waiting.entry(who).or_default();
        if jobs.is_empty() {
            self.order.push_back(who);
        }
        jobs.push_back(job);
        self.all += 1;
        given_up.map_or(Pushed::Taken, Pushed::InPlaceOf)
    }

    /// The next job: the oldest of the client whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let who = self.order.pop_front()?;
        let jobs = self.waiting.get_mut(&who)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(&who);
        } else {
            self.order.push_back(who);
        }
        self.all -= 1;
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(turns: &mut Turns<char, u32>) -> Vec<u32> {
        std::iter::from_fn(|| turns.pop()).collect()
    }

    #[test]
    fn nobody_waits_behind_all_that_others_have_asked_for() {
        let mut turns = Turns::new(100);
        for job in 0..40 {
            assert_eq!(turns.push(if job % 2 == 0 { 'a' } else { 'b' }, job), Pushed::Taken);
        }
        assert_eq!(turns.push('c', 100), Pushed::Taken);
        assert_eq!(turns.push('c', 101), Pushed::Taken);
        let order = drained(&mut turns);
        assert_eq!(order[..6], [0, 1, 100, 2, 3, 101]);
        assert_eq!(order.len(), 42);
        // Jobs of one client stay in order.
        assert!(order.iter().filter(|job| **job < 40 && **job % 2 == 0).is_sorted());
    }

    #[test]
    fn where_it_is_full_who_has_the_most_gives_way() {
        let mut turns = Turns::new(4);
        for job in 0..4 {
            assert_eq!(turns.push('a', job), Pushed::Taken);
        }
        assert_eq!(turns.push('a', 4), Pushed::Refused(4));
        assert_eq!(turns.push('b', 10), Pushed::InPlaceOf(3));
        assert_eq!(turns.push('b', 11), Pushed::InPlaceOf(2));
        // They share evenly now.
        assert_eq!(turns.push('b', 12), Pushed::Refused(12));
        // Either of the two clients loses one.
        assert!(matches!(turns.push('c', 20), Pushed::InPlaceOf(1 | 11)));
        assert_eq!(drained(&mut turns).len(), 4);
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_loses_nothing() {
        // All sequences in which three clients add and take jobs, eight steps long.
        for steps in 0..4_u32.pow(8) {
            let (mut turns, mut taken, mut out) = (Turns::new(3), 0, 0);
            for step in 0..8 {
                match steps / 4_u32.pow(step) % 4 {
                    3 => out += usize::from(turns.pop().is_some()),
                    who => match turns.push(who, step) {
                        Pushed::Taken => taken += 1,
                        Pushed::InPlaceOf(_) | Pushed::Refused(_) => {}
                    },
                }
                assert!(turns.all <= 3);
                assert_eq!(turns.all, turns.waiting.values().map(VecDeque::len).sum::<usize>());
                assert_eq!(turns.order.len(), turns.waiting.len());
            }
            assert_eq!(taken - out, turns.all);
        }
    }
}
