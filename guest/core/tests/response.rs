//! What headers say about trying again (THREATS, row N01).

use llm_provider_core::response::{Hints, hints};
use llm_provider_guest::http_types::ResponseHeader;
use proptest::prelude::*;

/// Headers by name and value.
type List<'a> = &'a [(&'a str, &'a str)];

const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");

fn headers(headers: List<'_>) -> Vec<ResponseHeader> {
    let header = |(name, value): &(&str, &str)| ResponseHeader { name: (*name).into(), value: (*value).into() };
    headers.iter().map(header).collect()
}

fn after(status: u16, list: List<'_>) -> Option<u64> {
    hints(status, &headers(list)).retry_after
}

#[test]
fn n01_every_form_of_a_pause_is_read() {
    let table: &[(List<'_>, Option<u64>)] = &[
        (&[("retry-after-ms", "1500")], Some(1_500)),
        (&[("retry-after-ms", "12.6")], Some(13)),
        (&[("retry-after", "7")], Some(7_000)),
        (&[("retry-after", "0.25")], Some(250)),
        (&[("retry-after", " 3 ")], Some(3_000)),
        (&[("retry-after", "0")], Some(0)),
        (&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), DATE], Some(30_000)),
        (&[("x-ratelimit-reset-requests", "1s")], Some(1_000)),
        (&[("x-ratelimit-reset-tokens", "6m0s")], Some(360_000)),
        (&[("x-ratelimit-reset-tokens", "20ms")], Some(20)),
        (&[("x-ratelimit-reset-tokens", "8.64s")], Some(8_640)),
        (&[("x-ratelimit-reset-tokens", "1h2m3.5s")], Some(3_723_500)),
        (&[("x-ratelimit-reset-requests", "2.5")], Some(2_500)),
        (&[("anthropic-ratelimit-requests-reset", "1994-11-06T08:50:37Z"), DATE], Some(60_000)),
        (&[("anthropic-ratelimit-input-tokens-reset", "1994-11-06T08:49:38.5+00:00"), DATE], Some(1_500)),
        // The two obsolete forms of a date.
        (&[("retry-after", "Sunday, 06-Nov-94 08:50:07 GMT"), DATE], Some(30_000)),
        (&[("retry-after", "Sun Nov  6 08:50:07 1994"), DATE], Some(30_000)),
        // Absurd, but the owner of the loop decides.
        (&[("retry-after", "31536000")], Some(31_536_000_000)),
        (&[("retry-after", "1e300")], Some(u64::MAX)),
        (&[("retry-after", "Tue, 31 Dec 2999 23:59:59 GMT"), DATE], Some(31_719_568_222_000)),
    ];
    for (list, want) in table {
        assert_eq!(after(429, list), *want, "{list:?}");
    }
}

#[test]
fn n01_what_cannot_be_read_is_ignored() {
    let date = "Sun, 06 Nov 1994 08:50:07 GMT";
    let table: &[List<'_>] = &[
        &[],
        &[("retry-after", "-1")],
        &[("retry-after", "-0.0")],
        &[("retry-after-ms", "NaN")],
        &[("retry-after", "inf")],
        &[("retry-after", "1e400")],
        &[("retry-after", "soon")],
        &[("retry-after", "")],
        &[("retry-after", date)],
        &[("retry-after", date), ("date", "yesterday")],
        &[("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"), DATE],
        &[("x-ratelimit-reset-tokens", "-5s")],
        &[("x-ratelimit-reset-tokens", "1760000000")],
        &[("x-ratelimit-reset-tokens", "99999999999999999999h")],
        &[("anthropic-ratelimit-tokens-reset", "1994-11-06T08:50:37Z")],
        &[("anthropic-ratelimit-unified-reset", "1760000000"), DATE],
        &[("anthropic-ratelimit-tokens-reset", "1994-11-06T09:49:38+01:00"), DATE],
        &[("retry-after", "x"), ("retry-after", "5")],
    ];
    for list in table {
        assert_eq!(after(429, list), None, "{list:?}");
    }
}

#[test]
fn n01_the_plainest_header_that_can_be_read_counts() {
    let all = [("retry-after", "2"), ("retry-after-ms", "100"), ("x-ratelimit-reset-tokens", "9s")];
    assert_eq!(after(429, &all), Some(100));
    assert_eq!(after(429, &all[..1]), Some(2_000));
    assert_eq!(after(429, &[("retry-after-ms", "?"), ("retry-after", "2")]), Some(2_000));
    assert_eq!(after(429, &[("retry-after", "?"), ("x-ratelimit-reset-tokens", "9s")]), Some(9_000));
    assert_eq!(after(429, &[("retry-after", "1"), ("retry-after", "5")]), Some(1_000));
}

#[test]
fn n01_the_reset_of_a_limit_counts_when_it_is_used_up() {
    let limits = [
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-tokens", "1m"),
        ("x-ratelimit-remaining-tokens", "17"),
    ];
    for (status, want) in [(429, Some(1_000)), (503, Some(1_000)), (529, Some(1_000)), (500, None), (200, None)] {
        assert_eq!(after(status, &limits), want, "{status}");
    }
    // Of two that are used up, the later; of one that does not say what remains, its reset.
    assert_eq!(after(429, &limits[..3]), Some(60_000));
    let anthropic = [
        ("anthropic-ratelimit-output-tokens-reset", "1994-11-06T08:50:37Z"),
        DATE,
        ("anthropic-ratelimit-output-tokens-remaining", "1000"),
    ];
    assert_eq!(after(429, &anthropic), None);
    assert_eq!(after(429, &anthropic[..2]), Some(60_000));
}

#[test]
fn n01_a_service_may_say_whether_to_try_again() {
    let should = |value| hints(500, &headers(&[("x-should-retry", value)])).should_retry;
    assert_eq!((should("true"), should("false"), should("maybe")), (Some(true), Some(false), None));
    assert_eq!(hints(500, &[]), Hints::default());
}

proptest! {
    #[test]
    fn n01_any_text_is_read_without_a_panic(
        status: u16,
        value in ".{0,40}",
        number in -1e20f64..1e20,
        date in ".{0,40}",
    ) {
        let names = ["retry-after-ms", "retry-after", "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"];
        for name in names {
            for value in [value.as_str(), &number.to_string(), &format!("{number}h")] {
                let _ = hints(status, &headers(&[(name, value), ("date", &date)]));
                let _ = hints(429, &headers(&[(name, value), DATE]));
            }
        }
    }

    #[test]
    fn n01_seconds_are_those_that_were_sent(seconds in 0u32..=u32::MAX) {
        prop_assert_eq!(after(429, &[("retry-after", &seconds.to_string())]), Some(u64::from(seconds) * 1_000));
    }
}
