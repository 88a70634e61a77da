//! The matrices: generated from the route table and the transition table, so that a new line is covered, or fails,
//! without anybody thinking of it. What is asked and expected is shared with `bailiwick verify-isolation`
//! ([`bailiwick::verify`]); here the database is looked at, too.

mod roles;
pub(crate) mod samples;
mod swap;
mod transitions;

pub(crate) use self::samples::sample;

pub(crate) fn cases() -> Vec<crate::Case> {
    let mut all = swap::cases();
    all.extend(roles::cases());
    all.extend(transitions::cases());
    all
}
