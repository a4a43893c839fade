//! Tables of firings: days on which the clocks change, leap days, ends of months, and what is
//! missed.

use super::*;
use crate::plan::Read;
use crate::time::read_span;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn of_cron(text: &str, policy: Policy) -> Schedule {
    let cron = Some(Cron::parse(text).unwrap());
    Schedule { every: None, cron, after: None, on: None, read: Read::Data, policy }
}

fn of_every(text: &str) -> Schedule {
    let every = Some(Duration::Fixed(read_span(&text.into()).unwrap()));
    Schedule {
        every,
        cron: None,
        after: None,
        on: None,
        read: Read::Data,
        policy: Policy::default(),
    }
}

fn firings(schedule: &Schedule, zone_name: &str, from: &str, count: usize) -> Vec<String> {
    let zone = zone(zone_name);
    let mut after = at(from);
    let started = after;
    let mut found = Vec::new();
    for _ in 0..count {
        let Some(next) = schedule.next_after(&zone, after, started) else { break };
        assert!(next.at > after, "firings go forward");
        assert_eq!(
            schedule.last_until(&zone, next.at, started).map(|last| last.at),
            Some(next.at),
            "backwards the same firing is found"
        );
        after = next.at;
        found.push(next.at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M%:z").to_string());
    }
    found
}

fn check(cron: &str, zone: &str, from: &str, expected: &[&str]) {
    let found = firings(&of_cron(cron, Policy::default()), zone, from, expected.len());
    assert_eq!(found, expected, "{cron} in {zone} from {from}");
}

#[test]
fn a_schedule_fires_on_the_calendar_of_its_zone() {
    check(
        "*/7 * * * *",
        "UTC",
        "2026-01-01T00:50:00Z",
        &["2026-01-01T00:56+00:00", "2026-01-01T01:00+00:00", "2026-01-01T01:07+00:00"],
    );
    // Either day fits when both are restricted.
    check(
        "0 0 13 * 5",
        "UTC",
        "2026-02-07T00:00:00Z",
        &[
            "2026-02-13T00:00+00:00",
            "2026-02-20T00:00+00:00",
            "2026-02-27T00:00+00:00",
            "2026-03-06T00:00+00:00",
            "2026-03-13T00:00+00:00",
        ],
    );
    check(
        "0 9 * * 1",
        "Europe/Berlin",
        "2026-03-27T00:00:00Z",
        &["2026-03-30T09:00+02:00", "2026-04-06T09:00+02:00"],
    );
    check(
        "0 0 31 * *",
        "UTC",
        "2026-01-31T00:00:00Z",
        &[
            "2026-03-31T00:00+00:00",
            "2026-05-31T00:00+00:00",
            "2026-07-31T00:00+00:00",
            "2026-08-31T00:00+00:00",
        ],
    );
    check(
        "0 0 29 2 *",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"],
    );
    check("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00+00:00"]);
    check(
        "0 0 */28 2 1",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2027-02-01T00:00+00:00", "2038-02-01T00:00+00:00"],
    );
    check("@daily", "America/New_York", "2026-07-01T12:00:00Z", &["2026-07-02T00:00-04:00"]);
    check("@hourly", "UTC", "2026-07-01T12:00:00Z", &["2026-07-01T13:00+00:00"]);
    check("0 12 * * SUN", "UTC", "2026-07-01T12:00:00Z", &["2026-07-05T12:00+00:00"]);
    // The firing itself is not after itself.
    check("0 12 * * *", "UTC", "2026-07-01T12:00:00Z", &["2026-07-02T12:00+00:00"]);
    check("0 12 * * *", "UTC", "2026-07-01T11:59:59.999Z", &["2026-07-01T12:00+00:00"]);
}

#[test]
fn a_time_that_does_not_exist_fires_after_the_gap() {
    check(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
    );
    check(
        "*/20 2 * * *",
        "America/New_York",
        "2026-03-08T05:00:00Z",
        &["2026-03-08T03:00-04:00", "2026-03-09T02:00-04:00"],
    );
    // Half an hour only: 02:00 becomes 02:30.
    check(
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T00:00:00Z",
        &["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"],
    );
    // A whole day that Samoa never had.
    check("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", &["2011-12-31T00:00+14:00"]);
    let skip = Policy { gap: Gap::Skip, ..Policy::default() };
    assert_eq!(
        firings(&of_cron("30 2 * * *", skip), "Europe/Berlin", "2026-03-28T12:00:00Z", 1),
        ["2026-03-30T02:30+02:00"]
    );
}

