//! The child's standard input and output.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::platform::{InputPipe, OutputPipe};

/// The child's standard input. Closed when dropped, by `shutdown`, and by [`Child::stop`](crate::Child::stop); after
/// that, and when the child has closed its end, a write is a [`BrokenPipe`](io::ErrorKind::BrokenPipe) error. (That
/// needs `SIGPIPE` ignored in the owner, which is what every Rust program starts with.)
///
/// A child that does not read leaves a write pending once the pipe is full (64 KiB on Linux): deadlines are the
/// caller's.
#[derive(Debug)]
pub struct Stdin {
    gate: Arc<Gate>,
}

impl Stdin {
    pub(crate) fn new(pipe: InputPipe) -> (Self, Arc<Gate>) {
        let gate = Arc::new(Gate { state: Mutex::new(State { pipe: Some(pipe), blocked: None }) });
        (Self { gate: Arc::clone(&gate) }, gate)
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.gate.lock();
        let Some(pipe) = state.pipe.as_mut() else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let outcome = Pin::new(pipe).poll_write(cx, buf);
        if outcome.is_pending() {
            state.blocked = Some(cx.waker().clone());
        }
        outcome
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // a pipe has no buffer on our side
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.gate.close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        self.gate.close();
    }
}

/// The pipe behind a [`Stdin`], which the child's handle can close as well, under a write that pends.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pipe: Option<InputPipe>,
    blocked: Option<Waker>,
}

impl Gate {
    /// Closes the pipe and fails the write that pends, if any.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.pipe = None;
        let blocked = state.blocked.take();
        drop(state);
        if let Some(waker) = blocked {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The child's standard output. Ends when the last process that holds it has closed it.
///
/// After [`Child::wait`](crate::Child::wait) has answered, what the child wrote before is still here: read on to the
/// end. A process that escaped the group may keep it open, so put a deadline on that.
#[derive(Debug)]
pub struct Stdout {
    pipe: OutputPipe,
}

impl Stdout {
    pub(crate) fn new(pipe: OutputPipe) -> Self {
        Self { pipe }
    }
}

impl AsyncRead for Stdout {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}
