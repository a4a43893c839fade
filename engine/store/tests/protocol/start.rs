//! One key, one instance.

use std::collections::BTreeSet;

use tenure_machine::{Event, InstanceId, Status};
use tenure_store::port::{Registered, Started, StoredDefinition};
use tenure_store::{Error, Store as _};

use crate::kit::{World, child_of, moved, pending};

#[tokio::test]
async fn a_start_key_decides_once_under_concurrency() {
    let world = World::new().await;
    let starts: Vec<_> = (0..24)
        .map(|_| {
            let (store, new, at) = (world.store.clone(), pending("k", world.at), world.at);
            tokio::spawn(async move { (new.instance.id, store.start(&new, at).await.unwrap()) })
        })
        .collect();
    let mut created = Vec::new();
    let mut answered = BTreeSet::new();
    for start in starts {
        match start.await.unwrap() {
            (id, Started::New) => {
                created.push(id);
                answered.insert(id);
            }
            (_, Started::Existing(id)) => {
                answered.insert(id);
            }
            (_, Started::KeyReused(id) | Started::BusinessKeyTaken(id)) => {
                panic!("{id} was started with an equal request")
            }
        }
    }
    assert_eq!(created.len(), 1);
    assert_eq!(answered.len(), 1);
    assert_eq!(world.count("select count(*) from instance").await, 1);
    assert_eq!(world.count("select count(*) from instance_state").await, 1);
    let mail = world.mail().await;
    assert_eq!(mail.len(), 1);
    assert_eq!((mail[0].instance, &mail[0].event), (created[0], &Event::Started));
}

#[tokio::test]
async fn a_key_with_another_request_is_refused() {
    let world = World::new().await;
    let first = world.started("k").await;
    let mut other = pending("k", world.at);
    other.fingerprint = "f2".to_owned();
    assert_eq!(world.store.start(&other, world.at).await.unwrap(), Started::KeyReused(first.id));
    // The same key of another definition is another key.
    other.instance.identity.definition = "refund".to_owned();
    assert_eq!(world.store.start(&other, world.at).await.unwrap(), Started::New);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_new_until_it_moves() {
    let world = World::new().await;
    let new = pending("k", world.at);
    assert_eq!(world.store.start(&new, world.at).await.unwrap(), Started::New);
    assert_eq!(world.store.start(&new, world.at).await.unwrap(), Started::New);
    assert_eq!(world.mail().await.len(), 1);
    assert_eq!(world.loaded(new.instance.id).await, new.instance);
    world.commit(moved(&new.instance, Status::Live, world.at)).await;
    let id = new.instance.id;
    assert_eq!(world.store.start(&new, world.at).await.unwrap(), Started::Existing(id));
}

#[tokio::test]
async fn a_key_that_cannot_be_stored_is_said_to_be_so() {
    let world = World::new().await;
    let error = world.store.start(&pending("a\u{0}b", world.at), world.at).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { verb: "start", .. }), "{error:?}");
}

#[tokio::test]
async fn children_and_pages_are_listed() {
    let world = World::new().await;
    let parent = world.started("parent").await;
    let mut ids = vec![parent.id];
    for n in 0..5 {
        let mut child = child_of(parent.id, &format!("child {n}"), world.at);
        let later = crate::kit::soon(world.at, n);
        child.instance.id = InstanceId::new(child.instance.id.bucket(), later, [7; 8]);
        world.store.start(&child, world.at).await.unwrap();
        assert_eq!(world.loaded(child.instance.id).await, child.instance);
        ids.push(child.instance.id);
    }
    let mut children = ids[1..].to_vec();
    children.sort();
    assert_eq!(world.store.children(parent.id).await.unwrap(), children);
    ids.sort();
    ids.reverse();
    let page = |before| {
        let store = world.store.clone();
        async move {
            let page = store.list(crate::kit::NAMESPACE, before, 4).await.unwrap();
            page.into_iter().map(|stored| stored.instance.id).collect::<Vec<_>>()
        }
    };
    let first = page(None).await;
    assert_eq!(first, ids[..4]);
    assert_eq!(page(first.last().copied()).await, ids[4..]);
    assert!(world.store.list("elsewhere", None, 4).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_version_is_registered_once() {
    let world = World::new().await;
    let mut definition = StoredDefinition {
        namespace: "shop".to_owned(),
        name: "purchase".to_owned(),
        version: "1.0.0".to_owned(),
        digest: "d1".to_owned(),
        source: "document: {}".to_owned(),
        created_at: world.at,
    };
    assert_eq!(world.store.register(&definition).await.unwrap(), Registered::New);
    assert_eq!(world.store.register(&definition).await.unwrap(), Registered::Same);
    definition.digest = "d2".to_owned();
    let conflict = Registered::Conflict { digest: "d1".to_owned() };
    assert_eq!(world.store.register(&definition).await.unwrap(), conflict);
    let stored = world.store.definitions().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].digest.as_str(), stored[0].source.as_str()), ("d1", "document: {}"));
}
