//! What starts instances without a caller: the time, the end of another instance, and events.
//!
//! Every firing has one name, which is the start key, so it starts at most one instance however
//! often it is tried. The node that holds the bucket of a definition's name sees to its firings; `turn`
//! is the pure part, which says what is next. Events start instances where they come in, before they
//! are acknowledged: a crash in between makes the sender repeat them, and the key decides.

mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_definition::Plan;
use tenure_definition::canonical::canonical;
use tenure_definition::plan::Strategy;
use tenure_definition::schedule::{Nominal, Overlap};
use tenure_machine::bucket::Bucket;
use tenure_machine::{CloudEvent, InstanceId};
use tenure_store::port::{Firings, Incoming, Scheduled};
use uuid::Uuid;

use crate::engine::Error;
use crate::ground::{Ground, patiently, rung};
use crate::launch::{cancel, launch};
use crate::stepper::Undone;
use crate::trigger;
pub(crate) use turn::{InForce, Meeting, Turn, in_force, meet, turn};

/// Firings of one definition in one scan; the others come with the next.
const FIRINGS_MAX: usize = 64;
/// Ends of instances looked at in one scan of one definition.
const ENDED_MAX: i64 = 64;
/// Events that one definition gathers for `all`. When there are so many, the older half goes.
const GATHERED_MAX: i64 = 1_000;
/// Name space of the start keys made of events.
const EVENT_SPACE: Uuid = Uuid::from_u128(0x8c0e_6d1b_43f7_5a29_b1d6_07e2_95ca_3f84);

/// Sees to the schedules of this node's definitions, when the bell rings and at least every scan.
pub(crate) async fn keep(ground: Arc<Ground>) {
    loop {
        rung(&ground.bells.schedule, ground.config.scan_every).await;
        let Some(hold) = ground.hold() else { continue };
        let ours: Vec<Arc<InForce>> = ground
            .plans
            .schedules()
            .into_iter()
            .filter(|schedule| {
                let name = schedule.name();
                hold.buckets.contains(&Bucket::of(&name.namespace, &name.definition))
            })
            .collect();
        if ours.is_empty() {
            continue;
        }
        let known = match ground.store.firings().await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "schedules were not read");
                continue;
            }
        };
        let mut known: BTreeMap<Scheduled, Firings> =
            known.into_iter().map(|firings| (firings.schedule.clone(), firings)).collect();
        for schedule in ours {
            let firings = known.remove(&schedule.name());
            if let Err(error) = see_to(&ground, &schedule, firings).await {
                tracing::warn!(
                    definition = schedule.plan.document.name,
                    error = &error as &dyn std::error::Error,
                    "a schedule was not seen to; it is tried again"
                );
            }
        }
    }
}

/// Everything that can fire of one schedule.
async fn see_to(
    ground: &Ground,
    schedule: &InForce,
    firings: Option<Firings>,
) -> Result<(), Error> {
    let Some(ways) = schedule.plan.schedule.as_ref() else { return Ok(()) };
    if ways.every.is_some() || ways.cron.is_some() {
        by_time(ground, schedule, firings).await?;
    }
    if ways.after.is_some() {
        after_ends(ground, schedule).await?;
    }
    match &ways.on {
        Some(Strategy::All(_)) => together(ground, schedule).await,
        Some(Strategy::One(_) | Strategy::Any(_)) | None => Ok(()),
    }
}

/// `every` and `cron`.
async fn by_time(
    ground: &Ground,
    schedule: &InForce,
    firings: Option<Firings>,
) -> Result<(), Error> {
    let mut firings = firings.unwrap_or_else(|| Firings {
        schedule: schedule.name(),
        handled: schedule.since,
        instance: None,
        buffered: None,
    });
    // A schedule that was taken out and came back does not make up for the time between.
    firings.handled = firings.handled.max(schedule.since);
    firings.buffered = firings.buffered.filter(|firing| firing.at > schedule.since);
    if let Some(buffered) = firings.buffered
        && !lives(ground, firings.instance).await?
    {
        firings.instance = start(ground, schedule, buffered).await?.or(firings.instance);
        firings.buffered = None;
        patiently(|| ground.store.advance(&firings)).await?;
    }
    for _ in 0..FIRINGS_MAX {
        match turn(schedule, firings.handled, ground.clock.now()) {
            Turn::Rest => break,
            Turn::Drop { until } => {
                tracing::warn!(
                    definition = schedule.plan.document.name,
                    %until,
                    "firings were missed and are too old to be made up for"
                );
                firings.handled = until;
            }
            Turn::Fire(nominal) => {
                fire(ground, schedule, nominal, &mut firings).await?;
                firings.handled = nominal.at;
            }
        }
        if !patiently(|| ground.store.advance(&firings)).await? {
            // Another node sees to this schedule by now.
            break;
        }
    }
    Ok(())
}

