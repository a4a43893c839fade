//! Who may write, and until when.

use tenure_machine::Status;
use tenure_store::Store as _;
use tenure_store::port::Committed;
use uuid::Uuid;

use crate::kit::{World, moved};

const TTL_MS: u64 = 60_000;

#[tokio::test]
async fn a_renewal_keeps_epoch_and_buckets() {
    let world = World::new().await;
    let renewed = world.store.lease(world.fence.node, TTL_MS, false).await.unwrap();
    assert_eq!(renewed.fence, world.fence);
    assert_eq!(renewed.buckets.len(), 1024);
}

#[tokio::test]
async fn a_living_lease_is_not_taken() {
    let world = World::new().await;
    let other = world.store.lease(Uuid::now_v7(), TTL_MS, true).await.unwrap();
    assert!(other.buckets.is_empty());
    let instance = world.started("k").await;
    assert_eq!(world.commit(moved(&instance, Status::Live, world.at)).await, Committed::Yes);
}

#[tokio::test]
async fn a_take_over_fences_the_old_owner() {
    let world = World::new().await;
    let instance = world.started("k").await;
    // The lease runs out: renewed for no time at all.
    world.store.lease(world.fence.node, 0, false).await.unwrap();
    let successor = world.store.lease(Uuid::now_v7(), TTL_MS, true).await.unwrap();
    assert_eq!(successor.buckets.len(), 1024);
    let next = moved(&instance, Status::Live, world.at);
    assert_eq!(world.commit(next.clone()).await, Committed::Fenced);
    // Even when the old owner learns its new epoch: the buckets are not its own.
    let again = world.store.lease(world.fence.node, TTL_MS, false).await.unwrap();
    assert!(again.fence.epoch > world.fence.epoch);
    assert!(again.buckets.is_empty());
    let answers = world.store.checkpoint(again.fence, std::slice::from_ref(&next)).await.unwrap();
    assert_eq!(answers, [Committed::Fenced]);
    let answers = world.store.checkpoint(successor.fence, &[next]).await.unwrap();
    assert_eq!(answers, [Committed::Yes]);
}

#[tokio::test]
async fn a_node_under_its_own_id_takes_its_buckets_at_once() {
    let world = World::new().await;
    let instance = world.started("k").await;
    let reborn = world.store.lease(world.fence.node, TTL_MS, true).await.unwrap();
    assert_eq!(reborn.fence.epoch, world.fence.epoch + 1);
    assert_eq!(reborn.buckets.len(), 1024);
    let next = moved(&instance, Status::Live, world.at);
    assert_eq!(world.commit(next.clone()).await, Committed::Fenced);
    let answers = world.store.checkpoint(reborn.fence, &[next]).await.unwrap();
    assert_eq!(answers, [Committed::Yes]);
}

#[tokio::test]
async fn a_release_hands_back_and_fences_the_releaser() {
    let world = World::new().await;
    let instance = world.started("k").await;
    world.store.release(world.fence).await.unwrap();
    world.store.release(world.fence).await.unwrap();
    let next = moved(&instance, Status::Live, world.at);
    assert_eq!(world.commit(next).await, Committed::Fenced);
    let other = world.store.lease(Uuid::now_v7(), TTL_MS, true).await.unwrap();
    assert_eq!(other.buckets.len(), 1024);
    // A late release of the old owner takes nothing from the new one.
    world.store.release(world.fence).await.unwrap();
    let renewed = world.store.lease(other.fence.node, TTL_MS, false).await.unwrap();
    assert_eq!(renewed, other);
}

#[tokio::test]
async fn a_crowd_of_takers_ends_with_one_owner_for_each_bucket() {
    let world = World::new().await;
    world.store.lease(world.fence.node, 0, false).await.unwrap();
    let takers: Vec<_> = (0..8)
        .map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move { store.lease(Uuid::now_v7(), TTL_MS, true).await.unwrap() })
        })
        .collect();
    let mut held = 0;
    for taker in takers {
        held += taker.await.unwrap().buckets.len();
    }
    assert_eq!(held, 1024);
}

#[tokio::test]
async fn a_sandbox_clock_moves_the_engine_and_not_the_leases() {
    let world = World::new().await;
    world.meddle("update sandbox_clock set offset_ms = 86400000").await;
    let moved = world.store.clock().await.unwrap();
    assert!(moved >= crate::kit::soon(world.at, 86_400));
    let other = world.store.lease(Uuid::now_v7(), TTL_MS, true).await.unwrap();
    assert!(other.buckets.is_empty(), "the lease did not run out");
}
