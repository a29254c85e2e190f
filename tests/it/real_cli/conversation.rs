//! Conversations that go well.

use llm_provider_host::{TurnRequest, user_message};
use llmp_model_server::Script;
use llmp_tests::real_cli::{sidecar, skipped};
use llmp_tests::rig::{Rig, read};

#[tokio::test(flavor = "multi_thread")]
async fn one_turn_streams() {
    if skipped("one_turn_streams") {
        return;
    }
    let rig = Rig::new(Script::demo(), sidecar()).await;
    let session = rig.instance.session();
    let turn = session.turn(TurnRequest::new(vec![user_message("hello there")])).await.expect("started");
    let seen = read(turn).await;
    println!("{seen:#?}");
    assert!(seen.finished().is_some(), "{:?}", seen.error);
    rig.instance.close().await;
}
