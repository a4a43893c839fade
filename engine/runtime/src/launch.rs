//! Starting an instance and asking it to stop, whoever wants it: a caller, an event, or the time.

use std::sync::Arc;

use serde_json::Value;
use tenure_definition::Plan;
use tenure_definition::plan::KeyPolicy;
use tenure_machine::bucket::Bucket;
use tenure_machine::{Event, InstanceId, Start};
use tenure_store::port::{Mail, NewInstance, Started};

use crate::admission::{admitted, claims_key, fingerprint};
use crate::engine::{Error, StartAnswer};
use crate::ground::{Ground, patiently};
use crate::schedule;

/// Starts an instance of a plan. When this returns, the start is durable; `key` decides which
/// instance a repetition belongs to.
pub(crate) async fn launch(
    ground: &Ground,
    plan: &Arc<Plan>,
    key: Option<&str>,
    input: Value,
) -> Result<StartAnswer, Error> {
    let name = &plan.document.name;
    let fingerprint = fingerprint(name, &input);
    let admission = admitted(ground, plan, &input)
        .await?
        .map_err(|problem| Error::Refused(Box::new(problem)))?;
    let at = ground.clock.now();
    let id = new_id(&plan.document.namespace, admission.business_key.as_deref().or(key), at)?;
    let start = Start {
        id,
        business_key: admission.business_key,
        start_key: key.map(str::to_owned),
        input,
        parent: None,
        at,
    };
    let claims_key = claims_key(plan);
    let new = NewInstance { instance: start.into_instance(plan), fingerprint, claims_key };
    // First, so that the end of an instance that runs is never missed.
    schedule::follow(ground, plan, id, at).await?;
    let started = patiently(|| ground.store.start(&new, at)).await?;
    match started {
        Started::New => {
            tracing::info!(instance = %id, definition = name, "started");
            ground.bells.mail.notify_one();
            Ok(StartAnswer { id, created: true })
        }
        Started::Existing(id) => Ok(StartAnswer { id, created: false }),
        Started::KeyReused(id) => Err(Error::KeyReused(id)),
        Started::BusinessKeyTaken(id) => match plan.extensions.business_key_policy {
            KeyPolicy::ReturnExisting => Ok(StartAnswer { id, created: false }),
            KeyPolicy::Reject | KeyPolicy::Allow | KeyPolicy::Queue => {
                Err(Error::BusinessKeyTaken(id))
            }
        },
    }
}

/// Asks an instance to stop; durable when this returns.
pub(crate) async fn cancel(
    ground: &Ground,
    instance: InstanceId,
    reason: &str,
) -> Result<(), Error> {
    // Derived, so that a repetition is the same request.
    let id = uuid::Uuid::new_v5(&instance.0, format!("cancel:{reason}").as_bytes());
    let event = Event::CancelRequested { reason: reason.to_owned() };
    let mail = [Mail { id, instance, event }];
    patiently(|| ground.store.post(&mail, ground.clock.now())).await?;
    ground.bells.mail.notify_one();
    Ok(())
}

/// A fresh id in the bucket of what names the run; of a random name when nothing does.
fn new_id(namespace: &str, name: Option<&str>, at: jiff::Timestamp) -> Result<InstanceId, Error> {
    let mut entropy = [0; 8];
    let mut unnamed = [0; 8];
    // Without randomness ids could be guessed: better no start than a weak one.
    getrandom::fill(&mut entropy).map_err(|_| Error::Busy)?;
    getrandom::fill(&mut unnamed).map_err(|_| Error::Busy)?;
    let bucket = match name {
        Some(name) => Bucket::of(namespace, name),
        None => Bucket::of(namespace, &u64::from_be_bytes(unnamed).to_string()),
    };
    Ok(InstanceId::new(bucket, at, entropy))
}
