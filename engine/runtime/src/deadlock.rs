//! Instances that wait for each other's locks: found by a look at the lines, and ended by refusing the
//! lock of the youngest.
//!
//! A circle that is seen twice, in two scans, stands still: whoever is in it waits for a lock whose holder
//! cannot let it go before another one of the circle is granted. (Seen once, it may be a lock that
//! was granted a moment ago.) A lock that another branch of a competing fork may end counts for
//! nothing here, so nobody is refused who would have gone on.

use std::collections::{BTreeMap, BTreeSet};

use tenure_machine::{Event, InstanceId, LockId, awaited_locks};
use tenure_store::port::{Mail, WaitingLock};
use uuid::Uuid;

use crate::engine::Error;
use crate::ground::Ground;

/// Places in lines that one scan looks at.
const PLACES_MAX: i64 = 10_000;
/// Instances read at once.
const PAGE_MAX: usize = 256;
/// Longest circle that is told by name; of a longer one the beginning is.
const TOLD_MAX: usize = 8;

/// A lock of an instance.
type Place = (InstanceId, LockId);

/// What the last scan suspected.
#[derive(Debug, Default)]
pub(crate) struct Suspects(BTreeSet<Vec<Place>>);

/// Looks once; circles that were seen before are ended.
pub(crate) async fn look(ground: &Ground, suspects: &mut Suspects) -> Result<(), Error> {
    let waiting = ground.store.waiting_locks(PLACES_MAX).await?;
    if waiting.len() < 2 {
        suspects.0.clear();
        return Ok(());
    }
    let held = held(ground, &waiting).await?;
    let circles = circles(&waiting, &held);
    let mut seen = BTreeSet::new();
    for circle in circles {
        let places: Vec<Place> = circle.iter().map(|lock| (lock.instance, lock.lock)).collect();
        let mut name = places.clone();
        name.sort_unstable();
        if suspects.0.contains(&name) {
            refuse(ground, &circle).await?;
        }
        seen.insert(name);
    }
    suspects.0 = seen;
    Ok(())
}

/// What each place in a line keeps from being let go.
async fn held(
    ground: &Ground,
    waiting: &[WaitingLock],
) -> Result<BTreeMap<Place, BTreeSet<Place>>, Error> {
    let ids: BTreeSet<InstanceId> = waiting.iter().map(|lock| lock.instance).collect();
    let ids: Vec<InstanceId> = ids.into_iter().collect();
    let mut held = BTreeMap::new();
    for page in ids.chunks(PAGE_MAX) {
        for stored in ground.store.load(page).await? {
            let instance = stored.instance;
            let Some(plan) = ground.plans.pinned(&instance.identity.digest).await? else {
                continue;
            };
            for awaited in awaited_locks(&plan, &instance) {
                let locks = awaited.held.iter().map(|held| (held.instance, held.lock)).collect();
                held.insert((instance.id, awaited.lock), locks);
            }
        }
    }
    Ok(held)
}

/// Circles of places where each waits for a lock that the next one keeps.
fn circles<'a>(
    waiting: &'a [WaitingLock],
    held: &BTreeMap<Place, BTreeSet<Place>>,
) -> Vec<Vec<&'a WaitingLock>> {
    let keeps = |lock: &WaitingLock, wanted: &Place| {
        held.get(&(lock.instance, lock.lock)).is_some_and(|locks| locks.contains(wanted))
    };
    let mut next: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, lock) in waiting.iter().enumerate() {
        let wanted = (lock.holder, lock.holder_lock);
        let keepers = waiting.iter().enumerate().filter(|(_, other)| keeps(other, &wanted));
        next.insert(at, keepers.map(|(to, _)| to).collect());
    }
    let mut found = Vec::new();
    loop {
        // Whoever waits for nobody of those that are left is in no circle.
        loop {
            let left: BTreeSet<usize> = next.keys().copied().collect();
            let before = left.len();
            next.retain(|_, to| {
                to.retain(|one| left.contains(one));
                !to.is_empty()
            });
            if next.len() == before {
                break;
            }
        }
        let Some(start) = next.keys().next().copied() else { return found };
        let mut path = vec![start];
        let circle = loop {
            let here = path.last().copied().unwrap_or(start);
            let Some(to) = next.get(&here).and_then(|to| to.first()).copied() else { break None };
            if let Some(begin) = path.iter().position(|one| *one == to) {
                break Some(path.split_off(begin));
            }
            path.push(to);
        };
        let Some(circle) = circle else { return found };
        for one in &circle {
            next.remove(one);
        }
        found.push(circle.into_iter().filter_map(|one| waiting.get(one)).collect());
    }
}

