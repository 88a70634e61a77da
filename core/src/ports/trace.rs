//! Traces: where a request belongs among those of other services, by the header `traceparent` (W3C Trace Context,
//! <https://www.w3.org/TR/trace-context/>), and its steps, for the export of traces.
//!
//! `tracestate` is not passed on: it belongs to other systems, and requests that leave here go to third parties.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName};

use crate::ports::Entropy;

/// The header, in incoming and outgoing requests.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static(NAME);
pub(crate) const NAME: &str = "traceparent";

/// The trace of a piece of work, and its own span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The id of the trace: 16 bytes, not all 0. (It is two numbers: code for those of 128 bits takes the edge more
    /// bytes than all else here.)
    pub id: [u64; 2],
    /// The span that caused it, if the trace does not begin here.
    pub parent: Option<u64>,
    /// Its own span. Not 0.
    pub span: u64,
    /// Whether the trace is recorded: the service that began the trace has decided that.
    pub sampled: bool,
}

impl Trace {
    /// The trace that a request's headers name; else a new one, which is recorded if `samples` says so. `None` if there
    /// is no randomness to begin one with.
    pub(crate) fn of_request(
        entropy: &dyn Entropy,
        headers: &HeaderMap,
        decide: impl Fn(u64) -> bool,
    ) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).filter(|_| values.next().is_none());
        Self::following(entropy, value, decide)
    }

    /// The trace that a `traceparent` names, if it is a valid one; else a new one.
    pub(crate) fn following(
        entropy: &dyn Entropy,
        parent: Option<&str>,
        decide: impl Fn(u64) -> bool,
    ) -> Option<Self> {
        let mut random = [0; 24];
        entropy.fill(&mut random).ok()?;
        let [high, low, span] = [0, 8, 16].map(|from| {
            let bytes = random[from..from + 8].iter();
            bytes.fold(0, |number: u64, byte| (number << 8) | u64::from(*byte)).max(1)
        });
        Some(match parent.and_then(parse) {
            Some((id, parent, sampled)) => Self { id, parent: Some(parent), span, sampled },
            None => Self { id: [high, low], parent: None, span, sampled: decide(span) },
        })
    }

    /// The `traceparent` for work that one of its spans causes.
    pub(crate) fn to_header(self, span: u64) -> String {
        format!("00-{self}-{span:016x}-0{}", u8::from(self.sampled))
    }
}

/// The form for logs: the id, in hexadecimal.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.id[0], self.id[1])
    }
}

/// Reads a `traceparent` (section 3.2): the trace, the parent, whether it is recorded. An unknown newer version begins
/// like the known one, and may go on behind a hyphen.
fn parse(text: &str) -> Option<([u64; 2], u64, bool)> {
    let text = text.as_bytes();
    let hyphens = [2, 35, 52, 55].iter().all(|at| text.get(*at).is_none_or(|b| *b == b'-'));
    let (version, flags) = (number(text.get(..2)?)?, number(text.get(53..55)?)?);
    let id = [number(text.get(3..19)?)?, number(text.get(19..35)?)?];
    let parent = number(text.get(36..52)?)?;
    let known = version != 0xff && (version != 0 || text.len() == 55);
    (hyphens && known && id != [0, 0] && parent != 0).then_some((id, parent, flags & 1 == 1))
}

/// A number of up to 16 hexadecimal digits, in lower case.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((number << 4) | u64::from(value))
    })
}

/// A step of the work in a trace.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its span; its parent is the span of the work.
    pub span: u64,
    /// The kind of work.
    pub work: Work,
    /// Its start, counted from the start of the work.
    pub begun: Duration,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did: in words that hold no secret.
    pub failed: Option<String>,
}

/// The kind of a step.
#[derive(Clone, Debug)]
pub enum Work {
    /// A batch of the database: the names of its statements.
    Batch(Vec<&'static str>),
    /// A request to another service.
    Call {
        /// The receiver: `slack`, `email`, `jwks`.
        to: &'static str,
        /// The status of the answer, if there was one.
        status: Option<u16>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_standards_example_is_read_and_written() {
        let (id, parent, sampled) = parse(GOOD).unwrap();
        let trace = Trace { id, parent: Some(parent), span: 7, sampled };
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.to_header(parent), GOOD);
        assert_eq!(trace.to_header(7), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
        // Only one of the flags means something here.
        assert_eq!(parse(&GOOD.replace("-01", "-02")), Some((id, parent, false)));
        assert_eq!(parse(&GOOD.replace("-01", "-ff")), Some((id, parent, true)));
    }

    #[test]
    fn later_versions_may_say_more() {
        let later = GOOD.replacen("00", "cc", 1);
        assert_eq!(parse(&later), parse(GOOD));
        assert_eq!(parse(&format!("{later}-what the future will be like")), parse(GOOD));
        assert_eq!(parse(&format!("{later}.what")), None);
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for bad in [
            String::new(),
            "00".to_owned(),
            GOOD.to_uppercase(),
            format!("{GOOD}-00"),
            format!("{GOOD}, {GOOD}"),
            format!(" {GOOD}"),
            format!("{GOOD} "),
            GOOD.replacen("00", "ff", 1),
            GOOD.replacen("00", "0x", 1),
            GOOD.replacen("00", "+0", 1),
            GOOD.replacen('-', "_", 1),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            GOOD.replace("4bf9", "4bF9"),
            GOOD.replace("4bf92f", "+bf92f"),
            GOOD.replace("-01", "-0g"),
            GOOD.replace("-01", "-1"),
            GOOD.replace("-01", ""),
            GOOD.replace("4bf9", "4b\u{e9}"),
        ] {
            assert_eq!(parse(&bad), None, "{bad:?}");
        }
    }
}
