//! Lines before locks, claims of business keys, attributes.

use std::collections::BTreeMap;

use serde_json::json;
use tenure_machine::bucket::Bucket;
use tenure_machine::instance::Activity;
use tenure_machine::{Command, Event, Instance, InstanceId, LockId, Status};
use tenure_store::Store as _;
use tenure_store::port::{Committed, LockPlace, Started};
use uuid::Uuid;

use crate::kit::{self, World, ended, moved, pending};

const LOCK: &str = "test/L";

fn place(instance: InstanceId) -> LockPlace {
    LockPlace { name: LOCK.to_owned(), instance, lock: LockId(1) }
}

/// The instance has asked for the lock: its command is on the way, under this ordinal.
async fn asked(world: &World, instance: &Instance) -> (Instance, i64) {
    let mut next = moved(instance, Status::Live, world.at);
    next.transition.commands =
        vec![Command::AcquireLock { lock: LockId(1), name: LOCK.to_owned() }];
    let instance = next.transition.instance.clone();
    assert_eq!(world.commit(next).await, Committed::Yes);
    let rows = world.store.outbox(&kit::all_buckets(), 1_000).await.unwrap();
    let row = rows.into_iter().rfind(|row| row.instance == instance.id).unwrap();
    (instance, row.ordinal)
}

/// A fresh instance stands in line, and its command is still there.
async fn in_line(world: &World, key: &str, seconds: i64) -> (Instance, i64) {
    let (instance, ordinal) = asked(world, &world.started(key).await).await;
    let at = kit::soon(world.at, seconds);
    world.store.acquire_lock(&place(instance.id), ordinal, at).await.unwrap();
    (instance, ordinal)
}

/// The instance ends, with the command that lets its lock go.
async fn dies(world: &World, instance: &Instance) {
    let mut end = ended(instance, world.at);
    end.transition.commands = vec![Command::ReleaseLock { lock: LockId(1), name: LOCK.to_owned() }];
    assert_eq!(world.commit(end).await, Committed::Yes);
}

/// Who was told that a lock is theirs, in order of the instances given.
async fn granted(world: &World, of: &[InstanceId]) -> Vec<usize> {
    let mail = world.mail().await;
    let told = |id: &InstanceId| {
        mail.iter().any(|m| m.instance == *id && matches!(m.event, Event::LockGranted { .. }))
    };
    of.iter().enumerate().filter(|(_, id)| told(id)).map(|(index, _)| index).collect()
}

#[tokio::test]
async fn a_lock_has_one_holder_and_its_line_is_in_order() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (number, key) in (0_i64..).zip(["a", "b", "c"]) {
        let (Instance { id, .. }, ordinal) = in_line(&world, key, number).await;
        let later = kit::soon(world.at, number + 60);
        world.store.acquire_lock(&place(id), ordinal, later).await.unwrap();
        ids.push(id);
    }
    assert_eq!(granted(&world, &ids).await, [0], "repeating keeps the place and grants nothing");
    // The second one gives up while it waits.
    world.store.release_lock(&place(ids[1]), world.at).await.unwrap();
    assert_eq!(granted(&world, &ids).await, [0]);
    world.store.release_lock(&place(ids[0]), world.at).await.unwrap();
    world.store.release_lock(&place(ids[0]), world.at).await.unwrap();
    assert_eq!(granted(&world, &ids).await, [0, 2]);
    assert_eq!(world.count("select count(*) from lock_line").await, 1);
}

#[tokio::test]
async fn one_of_many_that_come_at_once_gets_the_lock() {
    let world = World::new().await;
    let (mut ids, mut asking) = (Vec::new(), Vec::new());
    for key in 0..12 {
        let (instance, ordinal) = asked(&world, &world.started(&format!("k{key}")).await).await;
        asking.push((instance.id, ordinal));
        ids.push(instance.id);
    }
    let entered = asking.into_iter().map(|(id, ordinal)| {
        let (store, place, at) = (world.store.clone(), place(id), world.at);
        tokio::spawn(async move { store.acquire_lock(&place, ordinal, at).await })
    });
    for entered in entered.collect::<Vec<_>>() {
        entered.await.unwrap().unwrap();
    }
    for left in (1..=ids.len()).rev() {
        let held = world.count("select count(*) from lock_line where held").await;
        assert_eq!(held, 1, "{left} in line");
        let holders = granted(&world, &ids).await;
        assert_eq!(holders.len(), ids.len() - left + 1);
        let holder = world.count("select lock from lock_line where held").await;
        assert_eq!(holder, 1);
        for index in holders {
            world.store.release_lock(&place(ids[index]), world.at).await.unwrap();
        }
    }
    assert_eq!(world.count("select count(*) from lock_line").await, 0);
}

