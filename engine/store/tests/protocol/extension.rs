//! Lines before locks, claims of business keys, attributes.

use std::collections::BTreeMap;

use serde_json::json;
use tenure_machine::instance::Activity;
use tenure_machine::{Command, Event, InstanceId, LockId, Status};
use tenure_store::Store as _;
use tenure_store::port::{Committed, LockPlace, Started};

use crate::kit::{self, World, ended, moved, pending};

fn place(instance: InstanceId, lock: i64) -> LockPlace {
    LockPlace { name: "test/L".to_owned(), instance, lock: LockId(lock) }
}

/// Who was told that a lock is theirs, in order of the instances given.
async fn granted(world: &World, of: &[InstanceId]) -> Vec<usize> {
    let mail = world.mail().await;
    let told = |id: &InstanceId| {
        mail.iter().any(|m| m.instance == *id && matches!(m.event, Event::LockGranted { .. }))
    };
    (0..of.len()).filter(|index| told(&of[*index])).collect()
}

#[tokio::test]
async fn a_lock_has_one_holder_and_its_line_is_in_order() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (number, key) in (0_i64..).zip(["a", "b", "c"]) {
        let id = world.started(key).await.id;
        let at = kit::soon(world.at, number);
        world.store.acquire_lock(&place(id, 1), at).await.unwrap();
        world.store.acquire_lock(&place(id, 1), kit::soon(at, 60)).await.unwrap();
        ids.push(id);
    }
    assert_eq!(granted(&world, &ids).await, [0], "repeating keeps the place and grants nothing");
    // The second one gives up while it waits.
    world.store.release_lock(&place(ids[1], 1), world.at).await.unwrap();
    assert_eq!(granted(&world, &ids).await, [0]);
    world.store.release_lock(&place(ids[0], 1), world.at).await.unwrap();
    world.store.release_lock(&place(ids[0], 1), world.at).await.unwrap();
    assert_eq!(granted(&world, &ids).await, [0, 2]);
    assert_eq!(world.count("select count(*) from lock_line").await, 1);
}

#[tokio::test]
async fn one_of_many_that_come_at_once_gets_the_lock() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for key in 0..12 {
        ids.push(world.started(&format!("k{key}")).await.id);
    }
    let asked = ids.iter().map(|id| {
        let (store, place, at) = (world.store.clone(), place(*id, 1), world.at);
        tokio::spawn(async move { store.acquire_lock(&place, at).await })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await.unwrap().unwrap();
    }
    for left in (1..=ids.len()).rev() {
        let held = world.count("select count(*) from lock_line where held").await;
        assert_eq!(held, 1, "{left} in line");
        let holders = granted(&world, &ids).await;
        assert_eq!(holders.len(), ids.len() - left + 1);
        let holder = world.count("select lock from lock_line where held").await;
        assert_eq!(holder, 1);
        for index in holders {
            world.store.release_lock(&place(ids[index], 1), world.at).await.unwrap();
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
        assert_eq!(world.commit(next).await, Committed::Yes);
        world.store.acquire_lock(&place(instance.id, 1), world.at).await.unwrap();
        ids.push(instance.id);
    }
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
    let dead = world.started("dead").await;
    assert_eq!(world.commit(ended(&dead, world.at)).await, Committed::Yes);
    world.store.acquire_lock(&place(dead.id, 1), world.at).await.unwrap();
    assert!(world.mail_of(dead.id).await.is_empty());
    let next = world.started("next").await.id;
    world.store.acquire_lock(&place(next, 1), world.at).await.unwrap();
    world.store.release_lock(&place(dead.id, 1), world.at).await.unwrap();
    assert_eq!(granted(&world, &[next]).await, [0]);
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
