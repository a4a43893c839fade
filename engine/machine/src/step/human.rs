//! A person's decision: asked for by one event, brought by another.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_adapter::Problem;
use tenure_definition::TaskId;
use tenure_definition::builtin::{HUMAN_TASK_OPENED, HUMAN_TASK_WITHDRAWN};
use tenure_definition::canonical::canonical;
use tenure_definition::plan::{Human, TaskKind};
use tenure_definition::schema::Schema;
use tenure_definition::time::read_instant;
use uuid::Uuid;

use super::mover::{Mover, Work};
use super::run::sentence;
use crate::instance::Activity;
use crate::{CloudEvent, Command, Fact, FrameId, Stale, WaitId, key};

impl Mover<'_> {
    /// Asks: publishes the question and waits for the answer that names its ticket.
    pub(super) fn begin_human(&mut self, frame: FrameId, spec: &Human) -> Result<(), Problem> {
        let request = self.eval(frame, &spec.with, "with")?;
        spec.input
            .check(&request)
            .map_err(|found| Problem::validation(sentence("request of human.task", &found)))?;
        if spec.form.is_none()
            && let Some(form) = request.get("form")
        {
            computed_form(form)?;
        }
        let due = match request.get("due") {
            None => None,
            Some(due) => Some(
                read_instant(due)
                    .and_then(|due| due.instant(self.at, &self.plan.extensions.zone))
                    .map_err(|detail| Problem::expression(format!("with.due: {detail}")))?,
            ),
        };
        let (task, parent) = (self.frame(frame).task, self.frame(frame).parent);
        let position = self.position(task, parent);
        let visit = self.visit(parent, &position);
        let identity = &self.instance.identity;
        let ticket = key::effect_key(identity, &format!("human:{position}"), visit, 0);
        let opened = key::effect_key(identity, &format!("human-opened:{position}"), visit, 0);
        let wait = self.open_wait(frame, &spec.filter, Some(canonical(&json!([ticket]))));
        let timer = due.map(|due| self.set_timer(due));
        let fact = Fact::HumanTaskOpened { ticket, request: request.clone(), due };
        self.note(Some(task), fact);
        self.publish(task, HUMAN_TASK_OPENED, opened, Asked { ticket, request: &request, due });
        self.frame_mut(frame).activity = Activity::Human { wait, ticket, due: timer, request };
        Ok(())
    }

    /// Publishes what a portal shows to the assignees, or takes from their lists.
    fn publish(&mut self, task: TaskId, kind: &str, id: Uuid, asked: Asked<'_>) {
        let Asked { ticket, request, due } = asked;
        let identity = &self.instance.identity;
        let mut data = request.as_object().cloned().unwrap_or_default();
        data.insert("ticket".to_owned(), json!(ticket));
        data.insert("instance".to_owned(), json!(self.instance.id));
        data.insert("businessKey".to_owned(), json!(identity.business_key));
        data.insert("task".to_owned(), json!(self.plan.task(task).pointer));
        if let Some(due) = due {
            data.insert("due".to_owned(), json!(due));
        }
        let mut rest = Map::new();
        rest.insert("subject".to_owned(), json!(ticket));
        rest.insert("time".to_owned(), json!(self.at));
        rest.insert("datacontenttype".to_owned(), json!("application/json"));
        rest.insert("data".to_owned(), Value::Object(data));
        let event = CloudEvent {
            specversion: "1.0".to_owned(),
            id: id.to_string(),
            source: identity.event_source(),
            kind: kind.to_owned(),
            rest,
        };
        self.note(Some(task), Fact::EventEmitted { event: event.clone() });
        self.commands.push(Command::Emit { event });
    }

    /// Nobody is asked any more, without a decision: whoever shows the question takes it away.
    pub(super) fn withdraw(&mut self, task: TaskId, wait: WaitId, asked: Asked<'_>) {
        self.close_wait(wait);
        // A ticket is withdrawn once, so it gives the event its id.
        let position = format!("human-withdrawn:{}", asked.ticket);
        let id = key::effect_key(&self.instance.identity, &position, 0, 0);
        self.publish(task, HUMAN_TASK_WITHDRAWN, id, asked);
    }

    /// A decision. One that does not fit the form is refused, and the task waits for another.
    pub(super) fn decision_arrived(
        &mut self,
        wait: WaitId,
        event: &CloudEvent,
    ) -> Result<(), Stale> {
        let asked = self.instance.frames.iter().find_map(|(id, frame)| match &frame.activity {
            Activity::Human { wait: own, ticket, request, .. } if *own == wait => {
                Some((*id, *ticket, request))
            }
            Activity::Human { .. }
            | Activity::Listen { .. }
            | Activity::Do
            | Activity::For { .. }
            | Activity::Fork { .. }
            | Activity::Try { .. }
            | Activity::Call { .. }
            | Activity::Wait { .. }
            | Activity::Child { .. }
            | Activity::Locking
            | Activity::Function { .. }
            | Activity::Extended { .. }
            | Activity::Compensating { .. } => None,
        });
        let (frame, ticket, request) = asked.ok_or(Stale::Closed)?;
        let plan = self.plan;
        let task = plan.task(self.frame(frame).task);
        let TaskKind::Human(spec) = &task.kind else { return Err(Stale::Closed) };
        let data = event.data();
        let named = data.get("ticket").and_then(Value::as_str);
        if !event.fits(&spec.filter, &self.frame_vars(frame))
            || named != Some(ticket.to_string().as_str())
        {
            return Err(Stale::Mismatch);
        }
        let Some(decision) = data.get("decision") else { return Err(Stale::Mismatch) };
        let fits = match (&spec.form, request.get("form")) {
            (Some(form), _) => form.check(decision).is_ok(),
            (None, Some(form)) => {
                computed_form(form).is_ok_and(|form| form.check(decision).is_ok())
            }
            (None, None) => true,
        };
        if !fits {
            return Err(Stale::Mismatch);
        }
        let fact = Fact::EventConsumed { event: event.clone(), filter: None };
        self.note(Some(task.id), fact);
        if let Activity::Human { due: Some(timer), .. } = self.frame(frame).activity {
            self.forget_timer(timer);
        }
        self.close_wait(wait);
        self.frame_mut(frame).activity = Activity::Do;
        self.push(Work::Finish { frame, output: decision.clone().into(), flow: None });
        Ok(())
    }

    /// Nobody decided in time.
    pub(super) fn overdue(&mut self, frame: FrameId, due: Timestamp) {
        let task = self.frame(frame).task;
        let activity = std::mem::replace(&mut self.frame_mut(frame).activity, Activity::Do);
        if let Activity::Human { wait, ticket, request, .. } = activity {
            self.withdraw(task, wait, Asked { ticket, request: &request, due: Some(due) });
        }
        self.fail_frame(frame, Problem::timeout("nobody has decided until `due`"));
    }
}

/// What a person is asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'r> {
    pub(super) ticket: Uuid,
    pub(super) request: &'r Value,
    pub(super) due: Option<Timestamp>,
}

/// A form that an expression gave; text formats of the catalog are known to constant forms only.
fn computed_form(form: &Value) -> Result<Schema, Problem> {
    Schema::compile(form.clone(), &BTreeMap::new()).map_err(|found| {
        Problem::configuration(format!("with.form is not a JSON Schema: {}", found.message))
    })
}
