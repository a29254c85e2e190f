//! Lines of a header block.

use super::error::{FrameError, excerpt};

/// The one header that counts.
pub(super) const LENGTH: &[u8] = b"Content-Length:";
/// Header blocks begin with a header of this family; anything else between frames is junk.
const FAMILY: &[u8] = b"content-";

/// Whether a line begins a header block. Inside a junk line a block may begin in the middle: then its offset.
pub(super) fn block_start(line: &[u8]) -> Option<usize> {
    if line.get(..FAMILY.len()).is_some_and(|head| head.eq_ignore_ascii_case(FAMILY)) {
        return Some(0);
    }
    line.windows(LENGTH.len()).position(|window| window == LENGTH)
}

/// Takes a line of a header block: the length, where the line tells it.
pub(super) fn line(line: &[u8], limit: usize) -> Result<Option<usize>, FrameError> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return Err(FrameError::BadHeader { excerpt: excerpt(line) });
    };
    let (name, rest) = line.split_at(colon);
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return Err(FrameError::BadHeader { excerpt: excerpt(line) });
    }
    if !name.eq_ignore_ascii_case(b"content-length") {
        return Ok(None);
    }
    length(rest.get(1..).unwrap_or_default().trim_ascii(), limit).map(Some)
}

/// A plain decimal number within the limit: no sign, no blank, no other base.
#[inline]
pub(super) fn length(value: &[u8], limit: usize) -> Result<usize, FrameError> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(FrameError::BadLength { excerpt: excerpt(value) });
    }
    value
        .iter()
        .try_fold(0usize, |sum, digit| sum.checked_mul(10)?.checked_add(usize::from(digit - b'0')))
        .filter(|length| *length <= limit)
        .ok_or_else(|| FrameError::BodyTooLong { limit, excerpt: excerpt(value) })
}

/// The common case: the one header in its usual spelling, whole. Gives its length and where the body begins.
#[inline]
pub(super) fn usual(input: &[u8]) -> Option<(&[u8], usize)> {
    let value = input.strip_prefix(b"Content-Length: ")?;
    let digits = value.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = value.split_at_checked(digits)?;
    (digits > 0 && rest.starts_with(b"\r\n\r\n")).then_some((number, 16 + digits + 4))
}
