//! Runs in memory: `tenure run` without its command line.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the kit of the tests may panic like a test"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tenure_adapter::{Adapter, EffectClass, Manifest, Outcome, Registry, Request, RetryDefault};
use tenure_definition::{Plan, Source, compile};
use tenure_machine::CloudEvent;
use tenure_runtime::local::{Options, Report, Status, run};

/// Answers with its input, and remembers it.
#[derive(Debug, Default)]
struct Echo(Mutex<Vec<Value>>);

#[async_trait]
impl Adapter for Echo {
    fn manifests(&self) -> Vec<Manifest> {
        vec![Manifest {
            name: "test.echo".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Gives back what it gets.".to_owned(),
            connection: None,
            input: json!({ "type": "object" }),
            output: json!({}),
            errors: Vec::new(),
            class: EffectClass::Natural,
            money: false,
            deadline_ms: 1_000,
            settle_ms: 0,
            retry: RetryDefault { retries_max: 0, delay_ms: 1 },
        }]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        self.0.lock().unwrap().push(request.input.clone());
        Outcome::Done { output: request.input.clone() }
    }
}

struct Kit {
    echo: Arc<Echo>,
    registry: Registry,
}

impl Kit {
    fn new() -> Self {
        let echo = Arc::new(Echo::default());
        let plug: Arc<dyn Adapter> = Arc::clone(&echo) as Arc<dyn Adapter>;
        Self { echo, registry: Registry::new([plug], |catalog| catalog) }
    }

    fn plan(&self, name: &str, rest: &str) -> Arc<Plan> {
        let head =
            format!("document: {{ dsl: 1.0.3, namespace: test, name: {name}, version: 1.0.0 }}");
        let source = Source { name: format!("{name}.yaml"), text: format!("{head}\n{rest}") };
        let (plan, _) = compile(&source, self.registry.catalog())
            .unwrap_or_else(|found| panic!("{:?}", found.items));
        Arc::new(plan)
    }

    fn options(&self, rest: &str) -> Options {
        Options {
            plan: self.plan("main", rest),
            others: Vec::new(),
            input: json!({}),
            events: Vec::new(),
            triggers: Vec::new(),
            secrets: BTreeMap::new(),
            virtual_clock: true,
            start_at: Some(start()),
        }
    }

    async fn run(&self, options: Options) -> Report {
        run(options, &self.registry).await
    }
}

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn event(kind: &str, data: Value) -> CloudEvent {
    CloudEvent {
        specversion: "1.0".to_owned(),
        id: kind.to_owned(),
        source: "/test".to_owned(),
        kind: kind.to_owned(),
        rest: Map::from_iter([("data".to_owned(), data)]),
    }
}

#[tokio::test]
async fn a_virtual_clock_jumps_over_a_year() {
    let kit = Kit::new();
    let report = kit
        .run(kit.options(
            "do: [ { a: { set: { n: 1 } } }, { w: { wait: P1Y } }, { b: { set: { n: 2 } } } ]",
        ))
        .await;
    assert_eq!(report.status, Status::Completed);
    assert_eq!(report.output, json!({ "n": 2 }));
    assert_eq!(report.tasks_run, ["/do/0/a", "/do/1/w", "/do/2/b"]);
    assert_eq!(report.started_at, start());
    assert_eq!(report.finished_at, start() + SignedDuration::from_hours(24 * 365));
}

#[tokio::test]
async fn calls_are_made_and_secrets_filled_in_for_them_alone() {
    let kit = Kit::new();
    let mut options = kit.options(
        "use: { secrets: [token] }\n\
         do: [ { c: { call: 'test.echo:1.0.0@default', with: { auth: '${ $secrets.token }' } } }, \
         { s: { set: { done: true } } } ]",
    );
    options.secrets.insert("token".to_owned(), "canary".to_owned());
    assert!(!format!("{options:?}").contains("canary"));
    let report = kit.run(options).await;
    assert_eq!(report.status, Status::Completed, "{report:?}");
    assert_eq!(*kit.echo.0.lock().unwrap(), [json!({ "auth": "canary" })]);
}

