//! Events and waits: whoever comes first, they meet once.

use tenure_machine::{Command, Event, InstanceId, Status, WaitId};
use tenure_store::Store as _;
use tenure_store::port::{Committed, Mail};
use uuid::Uuid;

use crate::kit::{self, NAMESPACE, World, all_buckets, moved, paid, route};

/// The events delivered to an instance, as (wait, event id), in order.
async fn arrivals(world: &World, id: InstanceId) -> Vec<(i64, String)> {
    let mail = world.mail().await.into_iter().filter(|mail| mail.instance == id);
    mail.filter_map(|mail| {
        if let Event::EventArrived { wait, event } = mail.event {
            Some((wait.0, event.id))
        } else {
            None
        }
    })
    .collect()
}

#[tokio::test]
async fn an_event_after_the_wait_is_delivered_once() {
    let world = World::new().await;
    let (instance, wait) = world.waiting("k", "[1]").await;
    let (other, _) = world.waiting("other", "[2]").await;
    let receipt = world.store.receive(&paid("e1", "[1]"), world.at).await.unwrap();
    assert!(!receipt.duplicate);
    assert_eq!(receipt.delivered_to, [instance.id]);
    assert_eq!(world.store.match_waits(&[(instance.id, wait)], world.at).await.unwrap(), 0);
    assert_eq!(arrivals(&world, instance.id).await, [(1, "e1".to_owned())]);
    assert!(arrivals(&world, other.id).await.is_empty());
}

#[tokio::test]
async fn an_event_before_the_wait_is_delivered_once() {
    let world = World::new().await;
    let receipt = world.store.receive(&paid("e1", "[1]"), world.at).await.unwrap();
    assert!(receipt.delivered_to.is_empty());
    let (instance, wait) = world.waiting("k", "[1]").await;
    let opened = [(instance.id, wait)];
    assert_eq!(world.store.match_waits(&opened, world.at).await.unwrap(), 1);
    assert_eq!(world.store.match_waits(&opened, world.at).await.unwrap(), 0);
    assert_eq!(arrivals(&world, instance.id).await, [(1, "e1".to_owned())]);
    let (_, receipt) = world.store.fate(NAMESPACE, "/billing", "e1").await.unwrap().unwrap();
    assert_eq!(receipt.delivered_to, [instance.id]);
}

#[tokio::test]
async fn events_and_waits_that_race_meet_exactly_once() {
    let world = World::new().await;
    for round in 0..20 {
        let key = format!("k{round}");
        let instance = world.started(&key).await;
        let mut next = moved(&instance, Status::Live, world.at);
        kit::listen(&mut next, WaitId(1));
        next.transition.commands = vec![kit::open(WaitId(1), Some("order.paid"), Some(&key))];
        let (event, wait_store) = (paid(&key, &key), world.store.clone());
        let (fence, at, id) = (world.fence, world.at, instance.id);
        let waiting = tokio::spawn(async move {
            wait_store.checkpoint(fence, &[next]).await.unwrap();
            wait_store.match_waits(&[(id, WaitId(1))], at).await.unwrap();
        });
        world.store.receive(&event, world.at).await.unwrap();
        waiting.await.unwrap();
        assert_eq!(arrivals(&world, id).await, [(1, key)]);
    }
}

#[tokio::test]
async fn a_duplicate_event_counts_once_and_the_first_one_counts() {
    let world = World::new().await;
    let (instance, _) = world.waiting("k", "[1]").await;
    let first = paid("e1", "[1]");
    world.store.receive(&first, world.at).await.unwrap();
    let later = kit::soon(world.at, 60);
    let receipt = world.store.receive(&paid("e1", "[2]"), later).await.unwrap();
    assert!(receipt.duplicate);
    assert_eq!(receipt.received_at, world.at);
    assert_eq!(receipt.delivered_to, [instance.id]);
    assert_eq!(arrivals(&world, instance.id).await.len(), 1);
    let (kept, receipt) = world.store.fate(NAMESPACE, "/billing", "e1").await.unwrap().unwrap();
    assert_eq!(kept, first.event);
    assert!(!receipt.duplicate);
    // The same id of another sender or namespace is another event.
    let mut other = paid("e1", "[1]");
    other.event.source = "/elsewhere".to_owned();
    assert!(!world.store.receive(&other, world.at).await.unwrap().duplicate);
    assert!(world.store.fate("elsewhere", "/billing", "e1").await.unwrap().is_none());
}

