//! When a schedule fires: a pure calculation, so that every node finds the same firings and each
//! firing has one name.
//!
//! A firing is known by its nominal instant, the one the schedule names; jitter moves when it is
//! carried out and never what it is called. The one who starts instances asks
//! [`Schedule::next_after`] for the next firing, gives [`Nominal::key`] as the start key (a second
//! start with it is the same instance), and after an outage [`Schedule::missed`] for the one that
//! is made up for.
//!
//! Cron fields are civil times in the document's zone. They are compared as civil times and turned
//! into instants at the end, where [`Policy`] says what a change of the clocks means:
//!
//! - A civil time that does not exist (`gap`) fires at the first instant after the gap, or not.
//! - A civil time that exists twice (`overlap`) fires the first time, or both times. A schedule
//!   with a free hour (`*`, `*/2`) counts hours as they pass: without a policy it fires both times.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use crate::cron::Cron;
use crate::plan::Schedule;
use crate::time::Duration;

/// Shortest interval of `every`.
pub(crate) const EVERY_MIN: SignedDuration = SignedDuration::from_secs(1);

/// The calendar repeats after so many years: what has no date until then never has one.
const SEARCH_YEARS_MAX: i16 = 400;

/// Days without any firing that are looked through for the firing before an instant.
const SEARCH_DAYS_MAX: u32 = 146_097;

/// `document.metadata.schedule`.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// What a firing meets whose predecessor still runs.
    pub overlap: Overlap,
    /// How old a missed firing may be to be made up for; none is without it.
    pub catch_up: Option<Span>,
    /// `dst.gap`.
    pub gap: Gap,
    /// `dst.overlap`; `None` is [`Fold::Both`] for schedules with a free hour, else [`Fold::First`].
    pub fold: Option<Fold>,
    /// Most that a firing is moved, forward only; the amount is derived from its name.
    pub jitter: Option<Span>,
}

/// What a firing meets whose predecessor still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// Both run.
    #[default]
    Allow,
    /// The firing is skipped.
    Skip,
    /// The firing waits for the end of the other; of several that wait, the newest is kept.
    BufferOne,
    /// The other is cancelled.
    CancelPrevious,
}

/// A civil time that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gap {
    /// Fires at the first instant after the gap.
    #[default]
    Next,
    /// Does not fire.
    Skip,
}

/// A civil time that exists twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// Fires the first time.
    First,
    /// Fires both times.
    Both,
}

/// Which part of a schedule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// `every`.
    Every,
    /// `cron`.
    Cron,
    /// `after`.
    After,
}

impl Way {
    /// Its key in the definition.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Every => "every",
            Self::Cron => "cron",
            Self::After => "after",
        }
    }
}

/// One firing of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nominal {
    /// The instant the schedule names.
    pub at: Timestamp,
    /// What fires.
    pub way: Way,
}

impl Nominal {
    /// Its name: the start key of the instance it starts. Within the 255 characters of a start key,
    /// because namespace and name are DNS labels.
    #[must_use]
    pub fn key(&self, namespace: &str, definition: &str) -> String {
        format!("schedule:{namespace}/{definition}:{}:{}", self.way.word(), self.at)
    }

    /// When it is carried out: the nominal instant, moved by a part of the jitter that is the same
    /// whoever asks.
    #[must_use]
    pub fn due(&self, namespace: &str, definition: &str, policy: &Policy) -> Timestamp {
        let Some(jitter) = policy.jitter else { return self.at };
        let range = length(jitter, self.at).as_millis().max(0).unsigned_abs();
        let digest = Sha256::digest(self.key(namespace, definition).as_bytes());
        let number = digest.iter().take(8).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        let moved = i64::try_from(number % (range + 1)).unwrap_or(0);
        self.at.checked_add(SignedDuration::from_millis(moved)).unwrap_or(self.at)
    }
}