#[tokio::test]
async fn a_secret_that_has_no_value_is_an_authorization_error() {
    let kit = Kit::new();
    let options = kit.options(
        "use: { secrets: [token] }\n\
         do: [ { c: { call: 'test.echo:1.0.0@default', with: { auth: '${ $secrets.token }' } } } ]",
    );
    let error = kit.run(options).await.error.unwrap();
    assert!(error.kind.ends_with("/errors/authorization"), "{error:?}");
    assert_eq!((error.status, error.instance.as_deref()), (403, Some("/do/0/c")));
    assert!(kit.echo.0.lock().unwrap().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn scripted_events_come_in_order_once_it_waits_each_after_its_delay() {
    let kit = Kit::new();
    let listen =
        |kind: &str| format!("{{ listen: {{ to: {{ one: {{ with: {{ type: {kind} }} }} }} }} }}");
    let mut options = kit.options(&format!(
        "do: [ {{ w: {{ wait: PT1M }} }}, {{ a: {} }}, {{ b: {} }} ]",
        listen("first"),
        listen("second")
    ));
    options.events = vec![
        (SignedDuration::from_secs(5), event("first", json!(1))),
        (SignedDuration::ZERO, event("second", json!(2))),
    ];
    let report = kit.run(options).await;
    assert_eq!(report.status, Status::Completed, "{report:?}");
    assert_eq!(report.output, json!([2]));
    assert_eq!(report.finished_at, start() + SignedDuration::from_secs(65));
}

#[tokio::test]
async fn it_still_waits_when_nothing_more_can_happen() {
    let kit = Kit::new();
    let report = kit
        .run(kit.options("do: [ { a: { listen: { to: { one: { with: { type: never } } } } } } ]"))
        .await;
    assert_eq!(report.status, Status::Waiting);
    assert_eq!(report.output, Value::Null);
}

#[tokio::test]
async fn children_run_beside_it_and_their_absence_is_an_error() {
    let kit = Kit::new();
    let parent = "do: [ { c: { run: { workflow: { namespace: test, name: child, version: latest, \
                  input: { n: 3 } } } } } ]";
    let mut options = kit.options(parent);
    options.others = vec![kit.plan("child", "do: [ { a: { set: { n: '${ .n + 1 }' } } } ]")];
    let report = kit.run(options).await;
    assert_eq!((report.status, report.output), (Status::Completed, json!({ "n": 4 })));
    assert_eq!(report.tasks_run, ["/do/0/c"], "its own tasks, not the child's");

    let report = kit.run(kit.options(parent)).await;
    assert_eq!(report.status, Status::Faulted);
    assert!(report.error.unwrap().detail.unwrap().contains("--with"));
}

#[tokio::test]
async fn what_it_publishes_is_told_and_delivered() {
    let kit = Kit::new();
    let report = kit
        .run(kit.options(
            "do: [ { e: { emit: { event: { with: { source: /me, type: told, data: 7 } } } } }, \
             { l: { listen: { to: { one: { with: { type: told } } } } } } ]",
        ))
        .await;
    assert_eq!((report.status, report.output), (Status::Completed, json!([7])));
    assert_eq!(report.emitted.len(), 1);
}

#[tokio::test]
async fn triggers_become_the_input_and_a_refused_input_starts_nothing() {
    let kit = Kit::new();
    let scheduled = "schedule: { on: { one: { with: { type: bought } } } }\n\
                     do: [ { a: { set: { got: '${ . }' } } } ]";
    let mut options = kit.options(scheduled);
    options.triggers = vec![event("other", json!(0)), event("bought", json!({ "sku": "x" }))];
    let report = kit.run(options).await;
    assert_eq!(report.output, json!({ "got": [{ "sku": "x" }] }));

    let mut options = kit.options("do: [ { a: { set: { n: 1 } } } ]");
    options.triggers = vec![event("bought", json!(1))];
    assert_eq!(kit.run(options).await.status, Status::Rejected);

    let refused = kit
        .run(kit.options(
            "input: { schema: { document: { type: object, required: [n] } } }\n\
             do: [ { a: { set: { n: 1 } } } ]",
        ))
        .await;
    assert_eq!(refused.status, Status::Rejected);
    assert!(refused.tasks_run.is_empty());
}

#[tokio::test]
async fn a_lock_has_one_holder_in_a_local_run_too() {
    let kit = Kit::new();
    let hold = "do: [ { gate: { metadata: { exclusive: 'account-${ .account }' }, do: [ { hold: { wait: PT1H } } ] } } ]";
    let child = |account: &str| {
        format!(
            "{{ run: {{ workflow: {{ namespace: test, name: hold, version: latest, input: {{ account: {account} }} }} }} }}"
        )
    };
    for (second, hours) in [("A", 2), ("B", 1)] {
        let text = format!(
            "do: [ {{ all: {{ fork: {{ branches: [ {{ a: {} }}, {{ b: {} }} ] }} }} }} ]",
            child("A"),
            child(second)
        );
        let mut options = kit.options(&text);
        options.others = vec![kit.plan("hold", hold)];
        let report = run(options, &kit.registry).await;
        assert_eq!(report.status, Status::Completed, "{:?}", report.error);
        assert_eq!(report.finished_at, start() + SignedDuration::from_hours(hours), "{second}");
    }
}

#[tokio::test]
async fn a_business_key_that_is_taken_refuses_a_child_in_a_local_run_too() {
    let kit = Kit::new();
    let text = "document: { dsl: 1.0.3, namespace: test, name: only, version: 1.0.0, metadata: { businessKey: { key: '${ .key }', policy: reject } } }
do: [ { hold: { wait: PT1H } } ]";
    let source = Source { name: "only.yaml".to_owned(), text: text.to_owned() };
    let (only, _) = compile(&source, kit.registry.catalog()).unwrap();
    let only = Arc::new(only);
    let child = |key: &str| {
        format!(
            "{{ run: {{ workflow: {{ namespace: test, name: only, version: latest, input: {{ key: {key} }} }} }} }}"
        )
    };
    for (second, status) in [("K", Some(409)), ("L", None)] {
        let text = format!(
            "do: [ {{ all: {{ fork: {{ branches: [ {{ a: {} }}, {{ b: {} }} ] }} }} }} ]",
            child("K"),
            child(second)
        );
        let mut options = kit.options(&text);
        options.others = vec![Arc::clone(&only)];
        let report = run(options, &kit.registry).await;
        assert_eq!(report.error.map(|error| error.status), status, "{second}");
    }
}
