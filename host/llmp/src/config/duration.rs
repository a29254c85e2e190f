//! Durations such as `90s`, `10m` and `1h30m`.

use std::time::Duration;

/// What to write.
pub(super) const FORM: &str = "write a number and a unit: \"500ms\", \"90s\", \"10m\" or \"1h\"";

/// Longest duration: a day. Whoever writes more has mistaken the unit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a duration that is more than nothing and at most a day.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_ascii_alphabetic());
        sum = sum.checked_add(part(number.parse().ok()?, unit)?)?;
        rest = after;
    }
    (sum > Duration::ZERO && sum <= LONGEST).then_some(sum)
}

fn part(number: u64, unit: &str) -> Option<Duration> {
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        for (text, milliseconds) in [
            ("90s", 90_000),
            ("10m", 600_000),
            ("500ms", 500),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            (" 2s ", 2_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "0s", "5", "s", "-1s", "1.5s", "1 s", "1d", "25h", "1S", "18446744073709551615h", "9s x", "é"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
