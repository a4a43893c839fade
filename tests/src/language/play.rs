//! Runs a case: compiled, then in memory with a virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tenure_adapter::{Adapter, EffectClass, Manifest, Outcome, Registry, Request, RetryDefault};
use tenure_adapters::Settings;
use tenure_definition::{Diagnostic, Plan, Source, compile};
use tenure_machine::CloudEvent;
use tenure_runtime::local::rehearsal::{Firing, Trial, rehearse};
use tenure_runtime::local::{self, Options, Report};

use super::case::{Case, Happening};
use crate::kit::services::Services;

/// The clock's reading at the start of a case that says none: 2027-01-15T08:00:00Z.
const START: i64 = 1_800_000_000;

/// What came of a case.
#[derive(Debug)]
pub struct Played {
    /// What the compiler says of the definition.
    pub found: Vec<Diagnostic>,
    /// The text that was compiled.
    pub text: String,
    /// The run; `None` when the definition is refused.
    pub report: Option<Report>,
    /// Inputs of the calls that were made.
    pub called: Vec<Value>,
    /// What its schedule fired, when it was rehearsed.
    pub fired: Vec<Firing>,
}

/// Two functions: one gives back what it gets, one answers what the case says.
#[derive(Debug, Default)]
struct Stub {
    script: Mutex<VecDeque<Outcome>>,
    called: Mutex<Vec<Value>>,
}

const NO_POISON: &str = "nothing panics while it holds the lock";

#[async_trait]
impl Adapter for Stub {
    fn manifests(&self) -> Vec<Manifest> {
        let manifest = |name: &str| Manifest {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            summary: "A function of the cases.".to_owned(),
            connection: None,
            input: json!({ "type": "object", "properties": { "n": { "type": "integer" } } }),
            output: json!({}),
            errors: Vec::new(),
            class: EffectClass::Natural,
            money: false,
            deadline_ms: 60_000,
            settle_ms: 0,
            retry: RetryDefault { retries_max: 0, delay_ms: 1 },
        };
        vec![manifest("test.echo"), manifest("test.scripted")]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        self.called.lock().expect(NO_POISON).push(request.input.clone());
        if request.function.starts_with("test.echo") {
            return Outcome::Done { output: request.input.clone() };
        }
        let next = self.script.lock().expect(NO_POISON).pop_front();
        next.unwrap_or_else(|| Outcome::Rejected {
            reason: tenure_adapter::Reason::Invalid,
            detail: "the case has no answer for this call".to_owned(),
            retry_after_ms: None,
        })
    }
}

/// The functions of the cases, and those of the language that call over HTTP: these find their hosts
/// at the services.
fn functions(stub: &Arc<Stub>, services: &Services) -> anyhow::Result<Registry> {
    let settings = Settings { resolve: services.hosts(), ..Settings::default() };
    let real = tenure_adapters::registry(settings)?;
    let own: Arc<dyn Adapter> = Arc::clone(stub) as Arc<dyn Adapter>;
    let web = real.adapter("http").cloned();
    Ok(Registry::new([own].into_iter().chain(web), |catalog| catalog))
}

/// Compiles and runs a case.
///
/// # Errors
/// When the case itself is wrong: a child that does not compile, an event that is none.
pub async fn play(case: &Case, services: &Services) -> anyhow::Result<Played> {
    let stub = Arc::new(Stub::default());
    stub.script.lock().expect(NO_POISON).extend(case.calls.iter().cloned());
    let registry = functions(&stub, services)?;
    let text = case.text();
    let source = Source { name: "case.yaml".to_owned(), text: text.clone() };
    let (plan, found) = match compile(&source, registry.catalog()) {
        Ok((plan, warnings)) => (plan, warnings.items),
        Err(found) => {
            return Ok(Played {
                found: found.items,
                text,
                report: None,
                called: Vec::new(),
                fired: Vec::new(),
            });
        }
    };
    let start = match case.start_at {
        Some(at) => at,
        None => Timestamp::from_second(START)?,
    };
    let plan = Arc::new(plan);
    if let Some(asked) = &case.rehearse {
        let trial = Trial {
            plan,
            since: start,
            until: asked.until,
            starts: asked.starts.clone(),
            outages: asked.outages.clone(),
        };
        let fired = rehearse(trial, &registry).await;
        return Ok(Played { found, text, report: None, called: Vec::new(), fired });
    }
    let options = Options {
        plan,
        others: case.others.iter().map(|text| child(text, &registry)).collect::<Result<_, _>>()?,
        input: case.input.clone(),
        events: numbered(&case.events)?,
        triggers: numbered(&case.triggers)?.into_iter().map(|(_, event)| event).collect(),
        secrets: case.secrets.clone(),
        virtual_clock: true,
        start_at: Some(start),
    };
    let report = local::run(options, &registry).await;
    let called = stub.called.lock().expect(NO_POISON).clone();
    Ok(Played { found, text, report: Some(report), called, fired: Vec::new() })
}

fn child(text: &str, registry: &Registry) -> anyhow::Result<Arc<Plan>> {
    let source = Source { name: "child.yaml".to_owned(), text: text.to_owned() };
    let (plan, _) = compile(&source, registry.catalog()).map_err(|found| {
        anyhow!("a definition of `others` is refused:\n{}", found.render(false))
    })?;
    Ok(Arc::new(plan))
}

/// The events as they arrive; ids and sources are made up where the case has none.
fn numbered(events: &[Happening]) -> anyhow::Result<Vec<(SignedDuration, CloudEvent)>> {
    (1..).zip(events).map(|(number, happening)| one(number, happening)).collect()
}

fn one(number: u32, happening: &Happening) -> anyhow::Result<(SignedDuration, CloudEvent)> {
    let mut attributes: BTreeMap<String, Value> = BTreeMap::from([
        ("specversion".to_owned(), json!("1.0")),
        ("id".to_owned(), json!(format!("event-{number}"))),
        ("source".to_owned(), json!("/case")),
    ]);
    attributes.extend(happening.event.clone());
    let event = serde_json::from_value(json!(attributes))
        .with_context(|| format!("event {number} of the case is no CloudEvent"))?;
    Ok((happening.after.unwrap_or(SignedDuration::ZERO), event))
}
