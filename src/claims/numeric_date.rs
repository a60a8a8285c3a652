use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::{Serialize, Serializer};

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// Seconds since 1970-01-01T00:00:00Z without leap seconds, as in `exp`, `nbf` and `iat` (RFC 7519
/// section 2).
///
/// In JSON the time is a number from 0 to 2⁶³ − 1. It may have a fraction. Such a number is read as
/// a 64-bit float, which represents the times of this century to less than a microsecond. Anything
/// else (a string, a negative number, a larger one) does not deserialize.
///
/// # Example: whole and fractional seconds
///
/// ```
/// use tower_jwt_auth::NumericDate;
///
/// let whole: NumericDate = serde_json::from_str("1.7e9")?;
/// let broken: NumericDate = serde_json::from_str("1700000000.5")?;
/// assert_eq!(whole, NumericDate::from_unix_seconds(1_700_000_000));
/// assert!(broken > whole);
/// assert!(serde_json::from_str::<NumericDate>("\"1700000000\"").is_err());
/// assert!(serde_json::from_str::<NumericDate>("-1").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
///
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumericDate {
    seconds: i64,
    nanos: u32,
}

impl NumericDate {
    pub(crate) const EPOCH: Self = Self { seconds: 0, nanos: 0 };
    pub(crate) const MAX: Self = Self { seconds: i64::MAX, nanos: NANOS_PER_SECOND - 1 };

    pub(crate) fn new(seconds: i64, nanos: u32) -> Self {
        Self { seconds, nanos }
    }

    /// The time that is `seconds` after the start of 1970; a negative number counts as 0.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self { seconds: seconds.max(0), nanos: 0 }
    }

    /// The whole seconds since the start of 1970, without the fraction.
    pub fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// The seconds since the start of 1970, rounded up to a whole second. A store that has no fractions uses it for a
    /// time that must not become earlier, such as the end of an entry.
    ///
    /// # Example: a time within a second
    ///
    /// ```
    /// use tower_jwt_auth::NumericDate;
    ///
    /// let time: NumericDate = serde_json::from_str("1700000000.5")?;
    /// assert_eq!((time.unix_seconds(), time.unix_seconds_rounded_up()), (1_700_000_000, 1_700_000_001));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn unix_seconds_rounded_up(self) -> i64 {
        self.seconds.saturating_add(i64::from(self.nanos > 0))
    }

    /// Converts to the standard library's type; `None` if the platform cannot represent the time.
    pub fn to_system_time(self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.seconds).ok()?;
        UNIX_EPOCH.checked_add(Duration::new(seconds, self.nanos))
    }

    /// This time plus `seconds`. A result beyond the largest time becomes the largest time.
    pub(crate) fn saturating_add(self, seconds: u64) -> Self {
        match i64::try_from(seconds).ok().and_then(|s| self.seconds.checked_add(s)) {
            Some(seconds) => Self { seconds, ..self },
            None => Self::MAX,
        }
    }

    pub(crate) fn from_u64(seconds: u64) -> Option<Self> {
        i64::try_from(seconds).ok().map(|seconds| Self { seconds, nanos: 0 })
    }

    pub(crate) fn from_f64(seconds: f64) -> Option<Self> {
        // 2^63 as a float is exact; a number that is not below it does not fit. NaN is in no range.
        if !(0.0..9_223_372_036_854_775_808.0).contains(&seconds) {
            return None;
        }
        let whole = seconds.trunc();
        let nanos = ((seconds - whole) * f64::from(NANOS_PER_SECOND)) as u32;
        Some(Self { seconds: whole as i64, nanos: nanos.min(NANOS_PER_SECOND - 1) })
    }
}

impl fmt::Display for NumericDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nanos {
            0 => write!(f, "{}", self.seconds),
            nanos => f.write_str(format!("{}.{nanos:09}", self.seconds).trim_end_matches('0')),
        }
    }
}

impl fmt::Debug for NumericDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NumericDate({self})")
    }
}

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.nanos {
            0 => serializer.serialize_i64(self.seconds),
            nanos => serializer.serialize_f64(
                self.seconds as f64 + f64::from(nanos) / f64::from(NANOS_PER_SECOND),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumericDateVisitor)
    }
}

struct NumericDateVisitor;

impl<'de> Visitor<'de> for NumericDateVisitor {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds from 0 up to 2^63 - 1")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<NumericDate, E> {
        NumericDate::from_u64(seconds)
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(seconds), &self))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<NumericDate, E> {
        u64::try_from(seconds)
            .ok()
            .and_then(NumericDate::from_u64)
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(seconds), &self))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<NumericDate, E> {
        NumericDate::from_f64(seconds)
            .ok_or_else(|| E::invalid_value(Unexpected::Float(seconds), &self))
    }

    /// With `serde_json/arbitrary_precision`, which any crate of the user may enable, a number is a
    /// map around its digits.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NumericDate, A::Error> {
        let number =
            serde_json::Number::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => self.visit_u64(seconds),
            (None, Some(seconds)) => self.visit_f64(seconds),
            (None, None) => Err(A::Error::custom("a number out of range")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(json: &str) -> Option<NumericDate> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn fractions_keep_their_meaning() {
        assert_eq!(date("1700000000.5"), Some(NumericDate::new(1_700_000_000, 500_000_000)));
        assert_eq!(date("1.7e9"), Some(NumericDate::new(1_700_000_000, 0)));
        assert_eq!(date("0"), Some(NumericDate::EPOCH));
        assert_eq!(date("-0.0"), Some(NumericDate::EPOCH));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for json in ["\"1\"", "null", "true", "[]", "{}", "-1", "-0.5", "1e400", "9.3e18"] {
            assert_eq!(date(json), None, "{json}");
        }
        assert_eq!(date("9223372036854775807"), Some(NumericDate::new(i64::MAX, 0)));
        assert_eq!(date("9223372036854775808"), None);
    }

    #[test]
    fn sums_saturate() {
        let last = NumericDate::from_unix_seconds(i64::MAX);
        assert!(last.saturating_add(1) > last);
        assert!(last.saturating_add(u64::MAX) > last);
        assert_eq!(NumericDate::EPOCH.saturating_add(5).unix_seconds(), 5);
    }

    #[test]
    fn display_and_json_say_the_same() {
        assert_eq!(NumericDate::new(5, 250_000_000).to_string(), "5.25");
        assert_eq!(serde_json::to_string(&NumericDate::new(5, 250_000_000)).unwrap(), "5.25");
        assert_eq!(serde_json::to_string(&NumericDate::new(5, 0)).unwrap(), "5");
    }
}