/// One firing, as the policy wants it.
async fn fire(
    ground: &Ground,
    schedule: &InForce,
    nominal: Nominal,
    firings: &mut Firings,
) -> Result<(), Error> {
    let definition = &schedule.plan.document.name;
    let overlap = schedule.plan.schedule.as_ref().map_or(Overlap::Allow, |s| s.policy.overlap);
    let lives = overlap != Overlap::Allow && lives(ground, firings.instance).await?;
    match meet(overlap, lives) {
        Meeting::Start => {}
        Meeting::Skip => {
            tracing::info!(definition, at = %nominal.at, "a firing was skipped: the last still runs");
            return Ok(());
        }
        Meeting::Buffer => {
            firings.buffered = Some(nominal);
            return Ok(());
        }
        Meeting::CancelPrevious => {
            if let Some(previous) = firings.instance {
                let reason = format!("the schedule fired again at {}", nominal.at);
                cancel(ground, previous, &reason).await?;
            }
        }
    }
    if let Some(started) = start(ground, schedule, nominal).await? {
        firings.instance = Some(started);
    }
    Ok(())
}

async fn lives(ground: &Ground, instance: Option<InstanceId>) -> Result<bool, Error> {
    let Some(id) = instance else { return Ok(false) };
    let found = patiently(|| async move { ground.store.load(&[id]).await }).await?;
    Ok(found.iter().any(|stored| !stored.instance.is_terminal()))
}

/// Starts the instance of a firing. There is none when the definition refuses it, which a
/// repetition would not change.
async fn start(
    ground: &Ground,
    schedule: &InForce,
    nominal: Nominal,
) -> Result<Option<InstanceId>, Error> {
    let name = schedule.name();
    let key = nominal.key(&name.namespace, &name.definition);
    start_by(ground, &schedule.plan, &key, Value::Null).await
}

async fn start_by(
    ground: &Ground,
    plan: &Arc<Plan>,
    key: &str,
    input: Value,
) -> Result<Option<InstanceId>, Error> {
    match launch(ground, plan, Some(key), input).await {
        Ok(answer) => {
            if answer.created {
                tracing::info!(instance = %answer.id, key, "started by its schedule");
            }
            Ok(Some(answer.id))
        }
        Err(Error::Store(error @ tenure_store::Error::Corrupt { .. })) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(
                definition = plan.document.name,
                key,
                error,
                "a firing cannot be stored"
            );
            Ok(None)
        }
        Err(Error::Refused(problem)) => {
            let problem = problem.detail.as_deref().unwrap_or(&problem.title);
            tracing::error!(definition = plan.document.name, key, problem, "a firing was refused");
            Ok(None)
        }
        Err(Error::KeyReused(other) | Error::BusinessKeyTaken(other)) => {
            tracing::warn!(definition = plan.document.name, key, %other, "a firing was refused");
            Ok(None)
        }
        Err(
            error @ (Error::Store(_)
            | Error::UnknownDefinition { .. }
            | Error::Invalid(_)
            | Error::Malformed(_)
            | Error::NobodyWaits
            | Error::Busy),
        ) => Err(error),
    }
}

/// Notes an instance whose end is to start another one, before it is started.
pub(crate) async fn follow(
    ground: &Ground,
    plan: &Plan,
    instance: InstanceId,
    at: Timestamp,
) -> Result<(), Error> {
    if plan.schedule.as_ref().is_none_or(|schedule| schedule.after.is_none()) {
        return Ok(());
    }
    let name = name(plan);
    patiently(|| ground.store.follow(&name, instance, at)).await
}

/// `after`: what ended long enough ago is followed by the next instance.
async fn after_ends(ground: &Ground, schedule: &InForce) -> Result<(), Error> {
    let Some(ways) = schedule.plan.schedule.as_ref() else { return Ok(()) };
    let name = schedule.name();
    for (instance, ended) in patiently(|| ground.store.ended(&name, ENDED_MAX)).await? {
        let now = ground.clock.now();
        let next = ways.after_end(&schedule.plan.extensions.zone, ended);
        let due = next.map(|next| next.due(&name.namespace, &name.definition, &ways.policy));
        if due.is_some_and(|due| due > now) {
            continue;
        }
        // What ended while the definition had no schedule stays the last one.
        if let Some(next) = next
            && ended >= schedule.since
        {
            start(ground, schedule, next).await?;
        }
        patiently(|| ground.store.followed(&name, instance, now)).await?;
    }
    Ok(())
}

