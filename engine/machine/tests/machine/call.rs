//! The effect protocol: classes, unknown outcomes, keys.

use jiff::SignedDuration;
use serde_json::json;
use tenure_adapter::{DeclineClass, Lookup, Outcome, Problem, Reason};
use tenure_machine::{Event, Fact, Stale};

use crate::kit::{DEADLINE_MS, KEY_LIFE_MS, Run, SETTLE_MS, declined, throttled, unknown};

fn start(class: &str) -> Run {
    let declared = if class == "often" { ", metadata: { effect: at-least-once }" } else { "" };
    Run::start(&format!(
        "  - c: {{ call: 'bank.{class}:1.0.0@default', with: {{ amount: 5 }}{declared} }}"
    ))
}

fn ms(count: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(count).unwrap())
}

#[test]
fn the_intent_holds_everything_the_call_needs() {
    let mut run = start("keyed");
    let intent = run.call();
    assert_eq!(intent.request, json!({ "amount": 5 }));
    assert_eq!(intent.origin.task, "/do/0/c");
    assert!(run.journal.iter().any(|entry| matches!(entry.fact, Fact::EffectIntended { .. })));
    run.done(json!({ "id": 1 }));
    assert_eq!(run.output(), json!({ "id": 1 }));
}

#[test]
fn arguments_that_do_not_fit_fail_before_anything_is_sent() {
    let tasks = "  - c: { call: 'bank.keyed:1.0.0@default', with: { amount: '${ .amount }' } }";
    let run = Run::start_with("", tasks, json!({ "amount": "much" }));
    assert!(run.calls().is_empty());
    assert_eq!(run.error().status, 400);
}

#[test]
fn the_key_is_business_identity_and_not_the_instance_id() {
    let (first, mut second) = (start("keyed"), start("keyed"));
    second.instance.id = tenure_machine::InstanceId(uuid::Uuid::from_u128(1));
    assert_eq!(first.call().key, second.call().key);
}

#[test]
fn a_retry_after_unknown_keeps_the_key_and_waits_out_the_settle_time() {
    for class in ["keyed", "natural", "often"] {
        let mut run = start(class);
        let first = run.call();
        run.end(&first, unknown());
        assert!(run.calls().is_empty(), "{class}: nothing is sent before the settle time");
        assert_eq!(run.fire(), ms(SETTLE_MS), "{class}");
        assert_eq!(run.call().key, first.key, "{class}");
        assert_eq!(run.call().intent_at, first.intent_at, "{class}");
        run.done(json!("ok"));
        assert_eq!(run.output(), json!("ok"));
    }
}

#[test]
fn an_effect_without_a_key_is_looked_up_before_any_second_try() {
    let mut run = start("lookup");
    let first = run.call();
    run.end(&first, unknown());
    run.fire();
    assert!(run.calls().is_empty());
    let outcome = Outcome::Done { output: json!("found") };
    run.looked_up(Lookup::Happened { outcome });
    assert_eq!(run.output(), json!("found"));

    let mut run = start("lookup");
    let first = run.call();
    run.end(&first, unknown());
    run.fire();
    run.looked_up(Lookup::Absent);
    assert_eq!(run.call().key, first.key);
}

#[test]
fn a_look_up_that_finds_a_decline_gives_the_decline() {
    let mut run = start("lookup");
    let first = run.call();
    run.end(&first, unknown());
    run.fire();
    run.looked_up(Lookup::Happened { outcome: declined() });
    assert_eq!(run.error().status, 402);
}

#[test]
fn a_key_that_has_expired_at_the_vendor_is_looked_up_first() {
    let mut run = start("keyed");
    let first = run.call();
    run.now += ms(KEY_LIFE_MS);
    run.end(&first, unknown());
    run.fire();
    assert!(run.calls().is_empty(), "an expired key protects nothing");
    run.looked_up(Lookup::Absent);
    assert_eq!(run.call().key, first.key);
}

/// `tenure-sim --seed 400061`: the vendor had forgotten the key when the second attempt was acted on.
#[test]
fn a_key_died_before_the_latest_act_of_an_attempt_that_was_sent_again() {
    let again_after = |before_its_end_ms: u64| {
        let mut run = start("keyed");
        let first = run.call();
        run.now += ms(KEY_LIFE_MS - before_its_end_ms);
        run.end(&first, unknown());
        run.fire();
        !run.calls().is_empty()
    };
    // Sent as late as its window allows, answered as late as its deadline, acted on until it settles.
    let latest = DEADLINE_MS + DEADLINE_MS + SETTLE_MS;
    assert!(!again_after(latest), "the key may be dead when the attempt is acted on");
    assert!(again_after(latest + 2 * SETTLE_MS), "the key lives long enough");
}

#[test]
fn an_effect_that_is_never_sent_twice_becomes_an_incident() {
    let mut run = start("once");
    let first = run.call();
    run.end(&first, unknown());
    assert!(run.instance.timers.is_empty());
    let (_, incident) = run.instance.incidents().next().expect("an incident");
    assert_eq!(incident.fingerprint, "unknown:bank.once");
}

