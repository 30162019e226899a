//! When a server wants to be asked again: `Retry-After` (RFC 9110, section 10.2.3).
//!
//! Invariant: it reads no clock. The time is an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long to wait by the value of a header `Retry-After`: a number of seconds, or a
/// date. A date counts from the reply's own header `Date` if there is one, so that a
/// wrong clock does no harm, and otherwise from `now`. A date of the past is zero; `None`
/// if it is neither.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use isosocket_core::retry_after;
///
/// assert_eq!(retry_after("120", None, UNIX_EPOCH), Some(Duration::from_secs(120)));
/// let date = "Thu, 01 Jan 1970 00:01:00 GMT";
/// assert_eq!(retry_after(date, None, UNIX_EPOCH), Some(Duration::from_secs(60)));
/// ```
pub fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has is long enough, too.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(value)?;
    let now = match date.and_then(http_date) {
        Some(now) => now,
        None => now.duration_since(UNIX_EPOCH).ok()?.as_secs(),
    };
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// Seconds since 1970 of a date in one of the three forms of RFC 9110, section 5.6.7.
fn http_date(date: &str) -> Option<u64> {
    let mut parts = date
        .split([' ', '-', ','])
        .filter(|part| !part.is_empty())
        .skip(1);
    let [a, b, c, d] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    // `Sun, 06 Nov 1994 08:49:37 GMT` and `Sunday, 06-Nov-94 08:49:37 GMT`, or
    // `Sun Nov  6 08:49:37 1994`.
    let (day, month, year, time) = match a.parse::<u64>() {
        Ok(day) => (day, b, c, d),
        Err(_) => (b.parse().ok()?, a, d, c),
    };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year = match (year.len(), year.parse::<u64>().ok()?) {
        // By now all of these years are of this century.
        (2, year) => 2000 + year,
        (_, year) => year,
    };
    let mut time = time.split(':').map(|part| part.parse::<u64>().ok());
    let [hour, minute, second] = [time.next()??, time.next()??, time.next()??];
    let in_range = (1970..=9999).contains(&year)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Days since 1970 in the Gregorian calendar. The year is taken to begin in March, so that
/// the leap day is its last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month < 3 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: u64 = 784_111_777;

    #[test]
    fn dates_have_three_forms() {
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(http_date(date), Some(DATE), "{date}");
        }
        let later = http_date("Sunday, 29-Nov-26 17:00:00 GMT");
        assert_eq!(later, http_date("Sun, 29 Nov 2026 17:00:00 GMT"));
        assert_eq!(later, Some(1_795_971_600));
        assert_eq!(
            http_date("Thu, 29 Feb 2024 00:00:00 GMT"),
            Some(1_709_164_800)
        );
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        // A leap second, a leap day's end, and the last second of a year.
        for (one, next) in [
            (
                "Sat, 31 Dec 2016 23:59:60 GMT",
                "Sun, 01 Jan 2017 00:00:00 GMT",
            ),
            (
                "Thu, 29 Feb 2024 23:59:60 GMT",
                "Fri, 01 Mar 2024 00:00:00 GMT",
            ),
            (
                "Tue, 28 Feb 2023 23:59:60 GMT",
                "Wed, 01 Mar 2023 00:00:00 GMT",
            ),
        ] {
            assert!(http_date(one).is_some());
            assert_eq!(http_date(one), http_date(next), "{one}");
        }
        for bad in [
            "",
            "soon",
            "Sun, 06 Nov 1994",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "-3",
            "3.5",
        ] {
            assert_eq!(http_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn seconds_and_dates_say_how_long() {
        let now = UNIX_EPOCH + Duration::from_secs(DATE - 90);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let wait = |value, of| retry_after(value, of, now).map(|wait| wait.as_secs());
        assert_eq!(wait("3", None), Some(3));
        assert_eq!(wait(" 120 ", None), Some(120));
        assert_eq!(wait("99999999999999999999999", None), Some(u64::MAX));
        assert_eq!(wait(date, None), Some(90));
        assert_eq!(wait(date, Some("nonsense")), Some(90));
        assert_eq!(wait(date, Some("Sun, 06 Nov 1994 08:49:07 GMT")), Some(30));
        assert_eq!(wait(date, Some("Sun, 06 Nov 1994 08:50:00 GMT")), Some(0));
        assert_eq!(wait("soon", None), None);
        assert_eq!(wait("-3", None), None);
    }
}
