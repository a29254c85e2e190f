//! What a response's headers say, above all about trying again: to the engine of HTTP providers, and to a plugin whose
//! sidecar's traffic goes through the host.
//!
//! Services say it in several ways; the plainest that can be read counts. A plugin has no clock, so moments are taken
//! relative to the response's own `date`. How long is too long is not decided here.

use llm_provider_guest::http_types::ResponseHeader;
use llm_provider_guest::types::Milliseconds;
use std::time::SystemTime;

/// What a service advises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// When to come back, from the moment of the response.
    pub retry_after: Option<Milliseconds>,
    /// Whether trying again makes sense, where the service says so itself.
    pub should_retry: Option<bool>,
}

/// Statuses of services that are too busy for this request. Only with them does the reset of a rate limit mean that one
/// must wait for it: successful responses have those headers too.
const LIMITED: [u16; 3] = [429, 503, 529];

/// A number of seconds from which on it is no span but a moment in Unix time: 31 years.
const UNIX_TIME: f64 = 1e9;

/// The value of a header, by its name in lower case. The first counts.
#[must_use]
pub fn header<'a>(headers: &'a [ResponseHeader], name: &str) -> Option<&'a str> {
    headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
}

/// Reads the hints of a response. The first of several headers of one name counts, and what cannot be read does not.
#[must_use]
pub fn hints(status: u16, headers: &[ResponseHeader]) -> Hints {
    let retry_after = header(headers, "retry-after-ms")
        .and_then(|value| number(value, 1.0))
        .or_else(|| header(headers, "retry-after").and_then(|value| seconds_or_date(value, headers)))
        .or_else(|| LIMITED.contains(&status).then(|| reset(headers)).flatten());
    let should_retry = match header(headers, "x-should-retry") {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    Hints { retry_after, should_retry }
}

fn seconds_or_date(value: &str, headers: &[ResponseHeader]) -> Option<Milliseconds> {
    number(value, 1_000.0).or_else(|| until(http_date(value)?, headers))
}

/// When the last of the limits that are used up is reset.
fn reset(headers: &[ResponseHeader]) -> Option<Milliseconds> {
    let pause = |header: &ResponseHeader| openai(&header.name, headers).or_else(|| anthropic(&header.name, headers));
    headers.iter().filter_map(pause).max()
}

fn openai(name: &str, headers: &[ResponseHeader]) -> Option<Milliseconds> {
    let limit = name.strip_prefix("x-ratelimit-reset-")?;
    let used_up = used_up(&format!("x-ratelimit-remaining-{limit}"), headers);
    used_up.then(|| span(header(headers, name)?)).flatten()
}

fn anthropic(name: &str, headers: &[ResponseHeader]) -> Option<Milliseconds> {
    let limit = name.strip_prefix("anthropic-ratelimit-")?.strip_suffix("-reset")?;
    let used_up = used_up(&format!("anthropic-ratelimit-{limit}-remaining"), headers);
    used_up.then(|| moment(header(headers, name)?, headers)).flatten()
}

/// A limit of which is not said how much remains may be the one that was met.
fn used_up(remaining: &str, headers: &[ResponseHeader]) -> bool {
    header(headers, remaining).is_none_or(|left| left.trim().parse() == Ok(0.0))
}

/// A span such as `6m0s` or `20ms`, or a number of seconds.
fn span(value: &str) -> Option<Milliseconds> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds < UNIX_TIME).then(|| number(value, 1_000.0)).flatten();
    }
    let span = humantime::parse_duration(value).ok()?;
    Some(Milliseconds::try_from(span.as_millis()).unwrap_or(Milliseconds::MAX))
}

/// An RFC 3339 moment in UTC, which is what services send.
fn moment(value: &str, headers: &[ResponseHeader]) -> Option<Milliseconds> {
    until(humantime::parse_rfc3339(value.trim()).ok()?, headers)
}

/// From the response's own date to a moment; `None` for one that is over.
fn until(moment: SystemTime, headers: &[ResponseHeader]) -> Option<Milliseconds> {
    let date = http_date(header(headers, "date")?)?;
    Milliseconds::try_from(moment.duration_since(date).ok()?.as_millis()).ok()
}

/// A date of RFC 9110, in any of its three forms.
fn http_date(value: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(value.trim()).ok()
}

/// A number of so many milliseconds each, not negative and finite. What is too large for the type becomes its largest.
fn number(value: &str, each: f64) -> Option<Milliseconds> {
    let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite() && !number.is_sign_negative())?;
    Some((number * each).round() as Milliseconds)
}