#[test]
fn unknown_for_ever_becomes_an_incident_and_not_an_endless_loop() {
    let mut run = start("lookup");
    let first = run.call();
    run.end(&first, unknown());
    let mut looked = 0;
    while run.instance.incidents().next().is_none() {
        run.fire();
        run.looked_up(Lookup::Unknown { detail: "down".to_owned() });
        looked += 1;
        assert!(looked < 50, "the limit holds");
    }
    assert_eq!(looked, 8);
}

#[test]
fn a_new_try_after_a_proven_rejection_takes_the_next_generation() {
    let mut run = start("keyed");
    let first = run.call();
    run.end(&first, throttled(Some(5_000)));
    assert!(run.fire() >= ms(5_000), "the vendor's wish is honored");
    let second = run.call();
    assert_ne!(second.key, first.key);
    run.end(&second, throttled(None));
    run.fire();
    let third = run.call();
    assert!(third.key != second.key && third.key != first.key, "every try is one of its own");
    run.end(&third, throttled(None));
    assert_eq!(run.error().status, 429, "two retries, then the definition decides");
}

#[test]
fn a_rejection_after_unknown_proves_nothing_about_the_first_attempt() {
    let mut run = start("keyed");
    let first = run.call();
    run.end(&first, unknown());
    run.fire();
    let second = run.call();
    run.end(&second, throttled(None));
    run.fire();
    assert_eq!(run.call().key, first.key, "a new key could act twice");
}

#[test]
fn what_was_not_sent_keeps_its_key_and_uses_up_no_retry_of_the_vendor() {
    let mut run = start("lookup");
    let first = run.call();
    for _ in 0..20 {
        let intent = run.call();
        assert_eq!(intent.key, first.key);
        run.end(&intent, Outcome::NotSent { detail: "the queue is long".to_owned() });
        run.fire();
    }
    run.done(json!("ok"));
    assert_eq!(run.output(), json!("ok"));
}

#[test]
fn what_is_never_sent_becomes_an_incident_in_the_end() {
    let mut run = start("keyed");
    for _ in 0..=100 {
        let intent = run.call();
        run.end(&intent, Outcome::NotSent { detail: "no route".to_owned() });
        if run.instance.incidents().next().is_some() {
            return;
        }
        run.fire();
    }
    panic!("it is tried for ever");
}

#[test]
fn a_key_that_expired_while_a_rejected_resend_waited_was_sent_again() {
    let mut run = start("keyed");
    let first = run.call();
    run.end(&first, unknown());
    run.fire();
    let second = run.call();
    run.end(&second, throttled(Some(KEY_LIFE_MS)));
    run.fire();
    assert!(run.calls().is_empty(), "the vendor has forgotten the key: look first");
    assert_eq!(run.lookup().key, first.key);
}

#[test]
fn books_that_lag_behind_made_a_mail_go_out_for_ever() {
    let mut run = start("lookup");
    let mut sent = 0;
    while run.instance.incidents().next().is_none() {
        let intent = run.call();
        sent += 1;
        assert!(sent < 50, "the limit holds");
        run.end(&intent, unknown());
        run.fire();
        run.looked_up(Lookup::Absent);
    }
    assert_eq!(sent, 5);
}

#[test]
fn a_rejected_key_was_presented_again_after_a_cancelled_delay() {
    let mut run = Run::start(
        "  - t:\n      try: [ { c: { call: 'bank.keyed:1.0.0@default', with: { amount: 5 }, timeout: { after: PT1S } } } ]\n      catch: { retry: { delay: PT1S, limit: { attempt: { count: 3 } } } }",
    );
    let first = run.call();
    run.end(&first, throttled(Some(60_000)));
    run.fire(); // the task's timeout, before the delay is over
    run.fire(); // the retry's delay
    assert_ne!(run.call().key, first.key);
}

#[test]
fn an_answer_nested_too_deeply_to_be_stored_counts_as_unreadable() {
    let mut run = start("lookup");
    let mut deep = json!("x");
    for _ in 0..120 {
        deep = json!([deep]);
    }
    run.done(deep);
    run.fire();
    run.lookup();
}

#[test]
fn bad_credentials_are_an_incident_and_not_an_error_of_the_process() {
    let mut run = start("keyed");
    let first = run.call();
    let detail = "wrong secret".to_owned();
    run.end(&first, Outcome::Rejected { reason: Reason::Config, detail, retry_after_ms: None });
    assert_eq!(run.instance.incidents().next().unwrap().1.fingerprint, "config:bank.keyed");
}

#[test]
fn a_lost_attempt_may_still_act_until_send_by_plus_deadline_plus_settle() {
    let mut run = start("keyed");
    let first = run.call();
    run.feed(Event::CallLost { call: first.call });
    let wait = run.fire();
    assert_eq!(wait, ms(DEADLINE_MS + DEADLINE_MS + SETTLE_MS));
    assert_eq!(run.call().key, first.key);
    let stale = run.try_feed(Event::CallEnded { call: first.call, outcome: unknown() });
    assert_eq!(stale, Err(Stale::Closed), "the late answer of the lost node is refused");
}