#[test]
fn a_time_that_exists_twice_fires_once_unless_the_hour_is_free() {
    check(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
    );
    check(
        "30 1 * * *",
        "America/New_York",
        "2026-10-31T12:00:00Z",
        &["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"],
    );
    check(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T12:00:00Z",
        &["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"],
    );
    check(
        "30 * * * *",
        "Europe/Berlin",
        "2026-10-24T23:45:00Z",
        &["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00"],
    );
    // The hour that is missing in spring is not made up for.
    check(
        "30 * * * *",
        "Europe/Berlin",
        "2026-03-29T00:15:00Z",
        &["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"],
    );
    let both = Policy { fold: Some(Fold::Both), ..Policy::default() };
    assert_eq!(
        firings(&of_cron("30 2 * * *", both), "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]
    );
    let first = Policy { fold: Some(Fold::First), ..Policy::default() };
    assert_eq!(
        firings(&of_cron("30 * * * *", first), "Europe/Berlin", "2026-10-25T00:15:00Z", 2),
        ["2026-10-25T02:30+02:00", "2026-10-25T03:30+01:00"]
    );
}

#[test]
fn intervals_are_counted_from_when_the_schedule_began() {
    let check = |every: &str, zone: &str, from: &str, expected: &[&str]| {
        assert_eq!(firings(&of_every(every), zone, from, expected.len()), expected, "{every}");
    };
    check(
        "PT90M",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2026-01-01T01:30+00:00", "2026-01-01T03:00+00:00"],
    );
    check(
        "P1M",
        "UTC",
        "2026-01-31T00:00:00Z",
        &["2026-02-28T00:00+00:00", "2026-03-31T00:00+00:00", "2026-04-30T00:00+00:00"],
    );
    check(
        "P1D",
        "Europe/Berlin",
        "2026-03-28T11:00:00Z",
        &["2026-03-29T12:00+02:00", "2026-03-30T12:00+02:00"],
    );
    let started = at("2026-01-01T00:00:00Z");
    let late = of_every("PT1S").next_after(&TimeZone::UTC, at("9999-12-30T21:59:58Z"), started);
    assert_eq!(late.map(|next| next.at), Some(at("9999-12-30T21:59:59Z")));
    let end = of_every("P1Y").next_after(&TimeZone::UTC, at("9999-06-01T00:00:00Z"), started);
    assert_eq!(end, None, "the calendar ends");
    let before = of_every("PT1H").next_after(&TimeZone::UTC, at("2025-01-01T00:00:00Z"), started);
    assert_eq!(before.map(|next| next.at), Some(at("2026-01-01T01:00:00Z")));
}

#[test]
fn the_calendar_ends_in_the_year_9999() {
    let cron = of_cron("0 0 1 1 *", Policy::default());
    let end = at("9999-01-01T00:00:00Z");
    assert_eq!(cron.next_after(&TimeZone::UTC, end, end), None);
    let minutes = of_cron("* * * * *", Policy::default());
    assert_eq!(minutes.next_after(&TimeZone::UTC, Timestamp::MAX, end), None);
    assert!(minutes.last_until(&TimeZone::UTC, Timestamp::MAX, end).is_some());
}

#[test]
fn days_that_no_calendar_has_are_known() {
    let has = |text: &str| has_dates(&Cron::parse(text).unwrap());
    for text in ["0 0 29 2 *", "0 0 31 1-12 *", "0 0 30 2 1"] {
        assert!(has(text), "{text}");
    }
    for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30-31 2 *"] {
        assert!(!has(text), "{text}");
    }
}

#[test]
fn at_most_one_missed_firing_is_made_up_for() {
    let hour = read_span(&"PT1H".into()).unwrap();
    let schedule = of_cron("*/10 * * * *", Policy { catch_up: Some(hour), ..Policy::default() });
    let started = at("2026-01-01T00:00:00Z");
    let missed = |handled: &str, now: &str| {
        let found = schedule.missed(&TimeZone::UTC, at(handled), at(now), started);
        found.map(|found| found.at)
    };
    assert_eq!(
        missed("2026-01-01T01:00:00Z", "2026-01-02T05:25:00Z"),
        Some(at("2026-01-02T05:20:00Z")),
        "a day was missed, one firing is made up for"
    );
    assert_eq!(missed("2026-01-01T05:20:00Z", "2026-01-01T05:25:00Z"), None, "nothing was missed");
    let daily = of_cron("0 0 * * *", Policy { catch_up: Some(hour), ..Policy::default() });
    let missed = |now: &str| daily.missed(&TimeZone::UTC, started, at(now), started);
    assert!(missed("2026-01-02T01:00:00Z").is_some(), "the window is closed at its end");
    assert_eq!(missed("2026-01-02T01:00:01Z"), None, "too old");
    let never = of_cron("0 0 * * *", Policy::default());
    assert_eq!(never.missed(&TimeZone::UTC, started, at("2026-01-02T00:01:00Z"), started), None);
}

#[test]
fn a_firing_has_one_name_and_one_jitter() {
    let nominal = Nominal { at: at("2026-10-25T00:30:00Z"), way: Way::Cron };
    assert_eq!(nominal.key("shop", "renew"), "schedule:shop/renew:cron:2026-10-25T00:30:00Z");
    let longest = Nominal { at: Timestamp::MAX, way: Way::Every };
    assert!(longest.key(&"n".repeat(63), &"d".repeat(63)).len() <= 255);
    let policy = Policy { jitter: Some(read_span(&"PT5M".into()).unwrap()), ..Policy::default() };
    let due = nominal.due("shop", "renew", &policy);
    assert_eq!(due, nominal.due("shop", "renew", &policy));
    let moved = due.duration_since(nominal.at);
    assert!(!moved.is_negative() && moved <= SignedDuration::from_mins(5), "{moved}");
    assert_ne!(due, nominal.due("shop", "remind", &policy), "not all at once");
    assert_eq!(nominal.due("shop", "renew", &Policy::default()), nominal.at);
}

#[test]
fn the_next_run_begins_after_the_end_of_the_last() {
    let mut schedule = of_every("P1D");
    (schedule.after, schedule.every) = (schedule.every.take(), None);
    let next = schedule.after_end(&zone("Europe/Berlin"), at("2026-03-28T11:00:00Z"));
    assert_eq!(next, Some(Nominal { at: at("2026-03-29T10:00:00Z"), way: Way::After }));
    assert_eq!(
        schedule.next_after(&TimeZone::UTC, at("2026-03-28T11:00:00Z"), at("2026-03-28T11:00:00Z")),
        None
    );
}
