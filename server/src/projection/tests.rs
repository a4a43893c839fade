//! Projections of instances in each state.

use tenure_adapter::Problem;
use tenure_machine::instance::Effect;
use tenure_machine::{CallId, Entry, FrameId, Identity};
use tenure_store::port::Receipt;
use uuid::Uuid;

use super::*;

fn due() -> Timestamp {
    Timestamp::from_second(60).unwrap()
}

fn stored(status: Status, activities: Vec<Activity>) -> Stored {
    let at = Timestamp::UNIX_EPOCH;
    let frames = activities
        .into_iter()
        .enumerate()
        .map(|(index, activity)| {
            let frame = Frame {
                task: TaskId(0),
                parent: None,
                branch: 0,
                raw: Value::Null.into(),
                input: None,
                started_at: at,
                timeout: None,
                late: None,
                lock: None,
                extended: Vec::new(),
                activity,
            };
            (FrameId(i64::try_from(index).unwrap()), frame)
        })
        .collect();
    let instance = Instance {
        id: InstanceId(Uuid::nil()),
        identity: Identity {
            namespace: "default".into(),
            definition: "purchase-direct".into(),
            version: "1.0.0".into(),
            digest: "d".into(),
            business_key: "acme".into(),
            start_key: "k".into(),
            parent: None,
        },
        revision: 7,
        status,
        input: json!({ "sku": "a" }).into(),
        context: Value::Null.into(),
        started_at: at,
        timeout: None,
        timers: BTreeMap::from([(TimerId(1), due())]),
        frames,
        next_id: 0,
        visits: BTreeMap::new(),
        abandoned: BTreeMap::new(),
        refused: Vec::new(),
        late: None,
        lock: None,
        held_above: Vec::new(),
        compensations: Vec::new(),
        cancelling: None,
        attributes: BTreeMap::new(),
    };
    Stored { instance, updated_at: at, parked: None }
}

fn effect() -> Effect {
    Effect {
        position: "/do/0/a".into(),
        visit: 0,
        generation: 0,
        key: Uuid::nil(),
        request: json!({ "card": "secret" }).into(),
        intent_at: Timestamp::UNIX_EPOCH,
        send_by: Timestamp::UNIX_EPOCH,
        attempts: 2,
        unknowns: 0,
        absences: 0,
        unsent: 0,
        authored: None,
        earlier: None,
    }
}

#[test]
fn an_end_is_shown_with_its_facts() {
    let at = Timestamp::UNIX_EPOCH;
    let check = |status: Status, word: &str, field: &str, expected: Value| {
        let shown = instance(&stored(status, Vec::new()), &Surroundings::default());
        assert_eq!((&shown["status"], &shown[field]), (&json!(word), &expected));
    };
    check(Status::Completed { output: json!(1).into(), at }, "completed", "output", json!(1));
    let error = Problem::runtime("x");
    check(Status::Faulted { error: error.clone(), at }, "faulted", "error", json!(error));
    let reason = "why".to_owned();
    check(Status::Cancelled { reason, at }, "cancelled", "cancel_reason", json!("why"));
    check(Status::Pending, "pending", "ended_at", Value::Null);
    check(Status::Live, "live", "business_key", json!("acme"));
}

#[test]
fn each_leaf_says_what_it_waits_for_and_no_request_is_shown() {
    let incident = Incident {
        fingerprint: "f".into(),
        detail: "unknown outcome".into(),
        since: Timestamp::UNIX_EPOCH,
    };
    let leaves = vec![
        Activity::Do,
        Activity::Call { effect: effect(), phase: CallPhase::Sent { call: CallId(1) } },
        Activity::Call { effect: effect(), phase: CallPhase::Stuck { incident } },
        Activity::Wait { timer: TimerId(1) },
        Activity::Child { child: InstanceId(Uuid::nil()) },
        Activity::Listen {
            waits: BTreeMap::new(),
            consumed: vec![],
            bound: BTreeMap::new(),
            seen: vec![],
            turns: None,
        },
    ];
    let shown = instance(&stored(Status::Live, leaves), &Surroundings::default());
    let kinds: Vec<&str> = shown["waiting_for"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["call", "incident", "timer", "child", "event"]);
    assert!(!shown["waiting_for"].to_string().contains("secret"));
}

#[test]
fn waits_show_what_they_correlate_by_and_timers_when_they_are_due() {
    let entry = |fact| Entry { task: Some(String::new()), place: None, fact };
    let journal = [JournalRow {
        seq: 1,
        at: Timestamp::UNIX_EPOCH,
        entries: vec![
            entry(Fact::TaskStarted),
            entry(Fact::WaitOpened {
                event_type: Some("com.tenure.terms.accepted".into()),
                value: Some("[\"t0\"]".into()),
            }),
        ],
    }];
    let leaves = vec![
        Activity::Listen {
            waits: BTreeMap::new(),
            consumed: vec![],
            bound: BTreeMap::new(),
            seen: vec![],
            turns: None,
        },
        Activity::Wait { timer: TimerId(1) },
    ];
    let around = Surroundings { journal: &journal, ..Surroundings::default() };
    let shown = instance(&stored(Status::Live, leaves), &around);
    let lines = &shown["waiting_for"];
    assert_eq!(lines[0]["events"][0]["correlation"], json!(["t0"]));
    assert_eq!(lines[1]["due"], json!(due()));
}

#[test]
fn the_address_of_an_event_is_one_query() {
    let event = CloudEvent {
        specversion: "1.0".into(),
        id: "a b".into(),
        source: "/portal?x=1&y".into(),
        kind: "t".into(),
        rest: Map::new(),
    };
    let receipt =
        Receipt { duplicate: true, received_at: Timestamp::UNIX_EPOCH, delivered_to: vec![] };
    let shown = super::event(&EventAnswer { event, receipt });
    assert_eq!(shown["href"], "/v1/events?source=%2Fportal%3Fx%3D1%26y&id=a%20b");
    assert_eq!(shown.get("duplicate"), None);
}

#[test]
fn incidents_of_every_kind_are_shown_also_after_the_end() {
    let incident = |fingerprint: &str| Incident {
        fingerprint: fingerprint.to_owned(),
        detail: "why".to_owned(),
        since: due(),
    };
    let mut stored = stored(
        Status::Live,
        vec![Activity::Call {
            effect: effect(),
            phase: CallPhase::Stuck { incident: incident("config:f") },
        }],
    );
    stored.parked = Some(incident("panic:d:timer_due"));
    let late = tenure_machine::abandoned::Abandoned {
        effect: effect(),
        task: TaskId(0),
        function: "f".to_owned(),
        parent: None,
        call: None,
        outcome: None,
        undoable: None,
        incident: Some(incident("late:f")),
    };
    stored.instance.abandoned.insert("/do/0/a".to_owned(), late);
    let mut shown = instance(&stored, &Surroundings::default());
    crate::redaction::Hidden::Everything.instance(&mut shown);
    let told: Vec<_> = shown["incidents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["kind"].as_str().unwrap(), line["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("parked", "why"), ("stuck", "[redacted]"), ("late", "[redacted]")]);
}