impl Schedule {
    /// The first firing of `cron` and `every` strictly after `after`. `started` is when the schedule
    /// came into force: the intervals of `every` are counted from there, so that they neither
    /// drift nor depend on who asks. `None` when there is none before the end of the calendar.
    #[must_use]
    pub fn next_after(
        &self,
        zone: &TimeZone,
        after: Timestamp,
        started: Timestamp,
    ) -> Option<Nominal> {
        let cron = self.cron.as_ref().and_then(|cron| {
            let at = Civil { cron, zone, policy: &self.policy }.next_after(after)?;
            Some(Nominal { at, way: Way::Cron })
        });
        let every = self.every.as_ref().and_then(span).and_then(|span| {
            let turns = turns_until(span, zone, after, started).saturating_add(1);
            let at = turn(span, zone, started, turns)?;
            Some(Nominal { at, way: Way::Every })
        });
        cron.into_iter().chain(every).min()
    }

    /// The last firing of `cron` and `every` at or before `until`, and not before `started`.
    #[must_use]
    pub fn last_until(
        &self,
        zone: &TimeZone,
        until: Timestamp,
        started: Timestamp,
    ) -> Option<Nominal> {
        let cron = self.cron.as_ref().and_then(|cron| {
            let at = Civil { cron, zone, policy: &self.policy }.last_until(until, started)?;
            Some(Nominal { at, way: Way::Cron })
        });
        let every = self.every.as_ref().and_then(span).and_then(|span| {
            let turns = turns_until(span, zone, until, started);
            let at = turn(span, zone, started, turns).filter(|_| turns > 0)?;
            Some(Nominal { at, way: Way::Every })
        });
        cron.into_iter().chain(every).max()
    }

    /// The one missed firing that is made up for: the latest of those after `handled` (the last
    /// firing that was seen to) that `now` has passed, if it is not older than the window of
    /// `catchUp`. Older and further ones are dropped.
    #[must_use]
    pub fn missed(
        &self,
        zone: &TimeZone,
        handled: Timestamp,
        now: Timestamp,
        started: Timestamp,
    ) -> Option<Nominal> {
        let window = self.policy.catch_up?;
        let found = self.last_until(zone, now, started)?;
        let end = found.at.to_zoned(zone.clone()).checked_add(window).ok()?.timestamp();
        (found.at > handled && now <= end).then_some(found)
    }

    /// The firing of `after` that follows the end of an instance.
    #[must_use]
    pub fn after_end(&self, zone: &TimeZone, ended: Timestamp) -> Option<Nominal> {
        let span = self.after.as_ref().and_then(span)?;
        let at = ended.to_zoned(zone.clone()).checked_add(span).ok()?.timestamp();
        Some(Nominal { at, way: Way::After })
    }
}

/// Durations of schedules are constant; the compiler has seen to it.
fn span(duration: &Duration) -> Option<Span> {
    match duration {
        Duration::Fixed(span) => Some(*span),
        Duration::Computed(_) => None,
    }
}

/// Whether a span is shorter than that, wherever it is counted from.
pub(crate) fn is_shorter(span: Span, than: SignedDuration) -> bool {
    length(span, Timestamp::UNIX_EPOCH) < than
}

fn length(span: Span, from: Timestamp) -> SignedDuration {
    let end = from.to_zoned(TimeZone::UTC).checked_add(span);
    end.map_or(SignedDuration::MAX, |end| end.timestamp().duration_since(from))
}

/// The end of the `turns`-th interval: always counted from the anchor, so that a month from
/// January 31 does not stay at the 28th for ever.
fn turn(span: Span, zone: &TimeZone, started: Timestamp, turns: i64) -> Option<Timestamp> {
    let whole = span.checked_mul(turns).ok()?;
    let end = started.to_zoned(zone.clone()).checked_add(whole).ok()?;
    Some(end.timestamp())
}

/// How many intervals have ended at `until`.
fn turns_until(span: Span, zone: &TimeZone, until: Timestamp, started: Timestamp) -> i64 {
    let has_ended = |turns: i64| turn(span, zone, started, turns).is_some_and(|end| end <= until);
    if until <= started || !has_ended(1) {
        return 0;
    }
    let mut too_many: i64 = 2;
    while has_ended(too_many) {
        too_many = too_many.saturating_mul(2);
    }
    let mut some = too_many / 2;
    while some + 1 < too_many {
        let middle = some + (too_many - some) / 2;
        if has_ended(middle) {
            some = middle;
        } else {
            too_many = middle;
        }
    }
    some
}

