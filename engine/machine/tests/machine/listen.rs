//! listen: filters, correlation, until, foreach.

use serde_json::{Value, json};
use tenure_machine::limit::{LISTEN_CONSUMED_MAX, LISTEN_QUEUE_MAX};
use tenure_machine::{CloudEvent, Event, Instance, Stale, Status, Wait};

use crate::kit::{Run, event};

fn listen(to: &str, more: &str) -> String {
    format!("  - a: {{ listen: {{ to: {to} }}{more} }}")
}

/// What is kept between two steps is all there is.
fn restart(run: &mut Run) {
    let text = serde_json::to_string(&run.instance).unwrap();
    run.instance = serde_json::from_str::<Instance>(&text).unwrap();
}

fn one(with: &str, event: &CloudEvent) -> Result<(), Stale> {
    let mut run = Run::start_with(
        "",
        &listen(&format!("{{ one: {{ with: {with} }} }}"), ""),
        json!({ "n": 7 }),
    );
    let wait = run.waits()[0].wait;
    run.try_feed(Event::EventArrived { wait, event: event.clone() })
}

#[expect(clippy::needless_pass_by_value, reason = "a table reads better with plain values")]
fn check(with: &str, kind: &str, data: Value, fits: bool) {
    let expected = if fits { Ok(()) } else { Err(Stale::Mismatch) };
    assert_eq!(one(with, &event(kind, data.clone())), expected, "{with} on {kind} {data}");
}

#[test]
fn a_filter_asks_by_equality_pattern_or_expression() {
    check("{ type: com.acme.paid }", "com.acme.paid", json!(1), true);
    check("{ type: com.acme.paid }", "comXacmeXpaid", json!(1), false);
    check("{ type: 'com.acme.(paid|refunded)' }", "com.acme.refunded", json!(1), true);
    check("{ type: 'com.acme.(paid|refunded)' }", "com.acme.refunded.v1", json!(1), false);
    check("{ type: '${ startswith(\"com.\") }' }", "com.x", json!(1), true);
    check("{ type: '${ startswith(\"com.\") }' }", "org.x", json!(1), false);
    check("{ type: x, source: '/te.+' }", "x", json!(1), true);
    check("{ type: x, source: '${ \"/\" + \"test\" }' }", "x", json!(1), true);
    check("{ type: x, subject: s }", "x", json!(1), false);
    check("{ type: x, data: '${ .t > 38 }' }", "x", json!({ "t": 39 }), true);
    check("{ type: x, data: '${ .t > 38 }' }", "x", json!({ "t": 38 }), false);
    check("{ type: x, data: '${ .t > 38 }' }", "x", json!("a text"), false);
    check("{ type: x, data: '${ .n == $input.n }' }", "x", json!({ "n": 7 }), true);
    check(
        "{ type: x, data: { k: seat, n: '${ . > 1 }' } }",
        "x",
        json!({ "k": "seat", "n": 2, "more": 1 }),
        true,
    );
    check(
        "{ type: x, data: { k: seat, n: '${ . > 1 }' } }",
        "x",
        json!({ "k": "seat", "n": 1 }),
        false,
    );
}

#[test]
fn a_type_that_is_no_constant_is_routed_as_any_type() {
    for with in ["{ type: 'a|b' }", "{ type: '${ . == \"a\" }' }", "{ source: /test }"] {
        let run = Run::start(&listen(&format!("{{ one: {{ with: {with} }} }}"), ""));
        assert_eq!(run.waits()[0].event_type, None, "{with}");
    }
}

#[test]
fn an_empty_any_takes_every_event() {
    let mut run = Run::start(&listen("{ any: [] }", ""));
    let wait = run.waits()[0].clone();
    assert_eq!((wait.event_type.as_deref(), wait.shape.as_str()), (None, ""));
    run.arrive(&wait, "whatever", json!(1)).unwrap();
    assert_eq!(run.output(), json!([1]));
}