/// The youngest of a circle does not get its lock.
async fn refuse(ground: &Ground, circle: &[&WaitingLock]) -> Result<(), Error> {
    let Some(victim) = circle.iter().max_by_key(|lock| (lock.instance, lock.lock)) else {
        return Ok(());
    };
    if !ground.hold().is_some_and(|hold| hold.owns(victim.instance)) {
        return Ok(());
    }
    let detail = told(circle);
    tracing::warn!(instance = %victim.instance, lock = victim.name, detail, "a deadlock was found");
    let id = Uuid::new_v5(&victim.instance.0, format!("deadlock:{}", victim.lock.0).as_bytes());
    let event = Event::LockRefused { lock: victim.lock, detail };
    let mail = Mail { id, instance: victim.instance, event };
    ground.store.post(&[mail], ground.clock.now()).await?;
    ground.bells.mail.notify_one();
    Ok(())
}

/// The circle in words.
fn told(circle: &[&WaitingLock]) -> String {
    let line = |lock: &&WaitingLock| {
        format!("{} waits for {}, held by {}", lock.instance, lock.name, lock.holder)
    };
    let mut lines: Vec<String> = circle.iter().take(TOLD_MAX).map(line).collect();
    if circle.len() > TOLD_MAX {
        lines.push(format!("and {} more", circle.len() - TOLD_MAX));
    }
    format!(
        "{}: nobody of them can go on, so the youngest gives up. Take these locks in the same order \
         everywhere, or catch `{}` and try again",
        lines.join("; "),
        tenure_adapter::error_type::DEADLOCK
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> InstanceId {
        InstanceId(Uuid::from_u128(number))
    }

    /// `(waiter, its waiting lock, holder, the holder's lock)`, and what each waiting lock keeps.
    fn check(
        rows: &[(u128, i64, u128, i64)],
        keeps: &[(u128, i64, u128, i64)],
        expected: &[usize],
    ) {
        let waiting: Vec<WaitingLock> = rows
            .iter()
            .map(|(instance, lock, holder, holder_lock)| WaitingLock {
                name: format!("of {holder}"),
                instance: id(*instance),
                lock: LockId(*lock),
                holder: id(*holder),
                holder_lock: LockId(*holder_lock),
            })
            .collect();
        let mut held: BTreeMap<Place, BTreeSet<Place>> = BTreeMap::new();
        for (instance, lock, of, kept) in keeps {
            let place = (id(*instance), LockId(*lock));
            held.entry(place).or_default().insert((id(*of), LockId(*kept)));
        }
        let found: Vec<usize> = circles(&waiting, &held).iter().map(Vec::len).collect();
        assert_eq!(found, expected, "{rows:?}");
    }

    #[test]
    fn only_circles_are_found() {
        // 1 holds lock 1 and waits by 2; 2 holds lock 1 and waits by 2.
        check(&[(1, 2, 2, 1), (2, 2, 1, 1)], &[(1, 2, 1, 1), (2, 2, 2, 1)], &[2]);
        // A line: 3 waits for 2, 2 waits for 1.
        check(&[(3, 2, 2, 1), (2, 2, 1, 1)], &[(3, 2, 3, 1), (2, 2, 2, 1)], &[]);
        // 2 holds what 1 wants, but may let it go: another branch waits.
        check(&[(1, 2, 2, 1), (2, 2, 1, 1)], &[(1, 2, 1, 1)], &[]);
        // Somebody behind a circle is not in it.
        check(
            &[(1, 2, 2, 1), (2, 2, 1, 1), (9, 2, 1, 1)],
            &[(1, 2, 1, 1), (2, 2, 2, 1), (9, 2, 9, 1)],
            &[2],
        );
        // A child waits for what another holds, who waits for the child's parent.
        check(&[(11, 2, 2, 1), (2, 2, 1, 1)], &[(11, 2, 1, 1), (2, 2, 2, 1)], &[2]);
        // Two circles.
        check(
            &[(1, 2, 2, 1), (2, 2, 1, 1), (3, 2, 4, 1), (4, 2, 3, 1)],
            &[(1, 2, 1, 1), (2, 2, 2, 1), (3, 2, 3, 1), (4, 2, 4, 1)],
            &[2, 2],
        );
    }
}