/// The schedules an event has a part in.
pub(crate) async fn heard(
    ground: &Ground,
    incoming: &Incoming,
) -> Result<Vec<Arc<InForce>>, Error> {
    let mut schedules = ground.plans.schedules();
    schedules.retain(|schedule| {
        schedule.plan.document.namespace == incoming.namespace
            && schedule.may_hear(&incoming.event.kind)
            && !incoming.event.is_told_of(&schedule.plan.document)
    });
    if schedules.is_empty() {
        return Ok(schedules);
    }
    let event = incoming.event.clone();
    let hearing = move || {
        let hears = |schedule: &Arc<InForce>| {
            schedule.plan.schedule.as_ref().is_some_and(|ways| trigger::hears(ways, &event))
        };
        schedules.retain(hears);
        schedules
    };
    ground.steppers.run(hearing).await.map_err(|undone| match undone {
        Undone::Full => Error::Busy,
        Undone::Panicked => Error::Malformed("it cannot be compared with a schedule".to_owned()),
    })
}

/// `on`: starts what an event starts, or keeps it until the others are there. To be called before the
/// event is acknowledged; an event that was acknowledged before starts nothing.
pub(crate) async fn hear(ground: &Ground, incoming: &Incoming) -> Result<(), Error> {
    let Incoming { namespace, event, .. } = incoming;
    let schedules = heard(ground, incoming).await?;
    if schedules.is_empty()
        || patiently(|| ground.store.fate(namespace, &event.source, &event.id)).await?.is_some()
    {
        return Ok(());
    }
    for schedule in schedules {
        let Some(ways) = schedule.plan.schedule.as_ref() else { continue };
        match &ways.on {
            Some(Strategy::One(_) | Strategy::Any(_)) => {
                let input = trigger::read(ways, [event]);
                start_by(ground, &schedule.plan, &key([event]), input).await?;
            }
            Some(Strategy::All(_)) => {
                let name = schedule.name();
                let at = ground.clock.now();
                patiently(|| ground.store.gather(&name, event, at)).await?;
                ground.bells.schedule.notify_one();
            }
            None => {}
        }
    }
    Ok(())
}

/// `on.all`: starts an instance for each set of gathered events that is complete. Only one node does
/// this for a definition, so no event starts two.
async fn together(ground: &Ground, schedule: &InForce) -> Result<(), Error> {
    let name = schedule.name();
    for _ in 0..FIRINGS_MAX {
        let events = patiently(|| ground.store.gathered(&name, GATHERED_MAX)).await?;
        let count = events.len();
        let full = i64::try_from(count).is_ok_and(|count| count >= GATHERED_MAX);
        let oldest = events.iter().take(count / 2).cloned().collect::<Vec<_>>();
        let plan = Arc::clone(&schedule.plan);
        let search = move || {
            let ways = plan.schedule.as_ref()?;
            let chosen = trigger::chosen(ways, &events)?;
            let input = trigger::read(ways, chosen.iter().copied());
            Some((chosen.into_iter().cloned().collect::<Vec<_>>(), input))
        };
        let found = ground.steppers.run(search).await.map_err(|_undone| Error::Busy)?;
        let Some((chosen, input)) = found else {
            if full {
                tracing::warn!(
                    definition = name.definition,
                    dropped = oldest.len(),
                    "too many events wait for others; the older half was dropped"
                );
                patiently(|| ground.store.use_up(&name, &oldest)).await?;
            }
            return Ok(());
        };
        start_by(ground, &schedule.plan, &key(&chosen), input).await?;
        patiently(|| ground.store.use_up(&name, &chosen)).await?;
    }
    Ok(())
}

/// The start key of an instance that these events start.
fn key<'a>(events: impl IntoIterator<Item = &'a CloudEvent>) -> String {
    let names: Vec<Value> =
        events.into_iter().map(|event| json!([event.source, event.id])).collect();
    let name = canonical(&Value::Array(names));
    format!("event:{}", Uuid::new_v5(&EVENT_SPACE, name.as_bytes()))
}

fn name(plan: &Plan) -> Scheduled {
    let document = &plan.document;
    Scheduled { namespace: document.namespace.clone(), definition: document.name.clone() }
}