#[tokio::test]
async fn who_stands_in_line_lives_by_the_holder_only() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for key in ["holder", "next"] {
        let instance = world.started(key).await;
        let mut next = moved(&instance, Status::Live, world.at);
        kit::push(&mut next, Activity::Locking);
        next.consumed = world.mail_of(instance.id).await;
        let instance = next.transition.instance.clone();
        assert_eq!(world.commit(next).await, Committed::Yes);
        let (_, ordinal) = asked(&world, &instance).await;
        world.store.acquire_lock(&place(instance.id), ordinal, world.at).await.unwrap();
        ids.push(instance.id);
    }
    world.settle_all().await;
    assert_eq!(world.store.doctor().await.unwrap(), [], "one has mail, one stands behind it");
    world.meddle("delete from mail; delete from lock_line where held").await;
    let mut stuck: Vec<_> =
        world.store.doctor().await.unwrap().into_iter().map(|orphan| orphan.instance).collect();
    stuck.sort();
    ids.sort();
    assert_eq!(stuck, ids, "nobody will ever pass the lock on");
}

#[tokio::test]
async fn a_lock_is_not_granted_to_the_dead() {
    let world = World::new().await;
    let (holder, _) = in_line(&world, "holder", 0).await;
    let (dead, ordinal) = in_line(&world, "dead", 1).await;
    let (next, _) = in_line(&world, "next", 2).await;
    dies(&world, &dead).await;
    world.store.release_lock(&place(holder.id), world.at).await.unwrap();
    assert!(world.mail_of(dead.id).await.is_empty());
    world.store.release_lock(&place(dead.id), world.at).await.unwrap();
    assert_eq!(granted(&world, &[next.id]).await, [0]);
    world.store.acquire_lock(&place(dead.id), ordinal, world.at).await.unwrap();
    assert_eq!(world.count("select count(*) from lock_line").await, 1, "the dead ask for nothing");
}

#[tokio::test]
async fn a_zombie_gave_a_lock_to_a_finished_instance_for_ever() {
    for ends in [true, false] {
        let world = World::new().await;
        let (first, ordinal) = in_line(&world, "first", 0).await;
        assert_eq!(granted(&world, &[first.id]).await, [0]);
        if ends {
            dies(&world, &first).await;
        }
        world.settle_all().await;
        world.store.release_lock(&place(first.id), world.at).await.unwrap();
        // A node that lost its buckets and does not know it carries the old command once more.
        world.store.acquire_lock(&place(first.id), ordinal, world.at).await.unwrap();
        assert_eq!(world.count("select count(*) from lock_line").await, 0);
        let (next, _) = in_line(&world, "next", 1).await;
        assert_eq!(granted(&world, &[next.id]).await, [0]);
    }
}

#[tokio::test]
async fn a_line_is_cleared_of_those_who_ended_and_have_nothing_left_to_send() {
    let world = World::new().await;
    let (holder, _) = in_line(&world, "holder", 0).await;
    let (gone, _) = in_line(&world, "gone", 1).await;
    let (next, _) = in_line(&world, "next", 2).await;
    dies(&world, &holder).await;
    dies(&world, &gone).await;
    in_line(&world, "last", 3).await;
    assert!(granted(&world, &[next.id]).await.is_empty(), "the holder's release is on its way");
    // The releases were lost.
    world.settle_all().await;
    world.meddle("delete from mail").await;
    let stuck: Vec<_> =
        world.store.doctor().await.unwrap().into_iter().map(|orphan| orphan.instance).collect();
    assert!(stuck.contains(&next.id), "a dead holder is no reason to live: {stuck:?}");
    let (another, _) = in_line(&world, "another", 4).await;
    assert_eq!(granted(&world, &[next.id, another.id]).await, [0]);
    assert_eq!(world.count("select count(*) from lock_line").await, 3);
}

#[tokio::test]
async fn a_claimed_business_key_has_one_live_instance() {
    let world = World::new().await;
    let claim = |key: &str, start_key: &str| {
        let mut new = pending(key, world.at);
        new.instance.identity.start_key = start_key.to_owned();
        new.claims_key = true;
        new
    };
    let first = claim("S-1", "k1");
    assert_eq!(world.store.start(&first, world.at).await.unwrap(), Started::New);
    let second = claim("S-1", "k2");
    let taken = Started::BusinessKeyTaken(first.instance.id);
    assert_eq!(world.store.start(&second, world.at).await.unwrap(), taken);
    assert_eq!(world.store.start(&first, world.at).await.unwrap(), Started::New, "a lost answer");
    let again = claim("S-1", "k1");
    let existing = Started::Existing(first.instance.id);
    assert_eq!(world.store.start(&again, world.at).await.unwrap(), existing, "the key decides");
    assert_eq!(world.store.start(&claim("S-2", "k3"), world.at).await.unwrap(), Started::New);

    let over = ended(&first.instance, world.at);
    assert_eq!(world.commit(over).await, Committed::Yes);
    assert_eq!(world.store.start(&second, world.at).await.unwrap(), Started::New);
    // A claim of an instance that was never born is void.
    world
        .meddle(
            "update business_key_claim set instance_id = '00000000-0000-7000-8000-000000000000'",
        )
        .await;
    assert_eq!(world.store.start(&claim("S-1", "k4"), world.at).await.unwrap(), Started::New);
}

