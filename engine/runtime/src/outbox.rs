//! Commands on their way to another instance, to the inbox or outside. Every delivery is safe to
//! repeat, so a row is settled after it was delivered, never before.

use std::collections::BTreeSet;
use std::sync::Arc;

use tenure_adapter::Problem;
use tenure_machine::{
    ChildResult, ChildStart, CloudEvent, Command, Event, InstanceId, Parent, Start,
};
use tenure_store::port::{Incoming, LockPlace, Mail, NewInstance, OutboxRow, Started};
use uuid::Uuid;

use crate::admission::{self, admitted, fingerprint};
use crate::engine::Error;
use crate::ground::{Ground, rung};
use crate::schedule;

/// Rows of one reading.
const BATCH_MAX: i64 = 256;
/// Readings in a row before the bell is listened to again.
const READINGS_MAX: usize = 16;
/// Name space of the ids of mail that the outbox posts: a repetition posts the same mail.
const MAIL_SPACE: Uuid = Uuid::from_u128(0x1d9f_3a52_70c4_5b0e_8f6a_2b7d_94e1_c358);

/// Delivers rows when the bell rings, at least every scan.
pub(crate) async fn deliver(ground: Arc<Ground>) {
    loop {
        rung(&ground.bells.outbox, ground.config.scan_every).await;
        for _ in 0..READINGS_MAX {
            if !batch(&ground).await {
                break;
            }
        }
    }
}

/// One reading; says whether there may be more that can be delivered.
async fn batch(ground: &Ground) -> bool {
    let Some(hold) = ground.hold() else { return false };
    let rows = match ground.store.outbox(&hold.list(), BATCH_MAX).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the outbox was not read");
            return false;
        }
    };
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= BATCH_MAX);
    let mut settled = Vec::with_capacity(rows.len());
    let mut moved = false;
    let mut blocked = BTreeSet::new();
    for row in rows {
        // A child must not be cancelled before it is started: one instance's rows keep their order.
        if blocked.contains(&row.instance) {
            continue;
        }
        let key = (row.instance, row.ordinal);
        // A lock is let go only after the command that asked for it is forgotten: nobody who still
        // carries that one puts the instance in line again.
        if let Command::ReleaseLock { .. } = &row.command
            && settled.iter().any(|(instance, _)| *instance == row.instance)
        {
            if !settle(ground, &settled).await {
                return false;
            }
            settled.clear();
        }
        match carry(ground, row).await {
            Ok(()) => {
                settled.push(key);
                moved = true;
            }
            Err(error) => {
                tracing::warn!(
                    instance = %key.0,
                    error = &error as &dyn std::error::Error,
                    "a command was not delivered; it is tried again"
                );
                blocked.insert(key.0);
            }
        }
    }
    (settled.is_empty() || settle(ground, &settled).await) && moved && full
}

/// Forgets what was delivered; says whether that worked.
async fn settle(ground: &Ground, settled: &[(InstanceId, i64)]) -> bool {
    ground.bells.mail.notify_one();
    if let Err(error) = ground.store.settle_outbox(settled).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "delivered commands were not settled; they are delivered again"
        );
        return false;
    }
    true
}

/// Delivers one command.
async fn carry(ground: &Ground, row: OutboxRow) -> Result<(), Error> {
    let OutboxRow { instance, ordinal, command } = row;
    match command {
        Command::StartChild(child) => start_child(ground, instance, child).await,
        Command::CancelChild { child, reason } => {
            let id = mail_id(instance, "cancel", ordinal);
            post(ground, Mail { id, instance: child, event: Event::CancelRequested { reason } })
                .await
        }
        Command::TellParent { parent, result } => {
            tell_parent(ground, parent, instance, result).await
        }
        Command::Emit { event } => emit(ground, instance, event).await,
        Command::AcquireLock { lock, name } => {
            let place = LockPlace { name, instance, lock };
            Ok(ground.store.acquire_lock(&place, ordinal, ground.clock.now()).await?)
        }
        Command::ReleaseLock { lock, name } => {
            let place = LockPlace { name, instance, lock };
            Ok(ground.store.release_lock(&place, ground.clock.now()).await?)
        }
        Command::Call(_)
        | Command::LookUp(_)
        | Command::SetTimer { .. }
        | Command::ClearTimer { .. }
        | Command::OpenWait(_)
        | Command::SetAttributes { .. }
        | Command::CloseWait { .. } => {
            tracing::error!(%instance, ordinal, "a command that needs no carrying was in the outbox");
            Ok(())
        }
    }
}

fn mail_id(instance: InstanceId, what: &str, ordinal: i64) -> Uuid {
    Uuid::new_v5(&MAIL_SPACE, format!("{instance}/{what}/{ordinal}").as_bytes())
}

