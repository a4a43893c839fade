//! A checkpoint as rows: prepared once, then gathered into the arrays of one statement.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tenure_machine::abandoned::Knowledge;
use tenure_machine::instance::{Activity, CallPhase, Effect, Frame};
use tenure_machine::payload::{self, TooLarge};
use tenure_machine::{Command, Instance, InstanceId, TimerId, Wait, WaitId};
use uuid::Uuid;

use super::state;
use crate::port::{Checkpoint, Fence};

/// Most commands a transition may carry; part of the ordinal of an outbox row.
pub(super) const COMMANDS_MAX: i64 = 65_536;

/// One checkpoint, serialized.
pub(super) struct Prepared<'a> {
    /// Its place in the caller's batch.
    pub(super) place: usize,
    pub(super) id: InstanceId,
    pub(super) instance: &'a Instance,
    pub(super) token: Uuid,
    pub(super) consumed: &'a [Uuid],
    state: String,
    entries: String,
    at: Timestamp,
    timers_kept: BTreeSet<TimerId>,
    timers_set: Vec<(TimerId, Timestamp)>,
    waits_kept: BTreeSet<WaitId>,
    waits_opened: Vec<&'a Wait>,
    outbox: Vec<(i64, String)>,
    unsettled: BTreeMap<Uuid, (&'static str, &'a Effect)>,
    /// All attributes, when they changed.
    attributes: Option<&'a BTreeMap<String, Value>>,
}

/// Why a checkpoint cannot be written at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritable {
    #[error("not serializable")]
    Json(#[from] serde_json::Error),
    #[error("more than {COMMANDS_MAX} commands in one transition")]
    TooManyCommands,
    #[error("{0}")]
    TooLarge(TooLarge),
}

impl<'a> Prepared<'a> {
    /// Serializes a checkpoint and works out its rows.
    pub(super) fn new(
        place: usize,
        fence: Fence,
        checkpoint: &'a Checkpoint,
    ) -> Result<Self, Unwritable> {
        let instance = &checkpoint.transition.instance;
        let commands = &checkpoint.transition.commands;
        let state = state::write(instance)?;
        let entries = serde_json::to_string(&checkpoint.transition.journal)?;
        let sizes = (state.len(), entries.len());
        if let Some(found) = payload::too_large(instance, &checkpoint.transition.journal, sizes) {
            return Err(Unwritable::TooLarge(found));
        }
        let token = token(fence, instance.revision, &state, &entries, commands)?;
        let closed: BTreeSet<WaitId> = commands.iter().filter_map(closed_wait).collect();
        let cleared: BTreeSet<TimerId> = commands.iter().filter_map(cleared_timer).collect();
        let waits_kept: BTreeSet<WaitId> =
            open_waits(instance).filter(|wait| !closed.contains(wait)).collect();
        let timers_kept: BTreeSet<TimerId> =
            open_timers(instance).filter(|timer| !cleared.contains(timer)).collect();
        Ok(Self {
            place,
            id: instance.id,
            instance,
            token,
            consumed: &checkpoint.consumed,
            state,
            entries,
            at: checkpoint.at,
            timers_set: commands
                .iter()
                .filter_map(set_timer)
                .filter(|(timer, _)| timers_kept.contains(timer))
                .collect(),
            waits_opened: commands
                .iter()
                .filter_map(opened_wait)
                .filter(|wait| waits_kept.contains(&wait.wait))
                .collect(),
            timers_kept,
            waits_kept,
            outbox: outbox(instance.revision, commands)?,
            unsettled: unsettled(instance),
            attributes: commands.iter().rev().find_map(attributes),
        })
    }
}

/// Names a checkpoint by its content and its writer. A row that carries it was written by this
/// checkpoint and no other, however often the statement was sent.
fn token(
    fence: Fence,
    revision: i64,
    state: &str,
    entries: &str,
    commands: &[Command],
) -> Result<Uuid, Unwritable> {
    let commands = serde_json::to_string(commands)?;
    let mut hash = Sha256::new();
    hash.update(fence.node.as_bytes());
    hash.update(fence.epoch.to_be_bytes());
    hash.update(revision.to_be_bytes());
    for part in [state, entries, &commands] {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = hashed;
    }
    Ok(Uuid::from_bytes(bytes))
}

fn attributes(command: &Command) -> Option<&BTreeMap<String, Value>> {
    if let Command::SetAttributes { attributes } = command { Some(attributes) } else { None }
}

fn set_timer(command: &Command) -> Option<(TimerId, Timestamp)> {
    if let Command::SetTimer { timer, due } = command { Some((*timer, *due)) } else { None }
}

fn cleared_timer(command: &Command) -> Option<TimerId> {
    if let Command::ClearTimer { timer } = command { Some(*timer) } else { None }
}

