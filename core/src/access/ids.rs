//! Ids: UUID version 7 (RFC 9562, section 5.7), in the order in which they were made.
//!
//! Lists go by id, newest first. With chance alone after the millisecond, two tasks that one client made within it, one
//! after the other, would stand in either order; so what follows the time is a counter (section 6.2, methods 1 and 2).
//! `uuid` has such a counter, but it draws its own randomness, and here randomness comes through the port.

use std::sync::{Mutex, PoisonError};

use uuid::{Builder, Uuid, Variant, Version};

use crate::kernel::time::Timestamp;

/// Random bits at the end of an id.
const CHANCE: u32 = 32;
/// Bits of the counter before them that share a group with them.
const LOW: u32 = 30;
/// Bits of the counter beside the version.
const HIGH: u32 = 12;
/// A clock that was set back by less than this is not followed: ids continue from their last time.
const SET_BACK_MILLIS: u128 = 60_000;

/// The last id that this instance made: its time, in milliseconds, and its counter.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<(u128, u128)>);

impl Ids {
    /// The next one: greater than all before it, as long as the clock is not set back by more than a minute.
    ///
    /// The counter's increment is random as well, so that an id does not tell how many ids others were given.
    pub(crate) fn next(&self, now: Timestamp, random: [u8; 12]) -> Uuid {
        let now = u128::try_from(now.unix_millis()).unwrap_or_default();
        let random = random.into_iter().fold(0, |random, byte| (random << 8) | u128::from(byte));
        let (chance, random) = (random & ((1 << CHANCE) - 1), random >> CHANCE);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = match *last {
            (millis, counter) if millis.wrapping_sub(now) < SET_BACK_MILLIS => {
                let counter = counter + 1 + (random & 0xffff);
                // Nobody makes that many ids in a millisecond.
                (millis + (counter >> (HIGH + LOW)), counter & ((1 << (HIGH + LOW)) - 1))
            }
            // It begins in the lower half, which leaves it room.
            _ => (now, random & ((1 << (HIGH + LOW - 1)) - 1)),
        };
        let (millis, counter) = *last;
        let counter = ((counter >> LOW) << 64) | ((counter & ((1 << LOW) - 1)) << CHANCE);
        Builder::from_u128((millis << 80) | counter | chance)
            .with_version(Version::SortRand)
            .with_variant(Variant::RFC4122)
            .into_uuid()
    }
}

/// A lower bound of all ids that are made from then on, and above nearly all that were made before: an index that has
/// ids in order finds recent rows by it.
pub(crate) fn least_id(since: Timestamp) -> Uuid {
    Uuid::from_u128(u128::try_from(since.unix_millis()).unwrap_or_default() << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_795_512_600_000 + millis)
    }

    /// Bytes with nothing in common with those of another number.
    fn random(number: u64) -> [u8; 12] {
        use sha2::{Digest, Sha256};
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&Sha256::digest(number.to_be_bytes())[..12]);
        bytes
    }

    #[test]
    fn ids_are_of_version_7_and_of_their_time() {
        let ids = Ids::default();
        for number in 0..100 {
            let id = ids.next(at(number), random(number.cast_unsigned()));
            assert_eq!((id.get_version(), id.get_variant()), (Some(Version::SortRand), Variant::RFC4122));
            let millis = id.as_u128() >> 80;
            assert_eq!(millis, u128::from(at(number).unix_millis().cast_unsigned()));
        }
    }

    #[test]
    fn each_is_greater_than_all_before_also_when_the_clock_stands_or_steps_back() {
        for extreme in [None, Some([0xff; 12]), Some([0; 12])] {
            let ids = Ids::default();
            let mut last = Uuid::nil();
            for number in 0..100_000_u64 {
                let millis = [0, 0, 5, 5, 4, 0, -50_000, 5][usize::try_from(number % 8).unwrap()];
                let id = ids.next(at(millis), extreme.unwrap_or_else(|| random(number)));
                assert!(id > last, "{id} after {last}");
                last = id;
            }
        }
    }

    #[test]
    fn a_clock_that_was_wrong_is_followed_when_it_is_set_right() {
        let ids = Ids::default();
        ids.next(at(3_600_000), random(0));
        let id = ids.next(at(0), random(1));
        assert_eq!(id.as_u128() >> 80, u128::from(at(0).unix_millis().cast_unsigned()));
    }

    #[test]
    fn what_follows_the_time_is_no_mere_number() {
        let tail = |number| Ids::default().next(at(0), random(number)).as_u128() & u128::from(u64::MAX >> 2);
        assert_ne!(tail(0) >> CHANCE, tail(1) >> CHANCE);
        let ids = Ids::default();
        let [one, two, three] = [0, 1, 2].map(|number| ids.next(at(0), random(number)).as_u128() >> CHANCE);
        assert_ne!(two - one, three - two);
    }
}
