//! Time: the database's clock for everything that is due, the boot clock for everything local.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tenure_store::Store;

/// The boot clock: never set, and it counts the time a machine slept. Windows of trust and the
/// last moment of a call are measured with it, since a frozen machine must not act on old rights.
pub(crate) fn boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// What the database clock says now, without asking it: its last reading plus the time since the
/// *reply*. The reading was made before the reply, so this is never ahead of the database, and no
/// timer is early.
#[derive(Debug)]
pub(crate) struct Clock {
    last: Mutex<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    database: Timestamp,
    replied: Duration,
}

impl Clock {
    /// Starts from a reading that has just come in.
    pub(crate) fn new(database: Timestamp) -> Self {
        Self { last: Mutex::new(Reading { database, replied: boot() }) }
    }

    /// Asks the database.
    pub(crate) async fn refresh(&self, store: &dyn Store) -> tenure_store::port::Result<()> {
        let database = store.clock().await?;
        let reading = Reading { database, replied: boot() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = reading;
        Ok(())
    }

    /// Now, by the database.
    pub(crate) fn now(&self) -> Timestamp {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let since = boot().saturating_sub(last.replied);
        let since = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
        last.database.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// How long until `due`; zero when it is now or over.
    pub(crate) fn until(&self, due: Timestamp) -> Duration {
        Duration::try_from(due.duration_since(self.now())).unwrap_or(Duration::ZERO)
    }
}

/// A wait before the next try: doubles from `first`, at most `longest`, and between half and all
/// of it so that nodes do not come back in step.
pub(crate) fn backoff(tries: u32, first: Duration, longest: Duration) -> Duration {
    /// Doubling further than this is past any `longest` in use.
    const DOUBLINGS_MAX: u32 = 16;
    let full = first.saturating_mul(1 << tries.min(DOUBLINGS_MAX)).min(longest);
    let part = boot().subsec_nanos() % 1_000;
    full / 2 + full.saturating_mul(part) / 2_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_from_its_last_reading() {
        let reading = Timestamp::from_second(1_700_000_000).unwrap();
        let clock = Clock::new(reading);
        assert!(clock.now() >= reading);
        assert_eq!(clock.until(reading), Duration::ZERO);
        let later = reading + SignedDuration::from_secs(3_600);
        assert!(clock.until(later) > Duration::from_secs(3_500));
    }

    #[test]
    fn backoff_grows_and_stays_within_its_bounds() {
        let (first, longest) = (Duration::from_millis(20), Duration::from_secs(1));
        for tries in 0..40 {
            let wait = backoff(tries, first, longest);
            assert!(wait >= first / 2, "{tries}: {wait:?}");
            assert!(wait <= longest, "{tries}: {wait:?}");
        }
        assert!(backoff(30, first, longest) >= longest / 2);
    }
}
