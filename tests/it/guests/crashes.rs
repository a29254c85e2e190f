//! Plugins that crash or break their contract, at any point.

use super::{said, tenant, turn};
use llm_provider_host::{PluginFault, TurnError};
use llmp_test_hostile::Row;
use llmp_tests::plugins::{ask, hostile};
use llmp_tests::rig::read;

pub(super) async fn g19_a_crash_at_any_call_of_the_host() {
    let plugin = hostile(Row::G19).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("an instance").session();
    for at in 0..20 {
        let mut items = 0;
        let mut turn = ask(&session, &format!("trap {at}")).await;
        let mut last = None;
        while let Some(item) = turn.next().await {
            assert!(last.is_none(), "something came after the last item");
            items += 1;
            if let Err(error) = item {
                last = Some(error);
            }
        }
        let Some(TurnError::Fault(PluginFault::Trapped(says))) = last else { panic!("{at}: {last:?}") };
        assert!(says.contains(&format!("after {at} calls")), "{says}");
        assert!(items >= 1, "{at}");
        assert_eq!(said(&session, "still here").await, "still here");
    }
}

/// Breaches by name: of the turn itself, and of one that is held meanwhile where the turn has ended.
pub(super) async fn g20_forty_breaches_are_forty_faults() {
    let plugin = hostile(Row::G20).await;
    let tenant = tenant(&plugin, |policy| policy);
    let breaches: Vec<&str> = llmp_test_hostile::BREACHES.to_vec();
    assert!(breaches.len() >= 40, "{}", breaches.len());
    for breach in breaches {
        let instance = tenant.instance(&plugin, "{}").expect("an instance");
        let (held, session) = (instance.session(), instance.session());
        let mut bystander = ask(&held, "hold").await;
        assert!(bystander.next().await.is_some_and(|item| item.is_ok()));
        let seen = turn(&session, breach).await;
        let ended = read(bystander).await;
        let Some(TurnError::Fault(PluginFault::Contract(says))) = ended.error else {
            panic!("{breach}: {:?}", ended.error)
        };
        assert!(!says.is_empty() && !says.contains('\n'), "{breach}: {says}");
        assert!(seen.error.is_some() || seen.finished().is_some(), "{breach}: exactly one last item");
        assert_eq!(said(&session, "still here").await, "still here", "{breach}");
    }
}
