//! The one statement: fenced, whole, and known again.

use tenure_machine::instance::{CallPhase, Incident};
use tenure_machine::{Command, Status, TimerId, WaitId};
use tenure_store::Store as _;
use tenure_store::port::{Committed, Fence};
use uuid::Uuid;

use crate::kit::{self, World, all_buckets, moved, soon};

const DEPENDENT_ROWS: &str = "select (select count(*) from journal) + (select count(*) from timer) \
     + (select count(*) from wait) + (select count(*) from outbox) \
     + (select count(*) from unsettled_effect)";

#[tokio::test]
async fn an_instance_is_read_as_it_was_written() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let mut next = moved(&instance, Status::Live, world.at);
    kit::listen(&mut next, WaitId(7));
    kit::sleep(&mut next, TimerId(8), world.at);
    kit::sent(&mut next);
    let expected = next.transition.instance.clone();
    let entries = next.transition.journal.clone();
    assert_eq!(world.commit(next).await, Committed::Yes);
    assert_eq!(world.loaded(instance.id).await, expected);
    let journal = world.store.journal(instance.id, 0, 10).await.unwrap();
    assert_eq!(journal.len(), 1);
    assert_eq!((journal[0].seq, &journal[0].entries), (1, &entries));
    assert!(world.store.journal(instance.id, 1, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stale_epoch_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let old = Fence { epoch: world.fence.epoch - 1, ..world.fence };
    let answers = world.store.checkpoint(old, &[full(&world, &instance)]).await.unwrap();
    assert_eq!(answers, [Committed::Fenced]);
    assert_eq!(world.count(DEPENDENT_ROWS).await, 0);
    assert_eq!(world.loaded(instance.id).await, instance);
}

#[tokio::test]
async fn a_bucket_of_another_node_is_refused() {
    let world = World::new().await;
    let instance = world.started("k").await;
    world.meddle("update bucket_lease set node = null").await;
    assert_eq!(world.commit(full(&world, &instance)).await, Committed::Fenced);
    assert_eq!(world.count(DEPENDENT_ROWS).await, 0);
}

#[tokio::test]
async fn a_stale_revision_is_refused_alone_and_its_rows_are_not_written() {
    let world = World::new().await;
    let first = world.started("a").await;
    let second = world.started("b").await;
    let mut stale = full(&world, &first);
    stale.transition.instance.revision += 1;
    let answers =
        world.store.checkpoint(world.fence, &[stale, full(&world, &second)]).await.unwrap();
    assert_eq!(answers, [Committed::Fenced, Committed::Yes]);
    assert_eq!(world.loaded(first.id).await, first);
    // Journal, timer, wait, outbox and effect of the second one.
    assert_eq!(world.count(DEPENDENT_ROWS).await, 5);
    assert_eq!(world.store.outbox(&all_buckets(), 10).await.unwrap()[0].instance, second.id);
}

#[tokio::test]
async fn two_rows_for_one_instance_are_applied_in_order_or_not_at_all() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let one = moved(&instance, Status::Live, world.at);
    let mut rival = one.clone();
    rival.transition.instance.context = serde_json::json!("rival").into();
    let two = moved(&one.transition.instance, Status::Live, world.at);
    let answers = world.store.checkpoint(world.fence, &[one, rival, two]).await.unwrap();
    assert_eq!(answers, [Committed::Yes, Committed::Fenced, Committed::Yes]);
    assert_eq!(world.loaded(instance.id).await.revision, 2);
    assert_eq!(world.count("select count(*) from journal").await, 2);
}

#[tokio::test]
async fn a_repeated_checkpoint_is_known_as_our_own_success() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let next = full(&world, &instance);
    assert_eq!(world.commit(next.clone()).await, Committed::Yes);
    // The answer was lost, so the same is sent again.
    assert_eq!(world.commit(next.clone()).await, Committed::Yes);
    assert_eq!(world.count(DEPENDENT_ROWS).await, 5);
    // Another transition to the same revision is not ours.
    let mut other = next.clone();
    other.transition.instance.context = serde_json::json!("other").into();
    assert_eq!(world.commit(other).await, Committed::Fenced);
    // Nor is it our success once we have lost the epoch: the successor answers for it.
    world.meddle("update node_fence set epoch = epoch + 1").await;
    assert_eq!(world.commit(next).await, Committed::Fenced);
}

