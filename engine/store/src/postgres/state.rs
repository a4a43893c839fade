//! How an instance lies in its two rows: what never changes in columns of `instance`, the rest as
//! JSON text in the hot row.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_machine::abandoned::Abandoned;
use tenure_machine::instance::{Compensation, Frame, HeldLock, Incident, Lock};
use tenure_machine::{FrameId, Identity, Instance, InstanceId, Json, Parent, Status, TimerId};
use uuid::Uuid;

use crate::port::Stored;

/// The changing half, as written.
#[derive(Serialize)]
struct Written<'a> {
    status: &'a Status,
    context: &'a Json,
    timeout: &'a Option<TimerId>,
    timers: &'a BTreeMap<TimerId, Timestamp>,
    frames: &'a BTreeMap<FrameId, Frame>,
    next_id: i64,
    visits: &'a BTreeMap<String, u32>,
    abandoned: &'a BTreeMap<String, Abandoned>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    refused: &'a [(Uuid, u32)],
    #[serde(skip_serializing_if = "Option::is_none")]
    late: &'a Option<TimerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: &'a Option<Lock>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    held_above: &'a [HeldLock],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compensations: &'a Vec<Compensation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelling: &'a Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: &'a BTreeMap<String, Value>,
}

/// The changing half, as read.
#[derive(Deserialize)]
struct Read {
    status: Status,
    context: Json,
    timeout: Option<TimerId>,
    timers: BTreeMap<TimerId, Timestamp>,
    frames: BTreeMap<FrameId, Frame>,
    next_id: i64,
    visits: BTreeMap<String, u32>,
    abandoned: BTreeMap<String, Abandoned>,
    #[serde(default)]
    refused: Vec<(Uuid, u32)>,
    #[serde(default)]
    late: Option<TimerId>,
    #[serde(default)]
    lock: Option<Lock>,
    #[serde(default)]
    held_above: Vec<HeldLock>,
    #[serde(default)]
    compensations: Vec<Compensation>,
    #[serde(default)]
    cancelling: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
}

/// The changing half as text.
pub(super) fn write(instance: &Instance) -> serde_json::Result<String> {
    // Named one by one: a new field must find its place in `Read` too, or in a column.
    let Instance {
        id: _,
        identity: _,
        revision: _,
        status,
        input: _,
        context,
        started_at: _,
        timeout,
        timers,
        frames,
        next_id,
        visits,
        abandoned,
        refused,
        late,
        lock,
        held_above,
        compensations,
        cancelling,
        attributes,
    } = instance;
    serde_json::to_string(&Written {
        status,
        context,
        timeout,
        timers,
        frames,
        next_id: *next_id,
        visits,
        abandoned,
        refused,
        late,
        lock,
        held_above,
        compensations,
        cancelling,
        attributes,
    })
}

/// The word of the `status` column.
pub(super) fn status_word(status: &Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Live => "live",
        Status::Completed { .. } => "completed",
        Status::Faulted { .. } => "faulted",
        Status::Cancelled { .. } => "cancelled",
    }
}

/// Both rows of an instance.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) namespace: String,
    pub(super) definition: String,
    pub(super) version: String,
    pub(super) digest: String,
    pub(super) business_key: String,
    pub(super) start_key: String,
    pub(super) parent_id: Option<Uuid>,
    pub(super) parent_awaits: Option<bool>,
    pub(super) input: String,
    pub(super) started_at: jiff_sqlx::Timestamp,
    pub(super) revision: i64,
    pub(super) state: String,
    pub(super) updated_at: jiff_sqlx::Timestamp,
    pub(super) parked_fingerprint: Option<String>,
    pub(super) parked_detail: Option<String>,
    pub(super) parked_since: Option<jiff_sqlx::Timestamp>,
}

impl Row {
    /// The instance the rows stand for.
    pub(super) fn read(self) -> serde_json::Result<Stored> {
        let input: Json = serde_json::from_str(&self.input)?;
        let state: Read = serde_json::from_str(&self.state)?;
        let parent = self
            .parent_id
            .zip(self.parent_awaits)
            .map(|(id, awaits)| Parent { instance: InstanceId(id), awaits });
        let started_at: Timestamp = self.started_at.to_jiff();
        let instance = Instance {
            id: InstanceId(self.id),
            identity: Identity {
                namespace: self.namespace,
                definition: self.definition,
                version: self.version,
                digest: self.digest,
                business_key: self.business_key,
                start_key: self.start_key,
                parent,
            },
            revision: self.revision,
            status: state.status,
            input,
            context: state.context,
            started_at,
            timeout: state.timeout,
            timers: state.timers,
            frames: state.frames,
            next_id: state.next_id,
            visits: state.visits,
            abandoned: state.abandoned,
            refused: state.refused,
            late: state.late,
            lock: state.lock,
            held_above: state.held_above,
            compensations: state.compensations,
            cancelling: state.cancelling,
            attributes: state.attributes,
        };
        let cause = self.parked_fingerprint.zip(self.parked_detail).zip(self.parked_since);
        let parked = cause.map(|((fingerprint, detail), since)| Incident {
            fingerprint,
            detail,
            since: since.to_jiff(),
        });
        Ok(Stored { instance, updated_at: self.updated_at.to_jiff(), parked })
    }
}