#[test]
fn the_first_event_binds_the_correlation_for_all_filters() {
    let filter = |kind: &str| {
        format!("{{ with: {{ type: {kind} }}, correlate: {{ room: {{ from: .roomid }} }} }}")
    };
    let to = format!("{{ all: [ {}, {} ] }}", filter("hot"), filter("wet"));
    let mut run = Run::start(&listen(&to, ""));
    let waits = run.waits();
    assert_eq!((waits[0].value.as_deref(), waits[1].value.as_deref()), (None, None));
    let of = |kind: &str, room: &str| {
        let mut event = event(kind, json!(room));
        event.rest.insert("roomid".to_owned(), json!(room));
        event
    };
    run.feed(Event::EventArrived { wait: waits[0].wait, event: of("hot", "r1") });
    // From now on only events of that room come here: the other wait has a value and a new id.
    let [again] = run.waits().try_into().unwrap();
    assert_eq!(again.value.as_deref(), Some(r#"["r1"]"#));
    assert!(run.closed().contains(&waits[1].wait));
    restart(&mut run);
    let other = Event::EventArrived { wait: again.wait, event: of("wet", "r2") };
    assert_eq!(run.try_feed(other), Err(Stale::Mismatch));
    run.feed(Event::EventArrived { wait: again.wait, event: of("wet", "r1") });
    assert_eq!(run.output(), json!(["r1", "r1"]));
}

#[test]
fn until_a_condition_sees_what_was_consumed_after_each_event() {
    let mut run = Run::start(&listen("{ any: [], until: ( . | length ) > 2 }", ""));
    let wait = run.waits()[0].clone();
    for number in 1..=2 {
        run.arrive(&wait, "x", json!(number)).unwrap();
        assert!(run.closed().is_empty(), "the wait stays open between events");
        restart(&mut run);
    }
    run.arrive(&wait, "x", json!(3)).unwrap();
    assert_eq!(run.output(), json!([1, 2, 3]));
    assert_eq!(run.closed(), [wait.wait]);
}

#[test]
fn until_an_event_that_is_no_part_of_the_output() {
    let to = "{ any: [ { with: { type: temperature } }, { with: { type: bpm } } ], \
              until: { one: { with: { type: checked-out } } } }";
    let mut run = Run::start(&listen(to, ""));
    let waits = run.waits();
    assert_eq!(waits.len(), 3);
    run.arrive(&waits[1], "bpm", json!(120)).unwrap();
    run.arrive(&waits[0], "temperature", json!(39)).unwrap();
    run.arrive(&waits[1], "bpm", json!(130)).unwrap();
    run.arrive(&waits[2], "checked-out", json!("bye")).unwrap();
    assert_eq!(run.output(), json!([120, 39, 130]), "in the order they came");
}

#[test]
fn until_all_of_several_events() {
    let to = "{ any: [ { with: { type: x } } ], \
              until: { all: [ { with: { type: p } }, { with: { type: q } } ] } }";
    let mut run = Run::start(&listen(to, ""));
    let waits = run.waits();
    run.arrive(&waits[1], "p", json!(1)).unwrap();
    assert_eq!(run.arrive(&waits[1], "p", json!(2)), Err(Stale::Closed), "one of each");
    run.arrive(&waits[0], "x", json!(3)).unwrap();
    run.arrive(&waits[2], "q", json!(4)).unwrap();
    assert_eq!(run.output(), json!([3]));
}

#[test]
fn an_event_that_fits_several_filters_counts_once() {
    let arrive = |run: &mut Run, wait: &Wait, id: &str, kind: &str| {
        let event = CloudEvent { id: id.to_owned(), ..event(kind, json!(id)) };
        run.try_feed(Event::EventArrived { wait: wait.wait, event })
    };
    let mut run = Run::start(&listen(
        "{ any: [ { with: { type: x } }, { with: { source: /test } } ], until: '${ length == 2 }' }",
        "",
    ));
    let waits = run.waits();
    assert_eq!(arrive(&mut run, &waits[1], "e1", "x"), Err(Stale::Mismatch), "the first filter's");
    arrive(&mut run, &waits[0], "e1", "x").unwrap();
    arrive(&mut run, &waits[1], "e2", "y").unwrap();
    assert_eq!(run.output(), json!(["e1", "e2"]));

    let mut run =
        Run::start(&listen("{ all: [ { with: { type: x } }, { with: { type: x } } ] }", ""));
    let waits = run.waits();
    arrive(&mut run, &waits[0], "e1", "x").unwrap();
    assert_eq!(arrive(&mut run, &waits[1], "e1", "x"), Err(Stale::Mismatch));
    arrive(&mut run, &waits[1], "e2", "x").unwrap();
    assert_eq!(run.output(), json!(["e1", "e2"]));

    let mut run = Run::start(&listen("{ any: [], until: { one: { with: { type: end } } } }", ""));
    let waits = run.waits();
    arrive(&mut run, &waits[0], "e1", "x").unwrap();
    assert_eq!(
        arrive(&mut run, &waits[0], "e2", "end"),
        Err(Stale::Mismatch),
        "it ends the listen"
    );
    arrive(&mut run, &waits[1], "e2", "end").unwrap();
    assert_eq!(run.output(), json!(["e1"]));
}

#[test]
fn a_listen_that_keeps_too_many_events_fails() {
    let mut run = Run::start(&listen("{ any: [], until: '${ length > 5000 }' }", ""));
    let wait = run.waits()[0].clone();
    for number in 0..LISTEN_CONSUMED_MAX {
        run.arrive(&wait, "x", json!(number)).unwrap();
    }
    run.arrive(&wait, "x", json!("one more")).unwrap();
    assert!(run.error().detail.unwrap().contains("until"), "the message says what to do");
}

const TURN: &str = ", foreach: { item: event, at: i, \
    do: [ { call: { call: 'bank.natural:1', with: { amount: '${ $event }' } } } ], \
    output: { as: '${ {got: ., of: $event, i: $i} }' }, \
    export: { as: '${ $context + {last: $output.of} }' } }";

fn pay(run: &mut Run, output: Value) {
    run.done(output);
    restart(run);
}

#[test]
fn each_event_has_its_turn_one_after_another_in_order_of_arrival() {
    let mut run = Run::start(&listen("{ any: [], until: '${ length == 3 }' }", TURN));
    let wait = run.waits()[0].clone();
    run.arrive(&wait, "x", json!(10)).unwrap();
    let first = run.call();
    assert_eq!(first.request, json!({ "amount": 10 }));
    run.arrive(&wait, "x", json!(20)).unwrap();
    assert!(run.calls().is_empty(), "the second turn waits for the first");
    restart(&mut run);
    run.arrive(&wait, "x", json!(30)).unwrap();
    assert_eq!(run.closed(), [wait.wait], "enough was heard; turns are left");
    assert_eq!(run.arrive(&wait, "x", json!(40)), Err(Stale::Closed));
    run.end(&first, tenure_adapter::Outcome::Done { output: json!("a") });
    let second = run.call();
    assert_ne!(second.key, first.key, "each turn is an effect of its own");
    assert_eq!(second.request, json!({ "amount": 20 }));
    pay(&mut run, json!("b"));
    run.instance.frames.values().for_each(|frame| assert!(frame.timeout.is_none()));
    let third = run.instance.clone();
    assert_eq!(third.context, json!({ "last": 20 }));
    run.commands.clear();
    let (mut again, open) = (third, run.instance.open_calls().next().unwrap());
    std::mem::swap(&mut run.instance, &mut again);
    run.feed(Event::CallEnded {
        call: open,
        outcome: tenure_adapter::Outcome::Done { output: json!("c") },
    });
    assert_eq!(
        run.output(),
        json!([
            { "got": "a", "of": 10, "i": 0 },
            { "got": "b", "of": 20, "i": 1 },
            { "got": "c", "of": 30, "i": 2 },
        ])
    );
    assert_eq!(run.instance.context, json!({ "last": 30 }));
}

#[test]
fn exit_ends_the_turn_and_a_failing_turn_the_listen() {
    let foreach = ", foreach: { do: [ { s: { switch: [ { stop: { when: '${ $item == 1 }', then: exit } }, { bad: { when: '${ $item == 2 }', then: b } } ] } }, \
        { ok: { set: { n: '${ $item }' }, then: exit } }, { b: { raise: { error: { type: 'urn:x', status: 400 } } } } ] }";
    let mut run = Run::start(&listen("{ any: [], until: '${ false }' }", foreach));
    let wait = run.waits()[0].clone();
    run.arrive(&wait, "x", json!(1)).unwrap();
    run.arrive(&wait, "x", json!(3)).unwrap();
    assert_eq!(run.instance.status, Status::Live);
    run.arrive(&wait, "x", json!(2)).unwrap();
    assert_eq!(run.error().kind, "urn:x");
    assert!(run.closed().contains(&wait.wait));
}

#[test]
fn the_outputs_of_turns_are_the_output_of_the_listen() {
    let foreach = ", foreach: { do: [ { s: { set: { n: '${ $item + 1 }' } } } ] }";
    let to = "{ all: [ { with: { type: p } }, { with: { type: q } } ] }";
    let mut run = Run::start(&listen(to, foreach));
    let waits = run.waits();
    run.arrive(&waits[1], "q", json!(1)).unwrap();
    run.arrive(&waits[0], "p", json!(2)).unwrap();
    assert_eq!(run.output(), json!([{ "n": 3 }, { "n": 2 }]), "declared order");
    let mut run = Run::start(&listen("{ any: [] }", ", foreach: { output: { as: '${ . * 2 }' } }"));
    let wait = run.waits()[0].clone();
    run.arrive(&wait, "x", json!(4)).unwrap();
    assert_eq!(run.output(), json!([8]), "without tasks the event is the output");
}

#[test]
fn events_beyond_the_queue_stay_outside_until_it_is_empty() {
    let mut run = Run::start(&listen("{ any: [], until: '${ false }' }", TURN));
    let wait = run.waits()[0].clone();
    let mut fed = 0;
    loop {
        run.arrive(&wait, "x", json!(fed)).unwrap();
        fed += 1;
        if !run.closed().is_empty() {
            break;
        }
        assert!(fed <= LISTEN_QUEUE_MAX + 1, "the queue has an end");
    }
    assert_eq!(fed, LISTEN_QUEUE_MAX + 1, "one has its turn, the others queue");
    assert_eq!(run.arrive(&wait, "x", json!("later")), Err(Stale::Closed), "it goes back");
    restart(&mut run);
    let mut opened: Vec<Wait> = Vec::new();
    for turn in 0..fed {
        let call = run.instance.open_calls().next().unwrap();
        let outcome = tenure_adapter::Outcome::Done { output: json!(turn) };
        run.feed(Event::CallEnded { call, outcome });
        opened.extend(run.waits());
    }
    let [again] = opened.try_into().unwrap();
    assert_ne!(again.wait, wait.wait, "a new wait, so that the store offers the events again");
    run.arrive(&again, "x", json!(99)).unwrap();
    assert_eq!(run.call().request, json!({ "amount": 99 }));
}

#[test]
fn cancelling_closes_the_waits_and_ends_the_turn() {
    let mut run = Run::start(&listen("{ any: [], until: '${ false }' }", TURN));
    let wait = run.waits()[0].clone();
    run.arrive(&wait, "x", json!(1)).unwrap();
    run.feed(Event::CancelRequested { reason: "enough".to_owned() });
    assert_eq!(run.closed(), [wait.wait]);
    assert_eq!(run.cancelled(), ["call", "a"]);
}
