//! `tenure run`: one definition to its end in memory, on the same machine and adapters.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tenure_adapter::{Catalog, Problem};
use tenure_adapters::{CallRecord, Settings};
use tenure_definition::{Plan, time};
use tenure_machine::CloudEvent;
use tenure_runtime::local::{self, Report, Status, Trouble};

use super::{Output, read, secrets};
use crate::exit::{Exit, Stop};
use crate::scratch::Scratch;
use crate::term::{self, Format};
use crate::{connection, sandbox, stack};

/// The sandbox of a run takes free ports: nobody opens its inbox.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Options of `tenure run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure run hello.yaml --input '{\"name\": \"Ada\"}'
  tenure run approval.yaml --input @input.json --events @approved.json --clock virtual
  tenure run order.yaml --connections test.toml --resolve rest.zuora.com=http://127.0.0.1:9000
  tenure run workflows/purchase-direct/workflow.yaml --with workflows/eula/workflow.yaml \\
      --with workflows/license-emit/workflow.yaml --input @purchase.json --sandbox

Exit codes: 0 completed, 7 ended in failure or needs an operator, 5 rejected, 8 still waiting when
nothing more can happen.")]
pub(super) struct RunOptions {
    /// The definition
    file: PathBuf,
    /// Further definition it may run as a child (repeatable)
    #[arg(long = "with", value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Its input
    #[arg(long, value_name = "JSON|@FILE")]
    input: Option<String>,
    /// CloudEvents sent in order once the instance waits; each may have an `after` duration
    #[arg(long, value_name = "JSON|@FILE")]
    events: Option<String>,
    /// CloudEvents that start it through `schedule.on`
    #[arg(long, value_name = "JSON|@FILE")]
    trigger: Option<String>,
    /// Values of $secrets, as a JSON object
    #[arg(long, value_name = "JSON|@FILE")]
    secrets: Option<String>,
    /// Whether timers sleep or jump
    #[arg(long, value_enum, default_value = "real")]
    clock: Clock,
    /// The clock's reading at the start
    #[arg(long, value_name = "RFC3339")]
    start_at: Option<Timestamp>,
    /// Answer requests to host NAME at this address, whatever their scheme (repeatable)
    #[arg(long, value_name = "NAME=http://HOST:PORT", value_parser = resolution)]
    resolve: Vec<(String, SocketAddr)>,
    /// Start a sandbox that plays the vendors while it runs
    #[arg(long, conflicts_with = "connections")]
    sandbox: bool,
    /// TOML file with the accounts at the vendors, as for `tenure serve`
    #[arg(long, value_name = "FILE")]
    connections: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// Timers sleep
    Real,
    /// No timer sleeps
    Virtual,
}

/// `NAME=http://HOST:PORT`.
fn resolution(text: &str) -> Result<(String, SocketAddr), String> {
    let expected = || format!("{text:?} is not NAME=http://HOST:PORT");
    let (name, url) = text.split_once('=').ok_or_else(expected)?;
    let authority = url.strip_prefix("http://").ok_or_else(expected)?.trim_end_matches('/');
    if name.is_empty() {
        return Err(expected());
    }
    Ok((name.to_ascii_lowercase(), super::address(authority)?))
}

/// Runs it and prints exactly one JSON object.
pub(super) async fn run(options: RunOptions) -> anyhow::Result<Exit> {
    let recorder = Arc::new(Mutex::new(Vec::new()));
    let scratch = Scratch::new("tenure-run")?;
    let ended = run_in(&options, &recorder, scratch.path()).await;
    let calls = recorder.lock().map(|calls| calls.clone()).unwrap_or_default();
    let report = match ended.or_else(refused)? {
        Ok(report) => report,
        Err(problem) => Report::rejected(*problem, options.start_at.unwrap_or_else(Timestamp::now)),
    };
    let exit = match report.status {
        Status::Completed => Exit::Ok,
        Status::Faulted | Status::Cancelled | Status::Incident => Exit::Faulted,
        Status::Rejected => Exit::Invalid,
        Status::Waiting => Exit::Waiting,
    };
    if let (Status::Rejected, Some(error)) = (report.status, &report.error) {
        term::talk(&format!("rejected: {}", error.detail.as_ref().unwrap_or(&error.title)));
    }
    if let (Status::Waiting, Some(task)) = (report.status, report.tasks_run.last()) {
        term::talk(&format!(
            "still waiting, and nothing more can happen; the last task that began is {task}"
        ));
    }
    for trouble in &report.incidents {
        term::talk(&incident(trouble));
    }
    let shown = object(&report, &calls);
    match options.output.output {
        // One line for pipes, indented for people; the object is the same.
        Some(Format::Json) => term::data(&shown.to_string())?,
        Some(Format::Text) | None => term::json(&shown)?,
    }
    Ok(exit)
}