#[test]
fn a_doubled_answer_is_stale() {
    let mut run = Run::start(
        "  - c: { call: 'bank.keyed:1.0.0@default', with: { amount: 5 } }\n  - w: { wait: PT1S }",
    );
    let first = run.call();
    run.done(json!(1));
    let outcome = Outcome::Done { output: json!(2) };
    assert_eq!(run.try_feed(Event::CallEnded { call: first.call, outcome }), Err(Stale::Closed));
}

const TIMED: &str = "
  - t:
      try: [ { c: { call: 'bank.lookup:1.0.0@default', with: { amount: 5 }, timeout: { after: PT1S } } } ]
      catch: { retry: { delay: PT1S, limit: { attempt: { count: 3 } } } }";

#[test]
fn a_call_cancelled_in_doubt_is_continued_by_the_retry_and_never_repeated() {
    let mut run = Run::start(TIMED);
    let first = run.call();
    run.fire(); // the task's timeout: nobody knows whether it happened
    run.fire(); // the retry's delay
    assert!(run.calls().is_empty(), "a second send could act twice");
    // The timeout of the second run may come first; the effect then stays on record.
    while run.commands.iter().all(|c| !matches!(c, tenure_machine::Command::LookUp(_))) {
        run.fire();
    }
    assert_eq!(run.lookup().key, first.key);
    run.looked_up(Lookup::Happened { outcome: Outcome::Done { output: json!("once") } });
    assert_eq!(run.output(), json!("once"));
}

#[test]
fn a_marker_in_a_vendors_answer_gave_away_a_secret() {
    let mut run = start("natural");
    run.done(json!({ "name": tenure_machine::secret::marker("zuora") }));
    assert_eq!(run.output()["name"], json!("\u{FFFD}secret:zuora\u{E001}"));
}

#[test]
fn each_visit_and_each_turn_is_an_effect_of_its_own() {
    let mut run = Run::start(
        "  - l: { for: { each: i, in: '${ [1, 2] }' }, do: [ { c: { call: 'bank.keyed:1.0.0@default', with: { amount: '${ $i }' } } } ] }",
    );
    let first = run.call();
    run.done(json!(1));
    let second = run.call();
    assert_ne!(first.key, second.key);
    run.done(json!(2));
    assert_eq!(run.output(), json!(2));
}

#[test]
fn a_marker_in_a_vendors_words_was_forwarded_as_a_secret() {
    let tasks = "
  - a: { try: [ { pay: { call: bank.keyed, with: { amount: 1 } } } ], catch: { do: [ { b: { set: { said: '${ $error.detail }', also: '${ $error.title }' } } } ] } }";
    let marker = tenure_machine::secret::marker("zuora");
    let failed = Problem::standard("communication", 404, &marker, marker.clone());
    let outcomes = [
        Outcome::Failed { error: failed },
        Outcome::Declined {
            class: DeclineClass::Hard,
            code: marker.clone(),
            detail: marker.clone(),
        },
        Outcome::Rejected { reason: Reason::Invalid, detail: marker, retry_after_ms: None },
    ];
    for outcome in outcomes {
        let mut run = Run::start(tasks);
        let call = run.call();
        run.end(&call, outcome);
        assert!(!run.output().to_string().contains(tenure_machine::secret::OPEN));
        assert!(!json!(run.instance).to_string().contains(tenure_machine::secret::OPEN));
    }
}

#[test]
fn an_address_of_the_definition_that_nobody_answers_is_told_to_it() {
    let tasks = "
  - a: { try: [ { get: { call: web.get } } ], catch: { errors: { with: { status: 500 } }, do: [ { b: { set: { caught: true } } } ] } }";
    let mut run = Run::start(tasks);
    for _ in 0..3 {
        let call = run.call();
        run.end(&call, Outcome::NotSent { detail: "connection refused".to_owned() });
        run.fire();
    }
    let call = run.call();
    run.end(&call, Outcome::NotSent { detail: "connection refused".to_owned() });
    assert_eq!(run.output(), json!({ "caught": true }));
}

#[test]
fn an_error_answered_to_a_second_attempt_hid_that_the_first_was_in_doubt() {
    let failed = || Outcome::Failed {
        error: Problem::standard("authorization", 403, "Authorization Error", "no secret here"),
    };
    for (class, told) in [("keyed", false), ("lookup", false), ("natural", true), ("often", true)] {
        let mut run = start(class);
        let first = run.call();
        run.end(&first, unknown());
        run.fire();
        if class == "lookup" {
            run.looked_up(Lookup::Unknown { detail: "nobody answers".to_owned() });
            run.fire();
            run.looked_up(Lookup::Absent);
            // Absent proves that nothing happened: no doubt is left.
            let again = run.call();
            run.end(&again, failed());
            assert_eq!(run.error().status, 403);
            continue;
        }
        let again = run.call();
        run.end(&again, failed());
        assert_eq!(run.instance.is_terminal(), told, "{class}");
    }
}
