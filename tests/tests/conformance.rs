//! The conformance kit of the specification: every scenario passes, in memory and on PostgreSQL.

use tenure_tests::kit::play::{InMemory, OnPostgres};
use tenure_tests::kit::services::Services;
use tenure_tests::kit::{KIT_FOLDER, Kit, Score, UPSTREAM_SCENARIOS};

const SKIPPED: &str = "skipped: the conformance kit is not here; set TENURE_SHARED to the folder that holds \
                       serverless-workflow/ctk, or TENURE_CTK to a folder of feature files";

fn prove(kit: &Kit, score: &Score) {
    assert_eq!(score.passed(), score.total(), "scenarios failed:\n{score}");
    if kit.is_upstream {
        let found = score.total();
        assert_eq!(found, UPSTREAM_SCENARIOS, "the kit is not that of the pinned commit");
    } else {
        assert!(score.total() > 0, "{KIT_FOLDER} names a folder without scenarios");
    }
}

#[tokio::test]
async fn conformance_kit() {
    let Some(kit) = Kit::find().expect("a kit that can be read") else {
        println!("{SKIPPED}");
        return;
    };
    let services = Services::open().await.expect("loopback");
    let score = kit.run(&InMemory(&services)).await;
    println!("{score}");
    prove(&kit, &score);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_kit_on_postgres() {
    let Some(kit) = Kit::find().expect("a kit that can be read") else {
        println!("{SKIPPED}");
        return;
    };
    let services = Services::open().await.expect("loopback");
    let player = OnPostgres::open(&services).await.expect("a database server");
    let score = kit.run(&player).await;
    println!("{score}");
    prove(&kit, &score);
}