/// An incident as a line for people.
fn incident(trouble: &Trouble) -> String {
    let Trouble { definition, task, fingerprint, detail, since } = trouble;
    format!(
        "incident: {definition} {task}: {detail}\n  cause {fingerprint}, since {since}; a server \
         keeps the instance as it is until an operator has resolved it"
    )
}

/// The report, or the problem a definition was refused with (its findings are on stderr by then).
type Ended = Result<Report, Box<Problem>>;

/// Input, events or secrets that cannot be used reject the run, like a definition that cannot.
fn refused(error: anyhow::Error) -> anyhow::Result<Ended> {
    match error.downcast_ref::<Stop>() {
        Some(stop) if stop.exit == Exit::Invalid => {
            Ok(Err(Box::new(Problem::validation(stop.message.clone()))))
        }
        Some(_) | None => Err(error),
    }
}

async fn run_in(
    options: &RunOptions,
    recorder: &Arc<Mutex<Vec<CallRecord>>>,
    scratch: &Path,
) -> anyhow::Result<Ended> {
    let input = match &options.input {
        Some(text) => read::json("--input", text)?,
        None => Value::Null,
    };
    let start = options.start_at.unwrap_or_else(Timestamp::now);
    let mut settings = Settings {
        resolve: options.resolve.iter().cloned().collect(),
        recorder: Some(Arc::clone(recorder)),
        // A key of this run's own: what it signs is worth nothing outside.
        license_dir: Some(scratch.join("license")),
        ..Settings::default()
    };
    if let Some(path) = &options.connections {
        settings.connections = connection::read(path)?;
    }
    let vendors = if options.sandbox {
        let vendors = sandbox::open(ANY_PORT, &scratch.join("sandbox")).await?;
        settings.connections = vendors.settings().connections;
        Some(vendors)
    } else {
        None
    };
    let registry = tenure_adapters::registry(settings).context("the adapters cannot start")?;
    let plan = match compile(&options.file, registry.catalog())? {
        Ok(plan) => plan,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut others = Vec::new();
    for path in &options.with {
        match compile(path, registry.catalog())? {
            Ok(plan) => others.push(plan),
            Err(problem) => return Ok(Err(problem)),
        }
    }
    let run = local::Options {
        plan,
        others,
        input,
        events: match &options.events {
            Some(text) => events(&read::json("--events", text)?, start)?,
            None => Vec::new(),
        },
        triggers: match &options.trigger {
            Some(text) => triggers(read::json("--trigger", text)?)?,
            None => Vec::new(),
        },
        secrets: match &options.secrets {
            Some(text) => secrets::of_json("--secrets", read::json("--secrets", text)?)?,
            None => BTreeMap::new(),
        },
        virtual_clock: options.clock == Clock::Virtual,
        start_at: options.start_at,
    };
    let report = local::run(run, &registry).await;
    drop(vendors);
    Ok(Ok(report))
}

fn compile(path: &Path, catalog: &Catalog) -> anyhow::Result<Result<Arc<Plan>, Box<Problem>>> {
    let source = read::source(path)?;
    let (found, diagnostics) = match stack::deep(|| tenure_definition::compile(&source, catalog))? {
        Ok((plan, warnings)) => (Ok(Arc::new(plan)), warnings),
        Err(diagnostics) => {
            let findings: Vec<Value> =
                diagnostics.items.iter().map(crate::problem::finding).collect();
            let detail = match diagnostics.items.first() {
                Some(first) => format!(
                    "{}:{}:{}: {}",
                    path.display(),
                    first.span.line,
                    first.span.column,
                    first.message
                ),
                None => format!("{} does not compile", path.display()),
            };
            let mut problem = Problem::validation(detail);
            problem.instance = diagnostics.items.first().map(|first| first.pointer.clone());
            problem.data = Some(json!({ "errors": findings }));
            (Err(Box::new(problem)), diagnostics)
        }
    };
    let text = diagnostics.render(term::has_color());
    if !text.is_empty() {
        term::talk(text.trim_end());
    }
    Ok(found)
}

fn invalid(message: String) -> anyhow::Error {
    Stop::new(Exit::Invalid, message).into()
}

fn event(option: &str, index: usize, value: Value) -> anyhow::Result<CloudEvent> {
    let place = format!("{option}[{index}]");
    let event: CloudEvent = serde_json::from_value(value)
        .map_err(|error| invalid(format!("{place} is not a CloudEvent: {error}")))?;
    event.check().map_err(|detail| invalid(format!("{place}: {detail}")))?;
    Ok(event)
}

fn list(option: &str, value: Value) -> anyhow::Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(invalid(format!("{option} is not a list of CloudEvents")))
        }
    }
}

