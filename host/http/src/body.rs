//! A request's body that knows whether anybody has asked for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Whether a request may have reached the server.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    touched: Arc<AtomicBool>,
    /// Nobody asks for an empty body, so it cannot tell.
    empty: bool,
}

impl Sent {
    pub(crate) fn is_empty(&self) -> bool {
        self.empty
    }

    /// False only where the body was never asked for: then at most the head has left, and no server acts on a head
    /// that announces a body.
    pub(crate) fn maybe(&self) -> bool {
        self.empty || self.touched.load(Ordering::Relaxed)
    }
}

/// The whole body, of known length, and the witness of its use.
pub(crate) fn tracked(data: Bytes) -> (TrackedBody, Sent) {
    let touched = Arc::new(AtomicBool::new(false));
    let sent = Sent { touched: Arc::clone(&touched), empty: data.is_empty() };
    (TrackedBody { data, touched }, sent)
}

pub(crate) struct TrackedBody {
    data: Bytes,
    touched: Arc<AtomicBool>,
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.touched.store(true, Ordering::Relaxed);
        let data = std::mem::take(&mut self.data);
        Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.data.len()).unwrap_or(u64::MAX))
    }
}