async fn post(ground: &Ground, mail: Mail) -> Result<(), Error> {
    Ok(ground.store.post(&[mail], ground.clock.now()).await?)
}

async fn tell_parent(
    ground: &Ground,
    parent: InstanceId,
    child: InstanceId,
    result: ChildResult,
) -> Result<(), Error> {
    let id = end_mail(child);
    post(ground, Mail { id, instance: parent, event: Event::ChildEnded { child, result } }).await
}

/// The mail that tells the parent of a child's end: one child ends once.
fn end_mail(child: InstanceId) -> Uuid {
    mail_id(child, "ended", 0)
}

/// Starts a child under the id its parent derived. A start that is refused is the child's end.
async fn start_child(ground: &Ground, parent: InstanceId, child: ChildStart) -> Result<(), Error> {
    let (id, awaits) = (child.id, child.awaits);
    if awaits && is_settled(ground, parent, id).await? {
        return Ok(());
    }
    match try_start(ground, parent, child).await? {
        Ok(()) => Ok(()),
        Err(error) => {
            tracing::warn!(instance = %parent, child = %id, kind = error.kind, "a child was refused");
            if awaits {
                tell_parent(ground, parent, id, ChildResult::Faulted { error }).await
            } else {
                Ok(())
            }
        }
    }
}

/// Whether this command was carried before, or came too late: the child is there, or its parent was told
/// that it was refused (and a start that succeeds now would run unknown to anybody), or no longer wants it.
async fn is_settled(ground: &Ground, parent: InstanceId, child: InstanceId) -> Result<bool, Error> {
    // The mail first: when it is gone by then, the parent has taken it and no longer awaits the child.
    if ground.store.posted(parent, end_mail(child)).await? {
        return Ok(true);
    }
    let stored = ground.store.load(&[parent, child]).await?;
    let awaited = stored.iter().any(|stored| {
        stored.instance.id == parent && stored.instance.open_children().any(|open| open == child)
    });
    let exists = stored.iter().any(|stored| stored.instance.id == child);
    Ok(exists || !awaited)
}

async fn try_start(
    ground: &Ground,
    parent: InstanceId,
    child: ChildStart,
) -> Result<Result<(), Problem>, Error> {
    let ChildStart { id, namespace, name, version, input, start_key, awaits, held_above } = child;
    // `latest` is resolved here, once: a repetition finds the start key used.
    let version = (version != "latest").then_some(version);
    let Some(plan) = ground.plans.named(&namespace, &name, version.as_deref()).await? else {
        let version = version.as_deref().unwrap_or("latest");
        return Ok(Err(Problem::configuration(format!(
            "no definition {namespace}/{name}:{version} is registered"
        ))));
    };
    let fingerprint = fingerprint(&name, &input);
    let business_key = match admitted(ground, &plan, &input).await? {
        Ok(admission) => admission.business_key,
        Err(problem) => return Ok(Err(problem)),
    };
    let at = ground.clock.now();
    let parent = Some(Parent { instance: parent, awaits });
    let start_key = Some(start_key);
    let start = Start { id, business_key, start_key, input, parent, at };
    let claims_key = admission::claims_key(&plan);
    let mut instance = start.into_instance(&plan);
    instance.held_above = held_above;
    let new = NewInstance { instance, fingerprint, claims_key };
    let started = match ground.store.start(&new, at).await {
        // Repeating cannot help: refused, so that the parent hears of it instead of waiting for ever.
        Err(error @ tenure_store::Error::Corrupt { .. }) => {
            return Ok(Err(Problem::runtime(format!("this child cannot be stored: {error}"))));
        }
        started => started?,
    };
    Ok(match started {
        Started::New => Ok(()),
        Started::Existing(other) | Started::KeyReused(other) if other == id => Ok(()),
        Started::Existing(other) | Started::KeyReused(other) => Err(Problem::runtime(format!(
            "the start key of this child belongs to instance {other}"
        ))),
        Started::BusinessKeyTaken(other) => Err(admission::taken(other)),
    })
}

/// An event from inside takes the same way as one from outside.
async fn emit(ground: &Ground, instance: InstanceId, event: CloudEvent) -> Result<(), Error> {
    let stored = ground.store.load(&[instance]).await?;
    let namespace = stored.into_iter().next().map_or_else(
        || ground.config.namespace.clone(),
        |stored| stored.instance.identity.namespace,
    );
    let routes = ground.plans.routes(&namespace, &event).await?;
    let incoming = Incoming { namespace, event, routes };
    schedule::hear(ground, &incoming).await?;
    ground.store.receive(&incoming, ground.clock.now()).await?;
    Ok(())
}
