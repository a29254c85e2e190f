use super::*;
use crate::quota::{Ledger, Quota, Quotas};
use crate::sidecar::{Launch, Preparing, Start};
use llm_provider_process::Spec;

/// Longer than anything here takes; passing it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program by the script it runs; without one, it is never found.
struct Shell(Option<&'static str>);

impl SidecarProgram for Shell {
    fn name(&self) -> &str {
        "shell"
    }

    fn secret_variables(&self) -> &[&str] {
        &[]
    }

    fn prepare<'a>(&'a self, _: Wanted<'a>) -> Preparing<'a> {
        let Some(script) = self.0 else { return Box::pin(std::future::pending()) };
        let spec = Spec::new("/bin/sh", "/tmp").arg("-c").arg(script);
        let start = Start::Spawn(Box::new(spec));
        let launch = Launch { start, version: "1".into(), working_directory: "/tmp".into(), report: None };
        Box::pin(std::future::ready(Ok(launch)))
    }
}

/// A run, and what its instance is told. A write may stand still for ever.
fn run(script: Option<&'static str>, change: impl FnOnce(&mut Limits)) -> (Run, mpsc::Receiver<Input>) {
    let mut limits = Limits { sidecar_write_stall: Duration::MAX, ..Limits::default() };
    change(&mut limits);
    let (inputs, told) = mpsc::channel(limits.mailbox);
    let ledger = Arc::new(Ledger::new(Quotas::default()));
    let context = RunContext {
        id: 1,
        program: Arc::new(Shell(script)),
        tenant_directory: "/nonexistent".into(),
        settings: BTreeMap::new(),
        secret_variables: Vec::new(),
        scrubber: Scrubber::default(),
        limits,
        inputs,
        _hold: ledger.hold(Quota::Sidecars, 1).expect("room"),
    };
    (Run::start(context), told)
}

async fn next(told: &mut mpsc::Receiver<Input>) -> Input {
    tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("more")
}

/// How it ended. What it wrote before is passed over.
async fn exit(told: &mut mpsc::Receiver<Input>) -> Exit {
    loop {
        match next(told).await {
            Input::SidecarStarted(_) | Input::SidecarOutput(_) => {}
            Input::SidecarExited(end) => return end.exit,
            other => panic!("{other:?}"),
        }
    }
}

fn bytes(count: usize) -> Order {
    Order::Write(Zeroizing::new(vec![b'x'; count]))
}

#[tokio::test]
async fn a_kill_waits_for_no_write() {
    let (run, mut told) = run(Some("exec sleep 600"), |_| ());
    assert!(run.order(bytes(1 << 20)), "more than a pipe holds");
    assert!(matches!(next(&mut told).await, Input::SidecarStarted(_)));
    run.stop(StopMode::Kill);
    assert_eq!(exit(&mut told).await.signal, Some(9));
}

#[tokio::test]
async fn a_kill_waits_for_no_start() {
    let (run, mut told) = run(None, |_| ());
    tokio::task::yield_now().await;
    run.stop(StopMode::Kill);
    let Input::SidecarFailed(fault) = next(&mut told).await else { panic!("not started") };
    assert_eq!(fault.message, "it was ended before it had started");
}

#[tokio::test]
async fn what_was_refused_takes_no_room_and_hinders_no_end() {
    let (run, mut told) = run(Some("exec sleep 600"), |limits| limits.sidecar_pending_bytes = 1_000);
    assert!(!run.order(bytes(1_001)), "more than may wait");
    assert!(run.order(bytes(1_000)), "and it does not count");
    assert!(matches!(next(&mut told).await, Input::SidecarStarted(_)));
    while run.order(bytes(0)) {}
    run.stop(StopMode::Graceful);
    assert!(exit(&mut told).await.signal.is_some(), "nothing could be said to it");
}

#[tokio::test]
async fn a_polite_end_comes_after_what_was_written() {
    let (run, mut told) = run(Some("read line; read end || echo $line"), |_| ());
    assert!(run.order(Order::Write(Zeroizing::new(b"hello\n".to_vec()))));
    run.stop(StopMode::Graceful);
    assert!(matches!(next(&mut told).await, Input::SidecarStarted(_)));
    let Input::SidecarOutput(output) = next(&mut told).await else { panic!("no output") };
    assert_eq!(output.data, b"hello\n");
    assert_eq!(exit(&mut told).await.code, Some(0));
}

/// One that left the group and cleaned its environment: it writes on for ten seconds.
#[tokio::test]
async fn a_descendant_that_writes_on_does_not_hide_the_end() {
    const ESCAPED: &str = "setsid /usr/bin/env -i /bin/sh -c \
        'for i in 0 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4 5 6 7 8 9; do echo on; /bin/sleep 0.1; done; done' & exit 3";
    let (_run, mut told) = run(Some(ESCAPED), |_| ());
    let begin = Instant::now();
    assert_eq!(exit(&mut told).await.code, Some(3));
    assert!(begin.elapsed() < Duration::from_secs(8), "it was read to its own end");
}

#[test]
fn the_tail_begins_with_a_line() {
    assert_eq!(last_lines("one\ntwo\nthree\n", 10), "three");
    assert_eq!(last_lines("one\ntwo", 100), "one\ntwo");
    assert_eq!(last_lines("\u{e9}\u{e9}\u{e9}", 3), "\u{e9}");
}