#[tokio::test]
async fn a_child_and_a_start_from_outside_did_not_meet_at_their_business_key() {
    let world = World::new().await;
    let parent = world.started("parent").await;
    let claim = |key: &str, start_key: &str, of: Option<&Instance>| {
        let mut new = pending(key, world.at);
        if let Some(parent) = of {
            // A child lives where its parent does, whatever its key.
            new = kit::child_of(parent.id, key, world.at);
            let entropy = Uuid::now_v7().as_u64_pair().1.to_be_bytes();
            new.instance.id = InstanceId::new(parent.id.bucket(), world.at, entropy);
            assert_ne!(Bucket::of(kit::NAMESPACE, key), parent.id.bucket());
        }
        new.instance.identity.start_key = start_key.to_owned();
        new.claims_key = true;
        new
    };
    for (key, sides) in [("S-1", [Some(&parent), None]), ("S-2", [None, Some(&parent)])] {
        let first = claim(key, &format!("{key}/1"), sides[0]);
        let second = claim(key, &format!("{key}/2"), sides[1]);
        assert_eq!(world.store.start(&first, world.at).await.unwrap(), Started::New);
        let taken = Started::BusinessKeyTaken(first.instance.id);
        assert_eq!(world.store.start(&second, world.at).await.unwrap(), taken, "{key}");
        assert_eq!(world.commit(ended(&first.instance, world.at)).await, Committed::Yes);
        assert_eq!(world.store.start(&second, world.at).await.unwrap(), Started::New, "{key}");
    }
}

#[tokio::test]
async fn a_mail_is_posted_until_it_is_consumed() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let consumed = world.mail_of(instance.id).await;
    assert!(world.store.posted(instance.id, consumed[0]).await.unwrap());
    assert!(!world.store.posted(instance.id, Uuid::nil()).await.unwrap());
    let mut next = moved(&instance, Status::Live, world.at);
    next.consumed.clone_from(&consumed);
    assert_eq!(world.commit(next).await, Committed::Yes);
    assert!(!world.store.posted(instance.id, consumed[0]).await.unwrap());
}

#[tokio::test]
async fn one_of_many_starts_gets_the_business_key() {
    let world = World::new().await;
    let starts = (0..12).map(|number| {
        let mut new = pending("S-1", world.at);
        new.instance.identity.start_key = format!("k{number}");
        new.claims_key = true;
        let (store, at) = (world.store.clone(), world.at);
        tokio::spawn(async move { store.start(&new, at).await })
    });
    let mut created = 0;
    for start in starts.collect::<Vec<_>>() {
        match start.await.unwrap().unwrap() {
            Started::New => created += 1,
            Started::BusinessKeyTaken(_) => {}
            other @ (Started::Existing(_) | Started::KeyReused(_)) => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 1);
    assert_eq!(world.count("select count(*) from instance").await, 1);
}

#[tokio::test]
async fn instances_are_found_by_their_attributes_as_they_are_now() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let set = |pairs: &[(&str, serde_json::Value)]| Command::SetAttributes {
        attributes: pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>(),
    };
    let find = async |name: &str, value: &str| {
        let found = world.store.find(kit::NAMESPACE, (name, value), None, 10).await.unwrap();
        found.into_iter().map(|stored| stored.instance.id).collect::<Vec<_>>()
    };
    let mut next = moved(&instance, Status::Live, world.at);
    next.transition.commands = vec![set(&[("customer", json!("C-1")), ("seats", json!(3))])];
    let instance = next.transition.instance.clone();
    assert_eq!(world.commit(next).await, Committed::Yes);
    assert_eq!(find("customer", "C-1").await, [instance.id]);
    assert_eq!(find("seats", "3").await, [instance.id]);
    let mut next = moved(&instance, Status::Live, world.at);
    next.transition.commands = vec![set(&[("customer", json!("C-2"))])];
    assert_eq!(world.commit(next).await, Committed::Yes);
    assert_eq!(find("customer", "C-1").await, []);
    assert_eq!(find("customer", "C-2").await, [instance.id]);
    assert_eq!(find("seats", "3").await, []);
}