#[tokio::test]
async fn open_ends_of_a_wait_fit_any_type_and_any_value() {
    let world = World::new().await;
    for (key, event_type, value) in [
        ("any type", None, Some("[1]")),
        ("any value", Some("order.paid"), None),
        ("anything", None, None),
    ] {
        for event_first in [true, false] {
            let value_of_event = "[1]";
            let id = format!("{key} {event_first}");
            let instance = world.started(&id).await;
            let mut next = moved(&instance, Status::Live, world.at);
            kit::listen(&mut next, WaitId(1));
            next.transition.commands = vec![kit::open(WaitId(1), event_type, value)];
            if event_first {
                world.store.receive(&paid(&id, value_of_event), world.at).await.unwrap();
            }
            let next_instance = next.transition.instance.clone();
            assert_eq!(world.commit(next).await, Committed::Yes);
            world.store.match_waits(&[(instance.id, WaitId(1))], world.at).await.unwrap();
            if !event_first {
                world.store.receive(&paid(&id, value_of_event), world.at).await.unwrap();
            }
            assert_eq!(arrivals(&world, instance.id).await, [(1, id.clone())], "{id}");
            world.commit(kit::ended(&next_instance, world.at)).await;
            // The next round must not meet this round's event again.
            world.meddle("update delivery set state = 'consumed'").await;
        }
    }
}

