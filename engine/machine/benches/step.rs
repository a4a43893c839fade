//! What a step costs in the pure machine: ten tasks of all common kinds, on 1 KB of input. Five
//! events move the instance from its start to its end; the tasks between two of them ride along.

#![expect(
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a bench says no by a panic, and looks for two commands of many"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_adapter::{Catalog, EffectClass, Manifest, Outcome, RetryDefault};
use tenure_definition::{Plan, Source, compile};
use tenure_machine::bucket::Bucket;
use tenure_machine::{
    CloudEvent, Command, Event, Instance, InstanceId, Start, Status, Step, Transition, step,
};

const TEXT: &str = r#"
document: { dsl: '1.0.3', namespace: bench, name: ten, version: '1.0.0' }
do:
  - prepare: { set: { order: '${ .order.id }', seats: '${ .order.seats }', mail: '${ .customer.mail }' }, export: { as: '$context + {order: .order}' } }
  - large: { switch: [ { yes: { when: '.seats > 100', then: end } } ] }
  - charge: { call: bank.charge, with: { amount: '${ .seats * 1999 }', reference: '${ "order \($context.order)" }' }, output: { as: '{charge: .id}' }, export: { as: '$context + .' } }
  - charged: { set: { text: '${ "\($workflow.id): \($context.charge)" }' } }
  - told: { emit: { event: { with: { source: 'https://shop.example', type: order.charged, data: { order: '${ $context.order }' } } } } }
  - pause: { wait: { minutes: 5 } }
  - accepted: { listen: { to: { one: { with: { type: terms.accepted }, correlate: { order: { from: .data.order, expect: '${ $context.order }' } } } } } }
  - kept: { set: { by: '${ .[0].by }', at: '${ $task.startedAt.epoch.seconds }' }, export: { as: '$context + {by: .by}' } }
  - license: { call: bank.charge, with: { amount: 0, reference: '${ "license of \($context.order)" }' } }
  - done: { set: { order: '${ $context.order }', charge: '${ $context.charge }', by: '${ $context.by }' } }
"#;
/// Events that move the instance, its start included.
const STEPS: u64 = 5;
const TASKS: u64 = 10;

fn catalog() -> Catalog {
    Catalog::new([Manifest {
        name: "bank.charge".to_owned(),
        version: "1.0.0".to_owned(),
        summary: "A function of the bench.".to_owned(),
        connection: Some("bank".to_owned()),
        input: json!({
            "type": "object",
            "properties": { "amount": { "type": "integer" }, "reference": { "type": "string" } },
        }),
        output: json!({}),
        errors: Vec::new(),
        class: EffectClass::Natural,
        money: false,
        deadline_ms: 2_000,
        settle_ms: 500,
        retry: RetryDefault { retries_max: 2, delay_ms: 100 },
    }])
}

fn input() -> Value {
    json!({
        "order": { "id": "o-17", "seats": 3, "note": "n".repeat(400) },
        "customer": { "name": "Ada Lovelace", "mail": "ada@example.com", "country": "DE" },
        "lines": (0..8).map(|n| json!({"sku": format!("PRO-{n}"), "n": n, "price": 1999})).collect::<Vec<_>>(),
    })
}

/// The event that answers what the last step asked for.
fn answer(last: &Transition, at: &mut Timestamp) -> Option<Event> {
    let waited = last.instance.timers.iter().map(|(timer, due)| (*timer, *due)).next();
    last.commands.iter().find_map(|command| match command {
        Command::Call(intent) => Some(Event::CallEnded {
            call: intent.call,
            outcome: Outcome::Done { output: json!({"id": "c-1", "state": "settled"}) },
        }),
        Command::OpenWait(wait) => {
            let data = json!({"order": "o-17", "by": "ada"});
            Some(Event::EventArrived {
                wait: wait.wait,
                event: CloudEvent {
                    specversion: "1.0".to_owned(),
                    id: "e-1".to_owned(),
                    source: "/shop".to_owned(),
                    kind: "terms.accepted".to_owned(),
                    rest: Map::from_iter([("data".to_owned(), data)]),
                },
            })
        }
        Command::SetTimer { .. } => waited.map(|(timer, due)| {
            *at = due;
            Event::TimerDue { timer }
        }),
        _ => None,
    })
}

/// The states of one run, each with the event that moves it and when.
fn states(plan: &Plan) -> Vec<(Instance, Event, Timestamp)> {
    let mut at = Timestamp::from_second(1_800_000_000).expect("a time");
    let start = Start {
        id: InstanceId::new(Bucket(9), at, [3; 8]),
        business_key: Some("o-17".to_owned()),
        start_key: Some("key-1".to_owned()),
        input: input(),
        parent: None,
        at,
    };
    let mut states = vec![(start.into_instance(plan), Event::Started, at)];
    while let Some((instance, event, now)) = states.last() {
        let Step::Moved(moved) = step(plan, instance, event, *now) else {
            panic!("{event:?} does not move the instance")
        };
        if let Status::Completed { .. } = moved.instance.status {
            break;
        }
        let next = answer(&moved, &mut at);
        let next =
            next.unwrap_or_else(|| panic!("nothing to do after {:?}", moved.instance.status));
        states.push((moved.instance, next, at));
    }
    states
}

fn steps(c: &mut Criterion) {
    let source = Source { name: "ten.yaml".to_owned(), text: TEXT.to_owned() };
    let plan = match compile(&source, &catalog()) {
        Ok((plan, _)) => plan,
        Err(found) => panic!("{}", found.render(false)),
    };
    assert_eq!(u64::try_from(plan.tasks.len()), Ok(TASKS), "ten tasks");
    let states = states(&plan);
    assert_eq!(u64::try_from(states.len()), Ok(STEPS), "five steps");
    let mut group = c.benchmark_group("step");
    for (number, (instance, event, at)) in states.iter().enumerate() {
        group.bench_function(format!("{} of 5", number + 1), |b| {
            b.iter(|| step(&plan, black_box(instance), event, *at));
        });
    }
    group.throughput(Throughput::Elements(STEPS));
    group.bench_function("all five", |b| {
        b.iter(|| {
            for (instance, event, at) in &states {
                black_box(step(&plan, black_box(instance), event, *at));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