#[tokio::test]
async fn a_poisoned_row_stands_alone() {
    let world = World::new().await;
    let mut batch = Vec::new();
    for n in 0..7 {
        let instance = world.started(&format!("k{n}")).await;
        batch.push(full(&world, &instance));
    }
    // A zero byte in JSON is escaped; in an event type it is not.
    kit::listen(&mut batch[4], WaitId(9));
    batch[4].transition.commands.push(kit::open(WaitId(9), Some("a\u{0}b"), None));
    let answers = world.store.checkpoint(world.fence, &batch).await.unwrap();
    for (n, answer) in answers.into_iter().enumerate() {
        let expected = if n == 4 { Committed::Poisoned } else { Committed::Yes };
        assert_eq!(answer, expected, "{n}");
    }
    assert_eq!(world.count(DEPENDENT_ROWS).await, 6 * 5);
}

#[tokio::test]
async fn a_large_batch_is_committed_in_order_of_its_answers() {
    let world = World::new().await;
    let mut batch = Vec::new();
    for n in 0..300 {
        let new = kit::pending(&format!("k{n}"), world.at);
        if n % 3 != 0 {
            world.store.start(&new, world.at).await.unwrap();
        }
        batch.push(moved(&new.instance, Status::Live, world.at));
    }
    let answers = world.store.checkpoint(world.fence, &batch).await.unwrap();
    for (n, answer) in answers.into_iter().enumerate() {
        let expected = if n % 3 == 0 { Committed::Fenced } else { Committed::Yes };
        assert_eq!(answer, expected, "{n}");
    }
    assert!(world.store.checkpoint(world.fence, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn timers_are_listed_when_due_and_go_when_the_instance_forgets_them() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let mut next = moved(&instance, Status::Live, world.at);
    kit::sleep(&mut next, TimerId(1), soon(world.at, 10));
    kit::sleep(&mut next, TimerId(2), soon(world.at, 5));
    kit::sleep(&mut next, TimerId(3), soon(world.at, 99));
    // Set and cleared in one transition: never a row.
    kit::sleep(&mut next, TimerId(4), world.at);
    next.transition.commands.push(Command::ClearTimer { timer: TimerId(4) });
    let instance = next.transition.instance.clone();
    assert_eq!(world.commit(next).await, Committed::Yes);
    let due = world.store.timers(&all_buckets(), soon(world.at, 20), 10).await.unwrap();
    let ids: Vec<i64> = due.iter().map(|timer| timer.timer.0).collect();
    assert_eq!(ids, [2, 1]);
    assert_eq!(due[0].due, soon(world.at, 5));
    assert!(world.store.timers(&[], soon(world.at, 20), 10).await.unwrap().is_empty());
    // The instance has forgotten the first, though no command says so: its row goes too.
    let mut next = moved(&instance, Status::Live, world.at);
    next.transition.instance.timers.remove(&TimerId(1));
    assert_eq!(world.commit(next).await, Committed::Yes);
    let due = world.store.timers(&all_buckets(), soon(world.at, 100), 10).await.unwrap();
    let ids: Vec<i64> = due.iter().map(|timer| timer.timer.0).collect();
    assert_eq!(ids, [2, 3]);
}

#[tokio::test]
async fn a_timer_is_never_stored_earlier_than_it_is_due() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let mut next = moved(&instance, Status::Live, world.at);
    let due = world.at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap();
    kit::sleep(&mut next, TimerId(1), due);
    assert_eq!(world.commit(next).await, Committed::Yes);
    let stored = world.store.timers(&all_buckets(), soon(world.at, 1), 1).await.unwrap()[0].due;
    assert!(stored >= due, "{stored} < {due}");
}

#[tokio::test]
async fn an_ended_instance_leaves_no_timer_wait_or_mail() {
    let world = World::new().await;
    let (instance, wait) = world.waiting("k", "[1]").await;
    world.store.receive(&kit::paid("e1", "[1]"), world.at).await.unwrap();
    let mut next = moved(&instance, Status::Live, world.at);
    kit::sleep(&mut next, TimerId(2), world.at);
    let instance = next.transition.instance.clone();
    assert_eq!(world.commit(next).await, Committed::Yes);
    let mut end = kit::ended(&instance, world.at);
    // Even when the machine should ask for more in its last step.
    end.transition.commands = vec![
        Command::SetTimer { timer: TimerId(3), due: world.at },
        kit::open(wait, Some("order.paid"), Some("[1]")),
        Command::TellParent { parent: instance.id, result: tenure_machine::ChildResult::Cancelled },
    ];
    assert_eq!(world.commit(end).await, Committed::Yes);
    assert_eq!(world.count("select count(*) from timer").await, 0);
    assert_eq!(world.count("select count(*) from wait").await, 0);
    assert!(world.mail().await.is_empty());
    // What it has to tell stays until it is told.
    let outbox = world.store.outbox(&all_buckets(), 10).await.unwrap();
    assert_eq!(outbox.len(), 1);
    world.store.settle_outbox(&[(outbox[0].instance, outbox[0].ordinal)]).await.unwrap();
    assert!(world.store.outbox(&all_buckets(), 10).await.unwrap().is_empty());
    assert_eq!(
        world.loaded(instance.id).await.status,
        Status::Completed { output: serde_json::json!("done").into(), at: world.at }
    );
}

#[tokio::test]
async fn an_unknown_effect_has_a_row_until_it_is_settled() {
    const PHASES: &str =
        "select count(*) from unsettled_effect where phase in ('settling', 'stuck')";
    let world = World::new().await;
    let instance = world.started("k").await;
    let key = Uuid::now_v7();
    let incident =
        Incident { fingerprint: "f".to_owned(), detail: "d".to_owned(), since: world.at };
    let mut instance = instance;
    for (phase, rows) in [
        (CallPhase::Settling { timer: TimerId(1) }, 1),
        (CallPhase::LookingUp { call: tenure_machine::CallId(2) }, 0),
        (CallPhase::Stuck { incident }, 1),
        (CallPhase::Delay { timer: TimerId(3) }, 0),
    ] {
        let looking = matches!(phase, CallPhase::LookingUp { .. });
        let mut next = moved(&instance, Status::Live, world.at);
        next.transition.instance.frames.clear();
        kit::call(&mut next, key, phase);
        instance = next.transition.instance.clone();
        assert_eq!(world.commit(next).await, Committed::Yes);
        assert_eq!(world.count(PHASES).await, rows);
        let all = rows + i64::from(looking);
        assert_eq!(world.count("select count(*) from unsettled_effect").await, all);
    }
}

#[tokio::test]
async fn instances_with_calls_out_are_found_by_their_next_owner() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for n in 0..4 {
        let instance = world.started(&format!("k{n}")).await;
        let mut next = moved(&instance, Status::Live, world.at);
        if n != 2 {
            kit::sent(&mut next);
            expected.push(instance.id);
        }
        assert_eq!(world.commit(next).await, Committed::Yes);
    }
    expected.sort();
    let first = world.store.calling(&all_buckets(), None, 2).await.unwrap();
    assert_eq!(first, expected[..2]);
    let rest = world.store.calling(&all_buckets(), first.last().copied(), 2).await.unwrap();
    assert_eq!(rest, expected[2..]);
}

/// A transition that writes one row into each dependent table.
fn full(world: &World, instance: &tenure_machine::Instance) -> tenure_store::port::Checkpoint {
    let mut next = moved(instance, Status::Live, world.at);
    kit::sleep(&mut next, TimerId(1), world.at);
    kit::listen(&mut next, WaitId(2));
    kit::call(&mut next, Uuid::now_v7(), CallPhase::LookingUp { call: tenure_machine::CallId(3) });
    next.transition.commands.push(kit::open(WaitId(2), Some("order.paid"), Some("[9]")));
    next.transition
        .commands
        .push(Command::CancelChild { child: instance.id, reason: "no".to_owned() });
    next
}
