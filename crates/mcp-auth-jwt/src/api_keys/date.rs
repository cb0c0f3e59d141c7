//! Dates in UTC, as RFC 3339 writes them.

use mcp_core::Timestamp;

/// `2028-01-01T00:00:00Z`.
pub(super) fn write(at: Timestamp) -> String {
    // The year 9999 is as far as RFC 3339 goes.
    let seconds = at.as_secs().min(253_402_300_799);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Seconds since the epoch of a date and time in UTC; `None` before 1970 or for a day that does not exist.
#[cfg(feature = "keys-file")]
pub(super) fn seconds(
    (year, month, day): (u16, u8, u8),
    (hour, minute, second): (u8, u8, u8),
    offset_minutes: i16,
) -> Option<u64> {
    let (year, month, day) = (u64::from(year), u64::from(month), u64::from(day));
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let days = days_before_year(year) + days_before_month(year, month) + day.checked_sub(1)?;
    if civil(days) != (year, month, day) {
        return None;
    }
    let time = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
    (days * 86_400 + time).checked_add_signed(-60 * i64::from(offset_minutes))
}

fn civil(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / 366;
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let rest = days - days_before_year(year);
    let month = (1..=12).rev().find(|month| days_before_month(year, *month) <= rest).unwrap_or(1);
    (year, month, rest - days_before_month(year, month) + 1)
}

/// Days from 1970-01-01 to the first day of a year.
fn days_before_year(year: u64) -> u64 {
    let leap_days = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    (year - 1970) * 365 + leap_days(year) - leap_days(1970)
}

fn days_before_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30];
    lengths.iter().take(usize::try_from(month - 1).unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_right() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(write(Timestamp::from_secs(seconds)), text);
        }
    }

    #[cfg(feature = "keys-file")]
    #[test]
    fn days_that_do_not_exist_are_refused() {
        assert_eq!(seconds((2024, 2, 29), (23, 59, 59), 0), Some(1_709_251_199));
        assert_eq!(seconds((2024, 3, 1), (1, 29, 59), 90), Some(1_709_251_199));
        assert_eq!(seconds((2023, 2, 29), (0, 0, 0), 0), None);
        assert_eq!(seconds((2023, 4, 31), (0, 0, 0), 0), None);
        assert_eq!(seconds((2023, 13, 1), (0, 0, 0), 0), None);
        assert_eq!(seconds((1969, 12, 31), (0, 0, 0), 0), None);
        assert_eq!(seconds((1970, 1, 1), (0, 0, 0), 60), None);
    }
}
