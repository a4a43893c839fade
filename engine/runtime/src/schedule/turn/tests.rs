//! What is next, in tables.

use tenure_definition::Source;
use tenure_definition::compile;

use super::*;

const SINCE: &str = "2026-03-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn plan(version: &str, policy: &str, schedule: &str) -> Arc<Plan> {
    let text = format!(
        "document: {{ dsl: 1.0.3, namespace: test, name: tick, version: {version}, \
         metadata: {{ schedule: {policy} }} }}\nschedule: {schedule}\ndo: [ {{ a: {{ set: {{ b: 1 }} }} }} ]"
    );
    let source = Source { name: "tick.yaml".to_owned(), text };
    let (plan, _) = compile(&source, &tenure_adapter::Catalog::default()).unwrap();
    Arc::new(plan)
}

fn since(policy: &str, schedule: &str) -> InForce {
    InForce { plan: plan("1.0.0", policy, schedule), since: at(SINCE), every_since: at(SINCE) }
}

#[test]
fn a_firing_on_time_is_fired_and_a_missed_one_only_within_the_window() {
    let check = |policy: &str, handled: &str, now: &str, expected: &str| {
        let schedule = since(policy, "{ cron: '0 * * * *' }");
        let found = match turn(&schedule, at(handled), at(now)) {
            Turn::Rest => "rest".to_owned(),
            Turn::Drop { until } => format!("drop {until}"),
            Turn::Fire(nominal) => format!("fire {}", nominal.at),
        };
        assert_eq!(found, expected, "{policy} {handled} {now}");
    };
    let nine = "2026-03-02T09:00:00Z";
    check("{}", nine, "2026-03-02T09:59:59Z", "rest");
    check("{}", nine, "2026-03-02T10:00:00Z", "fire 2026-03-02T10:00:00Z");
    check("{}", nine, "2026-03-02T10:01:00Z", "fire 2026-03-02T10:00:00Z");
    check("{}", nine, "2026-03-02T10:01:01Z", "drop 2026-03-02T10:00:00Z");
    // Of an outage only the last firing counts; on time it needs no window.
    check("{}", nine, "2026-03-02T15:00:10Z", "fire 2026-03-02T15:00:00Z");
    check("{}", nine, "2026-03-02T15:30:00Z", "drop 2026-03-02T15:00:00Z");
    check("{ catchUp: PT1H }", nine, "2026-03-02T15:30:00Z", "fire 2026-03-02T15:00:00Z");
    check("{ catchUp: PT10M }", nine, "2026-03-02T15:30:00Z", "drop 2026-03-02T15:00:00Z");
    check("{ catchUp: P1D }", "2026-03-02T15:00:00Z", "2026-03-02T15:30:00Z", "rest");
}

#[test]
fn jitter_moves_a_firing_and_drops_none() {
    let schedule = since("{ jitter: PT30M }", "{ cron: '0 * * * *' }");
    let ways = schedule.plan.schedule.as_ref().unwrap();
    let mut handled = at("2026-03-02T00:00:00Z");
    let mut now = handled;
    let mut fired = Vec::new();
    while fired.len() < 48 {
        now += SignedDuration::from_secs(10);
        match turn(&schedule, handled, now) {
            Turn::Rest => {}
            Turn::Drop { until } => panic!("dropped {until}"),
            Turn::Fire(nominal) => {
                assert!(nominal.due("test", "tick", &ways.policy) <= now);
                handled = nominal.at;
                fired.push(nominal.at);
            }
        }
    }
    assert_eq!(fired.last(), Some(&at("2026-03-04T00:00:00Z")));
}

fn stored(plan: &Plan, day: i8) -> StoredDefinition {
    StoredDefinition {
        namespace: "test".to_owned(),
        name: "tick".to_owned(),
        version: plan.document.version.clone(),
        digest: plan.digest.clone(),
        source: String::new(),
        created_at: at(&format!("2026-03-0{day}T00:00:00Z")),
    }
}

#[test]
fn a_new_version_keeps_the_beat_of_the_old_one() {
    let check = |versions: &[(&str, &str)], expected: Option<(&str, i8, i8)>| {
        let plans: Vec<_> = versions
            .iter()
            .map(|(version, schedule)| match *schedule {
                "none" => {
                    let text = format!(
                        "document: {{ dsl: 1.0.3, namespace: test, name: tick, version: {version} }}\n\
                         do: [ {{ a: {{ set: {{ b: 1 }} }} }} ]"
                    );
                    let source = Source { name: "tick.yaml".to_owned(), text };
                    Arc::new(compile(&source, &tenure_adapter::Catalog::default()).unwrap().0)
                }
                schedule => plan(version, "{}", schedule),
            })
            .collect();
        let rows: Vec<_> = plans.iter().zip(1..).map(|(plan, day)| stored(plan, day)).collect();
        let compiled = plans.iter().map(|plan| (plan.digest.clone(), Arc::clone(plan))).collect();
        let found = in_force(&rows, &compiled);
        let day = |day: i8| at(&format!("2026-03-0{day}T00:00:00Z"));
        let found = found.first().map(|schedule| {
            (schedule.plan.document.version.clone(), schedule.since, schedule.every_since)
        });
        let expected =
            expected.map(|(version, since, every)| (version.to_owned(), day(since), day(every)));
        assert_eq!(found, expected, "{versions:?}");
    };
    let (day, week) = ("{ every: P1D }", "{ every: P7D }");
    check(&[("1.0.0", day)], Some(("1.0.0", 1, 1)));
    check(&[("1.0.0", day), ("1.1.0", day)], Some(("1.1.0", 1, 1)));
    check(&[("1.0.0", day), ("1.1.0", week)], Some(("1.1.0", 1, 2)));
    check(&[("1.0.0", day), ("0.9.0", week)], Some(("1.0.0", 1, 1)));
    check(&[("1.0.0", day), ("1.1.0", "none")], None);
    check(&[("1.0.0", day), ("1.1.0", "none"), ("1.2.0", day)], Some(("1.2.0", 3, 3)));
}
