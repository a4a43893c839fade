//! Nothing is silently stuck.

use std::collections::BTreeMap;

use tenure_machine::instance::{Activity, CallPhase, Incident};
use tenure_machine::{ChildResult, Command, Status, TimerId};
use tenure_store::Store as _;
use tenure_store::port::Committed;
use uuid::Uuid;

use crate::kit::{self, World, child_of, ended, moved};

async fn orphans(world: &World) -> Vec<tenure_machine::InstanceId> {
    world.store.doctor().await.unwrap().into_iter().map(|orphan| orphan.instance).collect()
}

#[tokio::test]
async fn every_reason_to_live_is_seen_and_an_orphan_is_found() {
    let world = World::new().await;
    // Its first mail.
    let fresh = world.started("fresh").await;
    // An open wait.
    world.waiting("waiting", "[1]").await;
    let incident =
        Incident { fingerprint: "f".to_owned(), detail: "d".to_owned(), since: world.at };
    for (key, phase) in [
        ("call", CallPhase::Sent { call: tenure_machine::CallId(1) }),
        ("incident", CallPhase::Stuck { incident }),
    ] {
        let instance = world.started(key).await;
        let mut next = moved(&instance, Status::Live, world.at);
        kit::call(&mut next, Uuid::now_v7(), phase);
        next.consumed = world.mail_of(instance.id).await;
        assert_eq!(world.commit(next).await, Committed::Yes);
    }
    let sleeper = world.started("timer").await;
    let mut next = moved(&sleeper, Status::Live, world.at);
    kit::sleep(&mut next, TimerId(1), kit::soon(world.at, 1_000));
    next.consumed = world.mail_of(sleeper.id).await;
    assert_eq!(world.commit(next).await, Committed::Yes);
    let over = world.started("over").await;
    assert_eq!(world.commit(ended(&over, world.at)).await, Committed::Yes);
    assert!(orphans(&world).await.is_empty());

    // Planted: its mail and timer vanish.
    world.meddle("delete from mail; delete from timer").await;
    let mut expected = vec![fresh.id, sleeper.id];
    expected.sort();
    assert_eq!(orphans(&world).await, expected);
}

#[tokio::test]
async fn a_parent_lives_by_its_child_until_it_is_told() {
    let world = World::new().await;
    let parent = world.started("parent").await;
    let child = child_of(parent.id, "child", world.at);
    let mut next = moved(&parent, Status::Live, world.at);
    next.consumed = world.mail_of(parent.id).await;
    kit::push(&mut next, Activity::Child { child: child.instance.id });
    next.transition.commands.push(Command::CancelChild {
        child: child.instance.id,
        reason: "stands for the start, which is on its way".to_owned(),
    });
    assert_eq!(world.commit(next).await, Committed::Yes);
    assert!(orphans(&world).await.is_empty(), "the command is on its way");

    world.store.start(&child, world.at).await.unwrap();
    world.settle_all().await;
    assert!(orphans(&world).await.is_empty(), "the child runs");

    let mut end = ended(&child.instance, world.at);
    end.transition.commands =
        vec![Command::TellParent { parent: parent.id, result: ChildResult::Cancelled }];
    assert_eq!(world.commit(end).await, Committed::Yes);
    assert!(orphans(&world).await.is_empty(), "the child has to tell of its end");

    world.settle_all().await;
    assert_eq!(orphans(&world).await, [parent.id], "told, but no mail was posted");
}

#[tokio::test]
async fn waits_inside_a_saved_listen_survive_reading() {
    // Keys of maps are text in JSON: a listen with several waits must be read back as numbers.
    let world = World::new().await;
    let instance = world.started("k").await;
    let mut next = moved(&instance, Status::Live, world.at);
    kit::push(
        &mut next,
        Activity::Listen {
            waits: BTreeMap::from([
                (tenure_machine::WaitId(3), 0),
                (tenure_machine::WaitId(11), 1),
            ]),
            consumed: vec![(0, serde_json::json!({ "a": 1 }))],
            bound: BTreeMap::new(),
            seen: Vec::new(),
            turns: None,
        },
    );
    let expected = next.transition.instance.clone();
    assert_eq!(world.commit(next).await, Committed::Yes);
    assert_eq!(world.loaded(instance.id).await, expected);
}

#[tokio::test]
async fn a_mail_that_cannot_be_read_held_up_all_the_others() {
    let world = World::new().await;
    let broken = world.started("broken").await;
    world.meddle("update mail set body = '{'").await;
    let sound = world.started("sound").await;
    let readable: Vec<_> = world.mail().await.into_iter().map(|mail| mail.instance).collect();
    assert_eq!(readable, [sound.id]);
    // It is still there, and still a reason to live: nothing is thrown away.
    assert_eq!(world.count("select count(*) from mail").await, 2);
    assert!(!orphans(&world).await.contains(&broken.id));
}