#[tokio::test]
async fn mail_stays_until_a_checkpoint_consumes_it() {
    let world = World::new().await;
    let (instance, _) = world.waiting("k", "[1]").await;
    world.store.receive(&paid("e1", "[1]"), world.at).await.unwrap();
    let mail = world.mail_of(instance.id).await;
    assert_eq!(mail.len(), 1);
    assert!(world.store.mail(&all_buckets(), &mail, 10).await.unwrap().is_empty(), "known");
    assert!(world.store.mail(&[], &[], 10).await.unwrap().is_empty(), "not our bucket");
    // A refused checkpoint consumes nothing.
    let mut stale = moved(&instance, Status::Live, world.at);
    stale.transition.instance.revision += 5;
    stale.consumed.clone_from(&mail);
    assert_eq!(world.commit(stale).await, Committed::Fenced);
    assert_eq!(world.mail_of(instance.id).await, mail);
    let kept = world.store.consumed_by_route(NAMESPACE, "order.paid", &route("[1]")).await.unwrap();
    assert!(kept.is_none(), "delivered is not consumed");
    let mut next = moved(&instance, Status::Live, world.at);
    next.consumed = mail;
    assert_eq!(world.commit(next).await, Committed::Yes);
    assert!(world.mail().await.is_empty());
    let (event, receipt) = world
        .store
        .consumed_by_route(NAMESPACE, "order.paid", &route("[1]"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(event.id, "e1");
    assert_eq!(receipt.delivered_to, [instance.id]);
}

#[tokio::test]
async fn a_consumed_event_is_not_delivered_to_a_later_wait() {
    let world = World::new().await;
    let (instance, _) = world.waiting("k", "[1]").await;
    world.store.receive(&paid("e1", "[1]"), world.at).await.unwrap();
    let mut next = moved(&instance, Status::Live, world.at);
    next.consumed = world.mail_of(instance.id).await;
    next.transition.instance.frames.clear();
    kit::listen(&mut next, WaitId(2));
    next.transition.commands = vec![
        Command::CloseWait { wait: WaitId(1) },
        kit::open(WaitId(2), Some("order.paid"), Some("[1]")),
    ];
    assert_eq!(world.commit(next).await, Committed::Yes);
    assert_eq!(world.store.match_waits(&[(instance.id, WaitId(2))], world.at).await.unwrap(), 0);
    world.store.receive(&paid("e2", "[1]"), world.at).await.unwrap();
    assert_eq!(arrivals(&world, instance.id).await, [(2, "e2".to_owned())]);
}

#[tokio::test]
async fn a_refused_event_finds_another_wait_and_never_the_same() {
    let world = World::new().await;
    let (first, wait) = world.waiting("first", "[1]").await;
    world.store.receive(&paid("e1", "[1]"), world.at).await.unwrap();
    // Opened while the event lies in the first one's box: it is not free.
    let (second, second_wait) = world.waiting("second", "[1]").await;
    let opened = [(second.id, second_wait)];
    assert_eq!(world.store.match_waits(&opened, world.at).await.unwrap(), 0);
    world.store.refuse_mail(&world.mail_of(first.id).await).await.unwrap();
    assert!(arrivals(&world, first.id).await.is_empty());
    assert_eq!(arrivals(&world, second.id).await, [(1, "e1".to_owned())]);
    world.store.refuse_mail(&world.mail_of(second.id).await).await.unwrap();
    world.store.match_waits(&[(first.id, wait), opened[0]], world.at).await.unwrap();
    assert!(world.mail().await.is_empty());
    let (third, wait) = world.waiting("third", "[1]").await;
    assert_eq!(world.store.match_waits(&[(third.id, wait)], world.at).await.unwrap(), 1);
}

#[tokio::test]
async fn an_event_left_by_an_ended_instance_is_free_again() {
    let world = World::new().await;
    let (first, _) = world.waiting("first", "[1]").await;
    world.store.receive(&paid("e1", "[1]"), world.at).await.unwrap();
    assert_eq!(world.commit(kit::ended(&first, world.at)).await, Committed::Yes);
    assert!(world.mail().await.is_empty());
    let (second, wait) = world.waiting("second", "[1]").await;
    assert_eq!(world.store.match_waits(&[(second.id, wait)], world.at).await.unwrap(), 1);
    assert_eq!(arrivals(&world, second.id).await, [(1, "e1".to_owned())]);
}

#[tokio::test]
async fn a_meeting_cut_in_half_by_a_crash_is_repaired_by_the_sweep() {
    let world = World::new().await;
    // The wait committed and the node died before it looked for kept events.
    world.store.receive(&paid("e1", "[1]"), world.at).await.unwrap();
    let (waiting, _) = world.waiting("a", "[1]").await;
    // The event committed and the node died before it looked for waits.
    let (expecting, _) = world.waiting("b", "[2]").await;
    world.store.receive(&paid("e2", "[2]"), world.at).await.unwrap();
    world.meddle("delete from mail; delete from delivery; update event set matched = false").await;
    world.meddle("update wait set matched = true where value = '[2]'").await;
    assert_eq!(world.store.sweep(&all_buckets(), world.at, 100).await.unwrap(), 2);
    assert_eq!(world.store.sweep(&all_buckets(), world.at, 100).await.unwrap(), 0);
    assert_eq!(arrivals(&world, waiting.id).await, [(1, "e1".to_owned())]);
    assert_eq!(arrivals(&world, expecting.id).await, [(1, "e2".to_owned())]);
    assert_eq!(world.count("select count(*) from event where not matched").await, 0);
    assert_eq!(world.count("select count(*) from wait where not matched").await, 0);
}

#[tokio::test]
async fn kept_events_arrive_in_the_order_they_were_received() {
    let world = World::new().await;
    for (n, id) in (0_i64..).zip(["c", "a", "b"]) {
        world.store.receive(&paid(id, "[1]"), kit::soon(world.at, n)).await.unwrap();
    }
    let (instance, wait) = world.waiting("k", "[1]").await;
    assert_eq!(world.store.match_waits(&[(instance.id, wait)], world.at).await.unwrap(), 3);
    let ids: Vec<String> = arrivals(&world, instance.id).await.into_iter().map(|a| a.1).collect();
    assert_eq!(ids, ["c", "a", "b"]);
}

#[tokio::test]
async fn a_strict_sender_learns_whether_somebody_waits() {
    let world = World::new().await;
    world.waiting("k", "[1]").await;
    for (namespace, kind, value, expected) in [
        (NAMESPACE, "order.paid", "[1]", true),
        (NAMESPACE, "order.paid", "[2]", false),
        (NAMESPACE, "order.shipped", "[1]", false),
        ("elsewhere", "order.paid", "[1]", false),
    ] {
        let awaited = world.store.awaited(namespace, kind, &[route(value)]).await.unwrap();
        assert_eq!(awaited, expected, "{namespace} {kind} {value}");
    }
}

#[tokio::test]
async fn posted_mail_repeats_harmlessly_and_the_ended_get_none() {
    let world = World::new().await;
    let live = world.started("live").await;
    let over = world.started("over").await;
    assert_eq!(world.commit(kit::ended(&over, world.at)).await, Committed::Yes);
    let unborn = kit::pending("unborn", world.at).instance.id;
    let letter = |instance| Mail {
        id: Uuid::new_v5(&Uuid::NAMESPACE_URL, b"cancel"),
        instance,
        event: Event::CancelRequested { reason: "r".to_owned() },
    };
    let letters = [letter(live.id), letter(over.id), letter(unborn)];
    world.store.post(&letters, world.at).await.unwrap();
    world.store.post(&letters, world.at).await.unwrap();
    assert_eq!(world.mail_of(live.id).await.len(), 2, "its start and the letter");
    assert!(world.mail_of(over.id).await.is_empty());
    assert_eq!(world.mail_of(unborn).await.len(), 1);
}
