//! Hostile plugins, one for each row of the table of threats: what they do, and that nothing comes of it.
//!
//! Their components are tests/guests; a prompt says when. A row without its component or its test does not compile.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its figures; clippy knows only functions marked as tests"
)]

mod computing;
mod crashes;
mod data;
mod logs;
mod memory;
mod network;
mod processes;
mod shapes;
mod soak;

use llm_provider_host::{Plugin, Policy, Session, Tenant};
use llmp_test_hostile::Row;
use llmp_tests::plugins::{ask, policy};
use llmp_tests::rig::{Seen, read};
use std::time::Duration;

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes the tests of all rows, and a match over the rows that knows each of them.
macro_rules! rows {
    ($($row:ident: $module:ident :: $name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                tokio::time::timeout(PATIENCE * 3, $module::$name()).await.expect("in time");
            }
        )+

        /// Does not compile when a row has no test.
        fn name(row: Row) -> &'static str {
            match row { $(Row::$row => stringify!($name)),+ }
        }
    };
}

rows! {
    G01: computing::g01_infinite_loop,
    G02: computing::g02_a_loop_that_gives_control_back,
    G03: memory::g03_growth_of_memories_and_tables,
    G04: computing::g04_endless_recursion,
    G05: data::g05_giant_strings_and_strings_that_are_none,
    G06: data::g06_a_flood_for_a_reader_that_sleeps_or_leaves,
    G07: data::g07_forged_ids,
    G08: shapes::g08_components_that_are_too_much,
    G09: network::g09_no_spelling_of_the_inside_is_reached,
    G10: network::g10_a_name_that_leads_inside_is_not_dialled,
    G11: network::g11_a_redirect_leads_nowhere,
    G12: network::g12_no_header_smuggles,
    G13: processes::g13_names_and_surroundings_of_programs,
    G14: processes::g14_no_file_is_read,
    G15: memory::g15_nothing_of_another_tenant_is_left,
    G16: network::g16_a_key_goes_to_its_origin_only,
    G17: logs::g17_logs_neither_lie_nor_flood,
    G18: processes::g18_no_more_programs_than_granted,
    G19: crashes::g19_a_crash_at_any_call_of_the_host,
    G20: crashes::g20_forty_breaches_are_forty_faults,
    G21: computing::g21_time_comes_in_milliseconds,
    G22: computing::g22_cancels_at_any_moment,
}

/// A row's test bears its number.
#[test]
fn tests_are_named_after_their_rows() {
    assert!(name(Row::G01).starts_with("g01_") && name(Row::G22).starts_with("g22_"));
}

/// A tenant under a policy of its own.
fn tenant(plugin: &Plugin, change: impl FnOnce(Policy) -> Policy) -> Tenant {
    plugin.host().tenant(change(policy()))
}

/// A turn, read to its end.
async fn turn(session: &Session, prompt: &str) -> Seen {
    let seen = async { read(ask(session, prompt).await).await };
    tokio::time::timeout(PATIENCE, seen).await.expect("in time")
}

/// What a turn that succeeds says.
async fn said(session: &Session, prompt: &str) -> String {
    let seen = turn(session, prompt).await;
    assert!(seen.error.is_none(), "{prompt}: {:?}", seen.error);
    seen.text
}