fn triggers(value: Value) -> anyhow::Result<Vec<CloudEvent>> {
    let items = list("--trigger", value)?.into_iter().enumerate();
    items.map(|(index, item)| event("--trigger", index, item)).collect()
}

/// Events with their delays: `after` beside the attributes, as text (`PT5M`) or an object.
fn events(value: &Value, start: Timestamp) -> anyhow::Result<Vec<(SignedDuration, CloudEvent)>> {
    let items = list("--events", value.clone())?.into_iter().enumerate();
    items
        .map(|(index, mut item)| {
            let after = item.as_object_mut().and_then(|map| map.remove("after"));
            let delay = match after {
                None | Some(Value::Null) => SignedDuration::ZERO,
                Some(after) => delay(&after, start)
                    .map_err(|detail| invalid(format!("--events[{index}].after: {detail}")))?,
            };
            Ok((delay, event("--events", index, item)?))
        })
        .collect()
}

fn delay(after: &Value, start: Timestamp) -> Result<SignedDuration, String> {
    let span = time::read_span(after)?;
    // Months and years are counted from the start of the run.
    let zoned = start.to_zoned(jiff::tz::TimeZone::UTC);
    let delay = span.to_duration(&zoned).map_err(|error| error.to_string())?;
    if delay.is_negative() { Err("is negative".to_owned()) } else { Ok(delay) }
}

/// The one JSON object, always with all its fields.
fn object(report: &Report, calls: &[CallRecord]) -> Value {
    let error = report.error.as_ref().map(|error| {
        let mut shown = json!({
            "type": error.kind,
            "status": error.status,
            "title": error.title,
            "detail": error.detail,
            "instance": error.instance,
        });
        if let (Some(map), Some(data)) = (shown.as_object_mut(), &error.data) {
            map.insert("data".to_owned(), data.clone());
        }
        shown
    });
    // The plugs know the system's clock only.
    let calls: Vec<CallRecord> = calls
        .iter()
        .map(|call| CallRecord { at: report.readings.at(call.at), ..call.clone() })
        .collect();
    let emitted: Vec<Value> = report.emitted.iter().map(CloudEvent::envelope).collect();
    json!({
        "status": report.status,
        "output": report.output,
        "error": error,
        "incidents": report.incidents,
        "context": report.context,
        "tasks_run": report.tasks_run,
        "tasks_cancelled": report.tasks_cancelled,
        "calls": calls,
        "emitted": emitted,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_names_a_host_and_an_address() {
        let found = resolution("API.example.com=http://127.0.0.1:81/").unwrap();
        assert_eq!(found, ("api.example.com".to_owned(), "127.0.0.1:81".parse().unwrap()));
        for wrong in ["x", "=http://127.0.0.1:1", "x=https://127.0.0.1:1", "x=http://127.0.0.1"] {
            assert!(resolution(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_object_has_all_its_fields_always() {
        let shown =
            object(&Report::rejected(Problem::validation("no"), Timestamp::UNIX_EPOCH), &[]);
        let names: Vec<&String> = shown.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [
                "status",
                "output",
                "error",
                "incidents",
                "context",
                "tasks_run",
                "tasks_cancelled",
                "calls",
                "emitted",
                "started_at",
                "finished_at"
            ]
        );
        assert_eq!(shown["status"], "rejected");
        assert_eq!(shown["error"]["status"], 400);
        assert_eq!(shown["error"].get("instance"), Some(&Value::Null));
    }

    #[test]
    fn lists_of_events_are_checked_with_their_place() {
        let error = triggers(json!([{ "id": "1" }])).unwrap_err().to_string();
        assert!(error.starts_with("--trigger[0] is not a CloudEvent"), "{error}");
        assert!(triggers(json!({})).is_err());
        let event = json!({ "specversion": "1.0", "id": "1", "source": "s", "type": "t" });
        assert_eq!(triggers(json!([event])).unwrap().len(), 1);
        let found = events(&json!([event]), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(found[0].0, SignedDuration::ZERO);
    }
}