fn opened_wait(command: &Command) -> Option<&Wait> {
    if let Command::OpenWait(wait) = command { Some(wait) } else { None }
}

fn closed_wait(command: &Command) -> Option<WaitId> {
    if let Command::CloseWait { wait } = command { Some(*wait) } else { None }
}

/// Commands that are carried by rows until somebody has delivered them.
fn outbox(revision: i64, commands: &[Command]) -> Result<Vec<(i64, String)>, Unwritable> {
    let mut rows = Vec::new();
    for (position, command) in (0_i64..).zip(commands) {
        if position >= COMMANDS_MAX {
            return Err(Unwritable::TooManyCommands);
        }
        match command {
            Command::StartChild(_)
            | Command::CancelChild { .. }
            | Command::TellParent { .. }
            | Command::Emit { .. }
            | Command::AcquireLock { .. }
            | Command::ReleaseLock { .. } => {
                let ordinal = revision.saturating_mul(COMMANDS_MAX).saturating_add(position);
                rows.push((ordinal, serde_json::to_string(command)?));
            }
            Command::Call(_)
            | Command::LookUp(_)
            | Command::SetTimer { .. }
            | Command::ClearTimer { .. }
            | Command::OpenWait(_)
            | Command::SetAttributes { .. }
            | Command::CloseWait { .. } => {}
        }
    }
    Ok(rows)
}

/// Timers an instance still knows. None once it has ended.
fn open_timers(instance: &Instance) -> impl Iterator<Item = TimerId> {
    let live = !instance.is_terminal();
    instance.timers.keys().copied().filter(move |_| live)
}

/// Waits an instance still knows. None once it has ended.
fn open_waits(instance: &Instance) -> impl Iterator<Item = WaitId> {
    let live = !instance.is_terminal();
    instance.frames.values().flat_map(frame_waits).filter(move |_| live)
}

fn frame_waits(frame: &Frame) -> Vec<WaitId> {
    match &frame.activity {
        Activity::Listen { waits, .. } => waits.keys().copied().collect(),
        Activity::Human { wait, .. } => vec![*wait],
        Activity::Do
        | Activity::For { .. }
        | Activity::Fork { .. }
        | Activity::Try { .. }
        | Activity::Call { .. }
        | Activity::Wait { .. }
        | Activity::Child { .. }
        | Activity::Locking
        | Activity::Function { .. }
        | Activity::Extended { .. }
        | Activity::Compensating { .. } => Vec::new(),
    }
}

/// Effects that nobody has settled, by key.
fn unsettled(instance: &Instance) -> BTreeMap<Uuid, (&'static str, &Effect)> {
    let abandoned = instance.abandoned.values().map(|abandoned| {
        let phase = match abandoned.knowledge() {
            Knowledge::Awaited => "abandoned",
            Knowledge::Lost => "lost",
            Knowledge::Unknown => "unknown",
            Knowledge::Late => "late",
        };
        (abandoned.effect.key, (phase, &abandoned.effect))
    });
    let of_frames = instance.frames.values().filter_map(|frame| match &frame.activity {
        Activity::Call { effect, phase } => match phase {
            CallPhase::Settling { .. } => Some((effect.key, ("settling", effect))),
            CallPhase::LookingUp { .. } => Some((effect.key, ("looking_up", effect))),
            CallPhase::Stuck { .. } => Some((effect.key, ("stuck", effect))),
            CallPhase::Sent { .. } | CallPhase::Delay { .. } => None,
        },
        Activity::Do
        | Activity::For { .. }
        | Activity::Fork { .. }
        | Activity::Try { .. }
        | Activity::Listen { .. }
        | Activity::Wait { .. }
        | Activity::Child { .. }
        | Activity::Locking
        | Activity::Function { .. }
        | Activity::Extended { .. }
        | Activity::Compensating { .. }
        | Activity::Human { .. } => None,
    });
    abandoned.chain(of_frames).collect()
}

/// A count as the hot row holds it.
fn count(items: impl Iterator) -> i32 {
    i32::try_from(items.count()).unwrap_or(i32::MAX)
}

/// The next microsecond, the database's resolution: a timer must not become due earlier by being
/// stored.
fn round_up(at: Timestamp) -> Timestamp {
    let nanos = at.subsec_nanosecond().rem_euclid(1_000);
    if nanos == 0 {
        return at;
    }
    let missing = jiff::SignedDuration::from_nanos(i64::from(1_000 - nanos));
    at.checked_add(missing).unwrap_or(at)
}

