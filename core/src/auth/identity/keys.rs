//! The provider's keys as they were last fetched, and when to fetch them again. The decisions here need neither network
//! nor clock.
//!
//! A request that needs a missing key fetches the keys itself: on the edge a request must not wait for what another
//! request has begun. So the limit is on how often fetching begins.

use std::time::Duration;

use crate::{
    auth::identity::{
        jwk::{self, Jwk},
        jwt::Algorithm,
    },
    ports::public_key::PublicKey,
};

/// Fetches because of unknown keys within one cooldown: room for requests that come together when keys have changed.
const BURST: u32 = 4;
/// How long after a fetch the next one may begin where there are no keys at all, however often it has failed.
const WITHOUT_KEYS: Duration = Duration::from_secs(1);
/// Old keys are used for this many times their maximum age, if no newer ones can be fetched.
const GRACE: u32 = 12;

/// How often keys are fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The age at which keys are fetched again.
    pub(super) max_age: Duration,
    /// The time in which unknown keys cause only a few fetches.
    pub(super) cooldown: Duration,
    /// How long a fetch may take.
    pub(super) timeout: Duration,
}

/// What to do about the key that a token needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is there.
    Verify(PublicKey),
    /// It may be among those that the provider has now.
    Fetch,
    /// The key is not known, and that is certain enough.
    Unknown,
    /// The key is not known, and cannot be looked up now.
    Later,
}

/// The keys, and the fetches of them. Times are elapsed times of the clock, so that a change of the time of day neither
/// makes keys old nor keeps them young.
#[derive(Debug, Default)]
pub(super) struct Keys {
    fetched: Option<(Duration, Vec<Jwk>)>,
    /// The start of the present cooldown, and the number of fetches in it.
    window: Option<(Duration, u32)>,
    /// The start of the latest fetch, if that has not ended.
    under_way: Option<Duration>,
    last: Option<Duration>,
}

impl Keys {
    /// What to do about the key of this name, or the only one for this algorithm. [`Next::Fetch`] is to be followed by
    /// [`Self::took`] or [`Self::failed`].
    pub(super) fn next(&mut self, algorithm: Algorithm, id: Option<&str>, now: Duration, pace: Pace) -> Next {
        let age = self.fetched.as_ref().map(|(at, _)| since(*at, now));
        if age.is_some_and(|age| age >= pace.max_age.saturating_mul(GRACE)) {
            self.fetched = None;
        }
        let begun = match self.window {
            Some((start, begun)) if since(start, now) < pace.cooldown => begun,
            _ => 0,
        };
        let key = self.find(algorithm, id);
        let fetch = match &key {
            Some(_) => age.is_none_or(|age| age >= pace.max_age) && begun == 0,
            None if self.fetched.is_none() => {
                begun < BURST || self.last.is_none_or(|last| since(last, now) >= WITHOUT_KEYS)
            }
            None => begun < BURST,
        };
        if fetch {
            self.window = match self.window {
                Some((start, _)) if begun > 0 => Some((start, begun.saturating_add(1))),
                _ => Some((now, 1)),
            };
            self.under_way = Some(now);
            self.last = Some(now);
            return Next::Fetch;
        }
        match key {
            Some(key) => Next::Verify(key),
            // A fetch whose request was aborted never ends.
            None if self.fetched.is_none()
                || self.under_way.is_some_and(|at| since(at, now) < pace.timeout) =>
            {
                Next::Later
            }
            None => Next::Unknown,
        }
    }

    /// Takes the fetched keys.
    pub(super) fn took(&mut self, keys: Vec<Jwk>, now: Duration) {
        self.fetched = Some((now, keys));
        self.under_way = None;
    }

    /// Notes that the fetch failed.
    pub(super) fn failed(&mut self) {
        self.under_way = None;
    }

    /// The key of this name for this algorithm. A token that names no key has the only one that fits.
    pub(super) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<PublicKey> {
        let (_, keys) = self.fetched.as_ref()?;
        let mut fitting = keys.iter().filter(|jwk| {
            jwk::algorithm(&jwk.key) == algorithm && id.is_none_or(|id| jwk.id.as_deref() == Some(id))
        });
        let key = fitting.next()?.key.clone();
        // Two keys have this name: nobody knows which is meant.
        fitting.next().is_none().then_some(key)
    }
}