/// Whether any date fits at all.
pub(crate) fn has_dates(cron: &Cron) -> bool {
    next_date(cron, Date::constant(2000, 1, 1)).is_some()
}

/// The first date that fits, from this one on.
fn next_date(cron: &Cron, from: Date) -> Option<Date> {
    let last_year = from.year().saturating_add(SEARCH_YEARS_MAX);
    let mut date = from;
    loop {
        if cron.fits(date) {
            return Some(date);
        }
        date = date.tomorrow().ok()?;
        if date.year() > last_year {
            return None;
        }
    }
}

/// A cron schedule in its zone.
struct Civil<'a> {
    cron: &'a Cron,
    zone: &'a TimeZone,
    policy: &'a Policy,
}

impl Civil<'_> {
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        // One day back: where the clocks go back over midnight, yesterday comes twice.
        let today = self.zone.to_datetime(after).date();
        let mut date = today.yesterday().unwrap_or(today);
        loop {
            let day = next_date(self.cron, date)?;
            // The day after may begin before this one has ended a second time.
            let following = day.tomorrow().ok().filter(|next| self.cron.fits(*next));
            let instants = self
                .instants(day)
                .chain(following.into_iter().flat_map(|next| self.instants(next)));
            if let Some(first) = instants.filter(|instant| *instant > after).min() {
                return Some(first);
            }
            date = day.tomorrow().ok()?;
        }
    }

    fn last_until(&self, until: Timestamp, started: Timestamp) -> Option<Timestamp> {
        let earliest = self.zone.to_datetime(started).date().yesterday().unwrap_or(Date::MIN);
        let today = self.zone.to_datetime(until).date();
        let mut date = today.tomorrow().unwrap_or(today);
        for _ in 0..SEARCH_DAYS_MAX {
            if date < earliest {
                return None;
            }
            if self.cron.fits(date) {
                let before = date.yesterday().ok().filter(|before| self.cron.fits(*before));
                let instants = self
                    .instants(date)
                    .chain(before.into_iter().flat_map(|day| self.instants(day)));
                let found = instants.filter(|instant| *instant <= until).max();
                if let Some(found) = found {
                    return (found >= started).then_some(found);
                }
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// The instants of a date that fits.
    fn instants(&self, date: Date) -> impl Iterator<Item = Timestamp> + '_ {
        self.cron.times().flat_map(move |time| {
            let [first, second] = self.of(date.to_datetime(time));
            first.into_iter().chain(second)
        })
    }

    /// The instants a civil time stands for.
    fn of(&self, civil: DateTime) -> [Option<Timestamp>; 2] {
        let ambiguous = self.zone.to_ambiguous_timestamp(civil);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset.to_timestamp(civil).ok(), None],
            AmbiguousOffset::Gap { before, .. } => match self.policy.gap {
                Gap::Skip => [None, None],
                // With the offset of before, the civil time is an instant after the change; the
                // change itself is the last one until there.
                Gap::Next => {
                    let inside = before.to_timestamp(civil).ok();
                    [inside.and_then(|inside| self.change_before(inside)), None]
                }
            },
            AmbiguousOffset::Fold { before, after } => {
                let both = match self.policy.fold {
                    Some(fold) => fold == Fold::Both,
                    None => self.cron.is_hourly(),
                };
                let second = both.then(|| after.to_timestamp(civil).ok()).flatten();
                [before.to_timestamp(civil).ok(), second]
            }
        }
    }

    /// The last change of the clocks at or before an instant.
    fn change_before(&self, inside: Timestamp) -> Option<Timestamp> {
        let next = inside.checked_add(1.nanosecond()).ok()?;
        self.zone.preceding(next).next().map(|transition| transition.timestamp())
    }
}

#[cfg(test)]
mod tests;