/// The arrays of the checkpoint statement. `idx` columns count instances from 1.
#[derive(Default)]
pub(super) struct Arrays {
    pub(super) bucket: Vec<i32>,
    pub(super) id: Vec<Uuid>,
    pub(super) revision: Vec<i64>,
    pub(super) status: Vec<String>,
    pub(super) open_calls: Vec<i32>,
    pub(super) open_children: Vec<i32>,
    pub(super) incidents: Vec<i32>,
    pub(super) token: Vec<Uuid>,
    pub(super) state: Vec<String>,
    pub(super) entries: Vec<String>,
    pub(super) at: Vec<jiff_sqlx::Timestamp>,
    pub(super) timer_kept_idx: Vec<i64>,
    pub(super) timer_kept: Vec<i64>,
    pub(super) timer_set_idx: Vec<i64>,
    pub(super) timer_set: Vec<i64>,
    pub(super) timer_due: Vec<jiff_sqlx::Timestamp>,
    pub(super) wait_kept_idx: Vec<i64>,
    pub(super) wait_kept: Vec<i64>,
    pub(super) wait_idx: Vec<i64>,
    pub(super) wait: Vec<i64>,
    pub(super) wait_namespace: Vec<String>,
    pub(super) wait_type: Vec<String>,
    pub(super) wait_shape: Vec<String>,
    pub(super) wait_value: Vec<String>,
    pub(super) outbox_idx: Vec<i64>,
    pub(super) outbox_ordinal: Vec<i64>,
    pub(super) outbox_command: Vec<String>,
    pub(super) effect_idx: Vec<i64>,
    pub(super) effect_key: Vec<Uuid>,
    pub(super) effect_position: Vec<String>,
    pub(super) effect_phase: Vec<String>,
    pub(super) effect_intent_at: Vec<jiff_sqlx::Timestamp>,
    pub(super) effect_send_by: Vec<jiff_sqlx::Timestamp>,
    pub(super) consumed_idx: Vec<i64>,
    pub(super) consumed: Vec<Uuid>,
    pub(super) attributes_idx: Vec<i64>,
    pub(super) attribute_idx: Vec<i64>,
    pub(super) attribute_name: Vec<String>,
    pub(super) attribute_value: Vec<String>,
}

impl Arrays {
    /// Gathers checkpoints in the order given.
    pub(super) fn gather(group: &[Prepared<'_>]) -> Self {
        let mut arrays = Self::default();
        for (idx, prepared) in (1_i64..).zip(group) {
            arrays.push(idx, prepared);
        }
        arrays
    }

    fn push(&mut self, idx: i64, prepared: &Prepared<'_>) {
        let instance = prepared.instance;
        self.bucket.push(instance.id.bucket().as_i32());
        self.id.push(instance.id.0);
        self.revision.push(instance.revision);
        self.status.push(state::status_word(&instance.status).to_owned());
        self.open_calls.push(count(instance.open_calls()));
        self.open_children.push(count(instance.open_children()));
        self.incidents.push(count(instance.incidents().chain(instance.late_incidents())));
        self.token.push(prepared.token);
        self.state.push(prepared.state.clone());
        self.entries.push(prepared.entries.clone());
        self.at.push(prepared.at.to_sqlx());
        for timer in &prepared.timers_kept {
            self.timer_kept_idx.push(idx);
            self.timer_kept.push(timer.0);
        }
        for (timer, due) in &prepared.timers_set {
            self.timer_set_idx.push(idx);
            self.timer_set.push(timer.0);
            self.timer_due.push(round_up(*due).to_sqlx());
        }
        for wait in &prepared.waits_kept {
            self.wait_kept_idx.push(idx);
            self.wait_kept.push(wait.0);
        }
        for wait in &prepared.waits_opened {
            self.push_wait(idx, &instance.identity.namespace, wait);
        }
        for (ordinal, command) in &prepared.outbox {
            self.outbox_idx.push(idx);
            self.outbox_ordinal.push(*ordinal);
            self.outbox_command.push(command.clone());
        }
        for (key, (phase, effect)) in &prepared.unsettled {
            self.effect_idx.push(idx);
            self.effect_key.push(*key);
            self.effect_position.push(effect.position.clone());
            self.effect_phase.push((*phase).to_owned());
            self.effect_intent_at.push(effect.intent_at.to_sqlx());
            self.effect_send_by.push(effect.send_by.to_sqlx());
        }
        for mail in prepared.consumed {
            self.consumed_idx.push(idx);
            self.consumed.push(*mail);
        }
        if let Some(attributes) = prepared.attributes {
            self.attributes_idx.push(idx);
            for (name, value) in attributes {
                self.attribute_idx.push(idx);
                self.attribute_name.push(name.clone());
                self.attribute_value
                    .push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        }
    }

    fn push_wait(&mut self, idx: i64, namespace: &str, wait: &Wait) {
        self.wait_idx.push(idx);
        self.wait.push(wait.wait.0);
        self.wait_namespace.push(namespace.to_owned());
        self.wait_type.push(wait.event_type.clone().unwrap_or_default());
        self.wait_shape.push(wait.shape.clone());
        self.wait_value.push(wait.value.clone().unwrap_or_default());
    }
}
