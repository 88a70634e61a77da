//! Points in time, in milliseconds, as the wire and the databases carry them.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::kernel::{
    decode::{Fault, FaultCode, Scalar},
    values::string,
};

/// A point in time: milliseconds since the Unix epoch, from year 0 to 9999.
///
/// Its text is RFC 3339 in UTC with exactly three decimals (`2026-11-24T09:30:00.000Z`), which sorts as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A point in time by its distance from the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, as JWT dates are counted (RFC 7519, section 2).
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The day that it is on, in UTC.
    pub fn date(self) -> Date {
        OffsetDateTime::from_unix_timestamp(self.unix_seconds()).map_or(Date::FIRST, |time| Date(time.date()))
    }

    /// The time this much later.
    #[must_use]
    pub fn plus(self, pause: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time this much earlier.
    #[must_use]
    pub fn minus(self, pause: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The end of year 9999, the last that RFC 3339 can write.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// Reads any RFC 3339 text; digits below a millisecond are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Some(Self(parsed.unix_timestamp() * 1000 + i64::from(parsed.millisecond())))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time =
            OffsetDateTime::from_unix_timestamp(self.unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            self.0.rem_euclid(1000)
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": "^(19[7-9]|[2-9][0-9]{2})[0-9]-",
            "description": "A point in time from 1970 on (RFC 3339), shown in UTC with milliseconds.",
        })
    }
}

/// A day of the calendar, from year 0001 to 9999: `2026-11-24` (RFC 3339, section 5.6, `full-date`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(time::Date);

impl Date {
    /// The first day there is.
    pub const FIRST: Self = Self(time::macros::date!(0001 - 01 - 01));
    /// The last day there is.
    pub const LAST: Self = Self(time::macros::date!(9999 - 12 - 31));

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let form =
            |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
        if text.len() != 10 || !text.bytes().enumerate().all(form) {
            return None;
        }
        let month = time::Month::try_from(text[5..7].parse::<u8>().ok()?).ok()?;
        let date = time::Date::from_calendar_date(text[..4].parse().ok()?, month, text[8..].parse().ok()?);
        date.ok().map(Self).filter(|date| *date >= Self::FIRST)
    }

    /// The day that is this many days earlier, but not before the first day.
    #[must_use]
    pub fn minus_days(self, days: i64) -> Self {
        self.0.checked_sub(time::Duration::days(days)).map_or(Self::FIRST, |day| Self(day).max(Self::FIRST))
    }

    /// Its first moment, in UTC.
    pub fn midnight(self) -> Timestamp {
        Timestamp(self.0.midnight().assume_utc().unix_timestamp().saturating_mul(1000))
    }

    /// For a driver whose database has the type.
    pub const fn calendar(self) -> time::Date {
        self.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Scalar for Date {
    fn from_value(value: serde_json::Value) -> Result<Self, Fault> {
        let text = string(value)?;
        Self::parse(&text).ok_or_else(|| Fault::new(FaultCode::Format, "Expected a day such as 2026-11-24."))
    }
}

impl Scalar for Timestamp {
    fn from_value(value: serde_json::Value) -> Result<Self, Fault> {
        let text = string(value)?;
        let time = Self::parse(&text).filter(|time| (0..=253_402_300_799_999).contains(&time.0));
        time.ok_or_else(|| {
            Fault::new(FaultCode::Format, "Expected a time such as 2026-11-24T09:30:00Z, from 1970 on.")
        })
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Date {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date", "description": "A day of the calendar (RFC 3339)." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_512_600_123, "2026-11-24T09:30:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_unix_millis(millis).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp::from_unix_millis(millis)));
        }
        assert_eq!(
            Timestamp::parse("2026-11-24T10:30:00.1239+01:00"),
            Some(Timestamp::from_unix_millis(1_795_512_600_123))
        );
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn days_and_times_agree() {
        let day = Timestamp::parse("2026-03-01T23:59:59.999Z").unwrap().date();
        assert_eq!(day.to_string(), "2026-03-01");
        assert_eq!(day.minus_days(1).to_string(), "2026-02-28");
        assert_eq!(day.midnight().to_string(), "2026-03-01T00:00:00.000Z");
        assert_eq!(Date::FIRST.minus_days(1), Date::FIRST);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for good in ["2026-11-24", "2024-02-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(Date::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "+2026-01-01",
            "-001-01-01",
            "0000-01-01",
            "20261124",
            "",
        ] {
            assert!(Date::parse(bad).is_none(), "{bad:?}");
        }
    }
}