/// The time since then. It is zero where a platform that has only the time of day was set back.
fn since(start: Duration, now: Duration) -> Duration {
    now.saturating_sub(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        max_age: Duration::from_hours(1),
        cooldown: Duration::from_mins(1),
        timeout: Duration::from_secs(10),
    };

    fn at(seconds: i64) -> Duration {
        Duration::from_secs(1_795_512_600_u64.saturating_add_signed(seconds))
    }

    fn key(id: &str) -> PublicKey {
        PublicKey::Ed25519 { x: [id.as_bytes()[0]; 32] }
    }

    fn jwk(id: &str) -> Jwk {
        Jwk { id: Some(id.to_owned()), key: key(id) }
    }

    fn ask(keys: &mut Keys, id: &str, seconds: i64) -> Next {
        keys.next(Algorithm::EdDsa, Some(id), at(seconds), PACE)
    }

    /// Keys that were fetched at the start.
    fn fetched(ids: &[&str]) -> Keys {
        let mut keys = Keys::default();
        assert_eq!(ask(&mut keys, "a", 0), Next::Fetch);
        keys.took(ids.iter().map(|id| jwk(id)).collect(), at(0));
        keys
    }

    #[test]
    fn a_key_that_is_known_costs_no_fetch_until_it_is_old() {
        let mut keys = fetched(&["a", "b"]);
        for seconds in [0, 1, 61, 3599] {
            assert_eq!(ask(&mut keys, "a", seconds), Next::Verify(key("a")));
        }
        assert_eq!(ask(&mut keys, "a", 3600), Next::Fetch);
        // Other requests go on with the keys that there are.
        assert_eq!(ask(&mut keys, "a", 3600), Next::Verify(key("a")));
        keys.took(vec![jwk("b")], at(3601));
        assert_eq!(ask(&mut keys, "b", 3601), Next::Verify(key("b")));
    }

    #[test]
    fn an_unknown_key_is_asked_for_a_few_times_in_a_cooldown() {
        let mut keys = fetched(&["a"]);
        let mut begun = 0;
        for seconds in 1..120 {
            match ask(&mut keys, "z", seconds) {
                Next::Fetch => {
                    begun += 1;
                    keys.took(vec![jwk("a")], at(seconds));
                }
                other => assert_eq!(other, Next::Unknown),
            }
            assert_eq!(ask(&mut keys, "a", seconds), Next::Verify(key("a")));
        }
        // The first fetch of all was one of the first four.
        assert_eq!(begun, 3 + 4);
    }

    #[test]
    fn while_a_fetch_is_under_way_nobody_is_refused() {
        let mut keys = fetched(&["a"]);
        let together: Vec<_> = (0..10).map(|_| ask(&mut keys, "b", 100)).collect();
        assert_eq!(together.iter().filter(|next| **next == Next::Fetch).count(), 4);
        assert_eq!(together.iter().filter(|next| **next == Next::Later).count(), 6);
        keys.took(vec![jwk("a"), jwk("b")], at(101));
        assert_eq!(ask(&mut keys, "b", 101), Next::Verify(key("b")));
        // A fetch that was aborted is not waited for for ever.
        let mut keys = fetched(&["a"]);
        let _: Vec<_> = (0..4).map(|_| ask(&mut keys, "b", 100)).collect();
        assert_eq!((ask(&mut keys, "b", 109), ask(&mut keys, "b", 110)), (Next::Later, Next::Unknown));
    }

    #[test]
    fn old_keys_are_good_for_a_while_if_none_can_be_had() {
        let mut keys = fetched(&["a"]);
        let mut begun = 0;
        for seconds in (3600..12 * 3600).step_by(10) {
            match ask(&mut keys, "a", seconds) {
                Next::Fetch => {
                    begun += 1;
                    keys.failed();
                    assert_eq!(keys.find(Algorithm::EdDsa, Some("a")), Some(key("a")));
                }
                next => assert_eq!(next, Next::Verify(key("a"))),
            }
        }
        assert_eq!(begun, 11 * 60);
        assert_eq!(ask(&mut keys, "a", 12 * 3600), Next::Fetch);
        keys.failed();
        assert_eq!(keys.find(Algorithm::EdDsa, Some("a")), None);
    }

    #[test]
    fn without_any_keys_nobody_is_refused_and_fetching_goes_on() {
        let mut keys = Keys::default();
        let mut begun = 0;
        for tenths in 0..100 {
            let now = at(0) + Duration::from_millis(tenths * 100);
            match keys.next(Algorithm::EdDsa, Some("a"), now, PACE) {
                Next::Fetch => {
                    begun += 1;
                    keys.failed();
                }
                next => assert_eq!(next, Next::Later),
            }
        }
        assert_eq!(begun, 4 + 9);
    }

    #[test]
    fn a_token_without_a_name_has_the_only_key_of_its_kind() {
        let mut keys = fetched(&["a"]);
        let rsa = PublicKey::Rsa { n: vec![1], e: vec![3] };
        keys.took(vec![jwk("a"), Jwk { id: None, key: rsa.clone() }], at(0));
        assert_eq!(keys.find(Algorithm::EdDsa, None), Some(key("a")));
        assert_eq!(keys.find(Algorithm::Rs256, None), Some(rsa));
        assert_eq!(keys.find(Algorithm::Es256, None), None);
        // A name leads to keys of the token's algorithm only.
        assert_eq!(keys.find(Algorithm::Rs256, Some("a")), None);
        keys.took(vec![jwk("a"), jwk("b")], at(0));
        assert_eq!(keys.find(Algorithm::EdDsa, None), None);
        keys.took(vec![jwk("a"), jwk("a")], at(0));
        assert_eq!(keys.find(Algorithm::EdDsa, Some("a")), None);
    }

    #[test]
    fn a_clock_that_is_set_back_does_no_harm() {
        let mut keys = fetched(&["a"]);
        assert_eq!(ask(&mut keys, "a", -9999), Next::Verify(key("a")));
        assert_eq!(ask(&mut keys, "z", -9999), Next::Fetch);
    }
}
