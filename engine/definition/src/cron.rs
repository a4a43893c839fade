//! Cron schedules: five fields as crontab(5) has them, on top of the `cron` crate.
//!
//! The crate reads six fields (seconds first), counts Sunday as 1 and joins day-of-month and
//! day-of-week with *and*. Here Sunday is 0 or 7, and when both days are restricted either one
//! fits, so a text can become two schedules.

use std::str::FromStr;

use cron::{Schedule, TimeUnitSpec};
use jiff::civil::{Date, Time};

/// A cron schedule.
#[derive(Debug, Clone)]
pub struct Cron {
    /// As written.
    pub source: String,
    schedules: Vec<Schedule>,
    hourly: bool,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not five fields.
    #[error("a cron schedule has five fields, this one has {0}")]
    Fields(usize),
    /// A weekday that is neither a name nor 0 to 7.
    #[error("`{0}` is not a day of the week (0 to 7, where 0 and 7 are Sunday, or SUN to SAT)")]
    Weekday(String),
    /// Refused by the `cron` crate.
    #[error("`{text}` is not a cron schedule: {reason}")]
    Invalid {
        /// The text as written.
        text: String,
        /// What the crate says.
        reason: String,
    },
}

/// Nicknames of crontab(5).
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Cron {
    /// Reads five fields, or a nickname like `@daily`.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let nickname = NICKNAMES.iter().find(|(name, _)| *name == text.trim());
        let fields: Vec<&str> =
            nickname.map_or(text, |(_, fields)| *fields).split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(Error::Fields(fields.len()));
        };
        let weekdays = weekdays(weekday)?;
        let schedule = |day: &str, weekday: &str| {
            let six = format!("0 {minute} {hour} {day} {month} {weekday}");
            Schedule::from_str(&six).map_err(|error| Error::Invalid {
                text: text.to_owned(),
                reason: error.to_string(),
            })
        };
        // crontab(5): a field that begins with `*` restricts nothing.
        let either = !day.starts_with('*') && !weekday.starts_with('*');
        let schedules = if either {
            vec![schedule(day, "*")?, schedule("*", &weekdays)?]
        } else {
            vec![schedule(day, &weekdays)?]
        };
        let hourly = hour.starts_with('*');
        Ok(Self { source: text.to_owned(), schedules, hourly })
    }

    /// Whether the hour is free (`*`, `*/2`): such a schedule counts hours as they pass, whatever
    /// the clocks on the wall do.
    #[must_use]
    pub fn is_hourly(&self) -> bool {
        self.hourly
    }

    /// Whether it fires on this date. The `cron` crate is asked for its sets and never for times:
    /// what it makes of a change of the clocks is not what a schedule promises.
    #[must_use]
    pub fn fits(&self, date: Date) -> bool {
        let number = |value: i8| u32::try_from(value).unwrap_or(0);
        let (month, day) = (number(date.month()), number(date.day()));
        // Sunday is 1 there.
        let weekday = number(date.weekday().to_sunday_one_offset());
        self.schedules.iter().any(|schedule| {
            schedule.months().includes(month)
                && schedule.days_of_month().includes(day)
                && schedule.days_of_week().includes(weekday)
        })
    }

    /// The times of a day it fires on, in order.
    pub fn times(&self) -> impl Iterator<Item = Time> + '_ {
        let first = self.schedules.first().into_iter();
        first.flat_map(|schedule| {
            schedule.hours().iter().flat_map(|hour| {
                schedule.minutes().iter().filter_map(move |minute| {
                    let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
                    Time::new(hour, minute, 0, 0).ok()
                })
            })
        })
    }
}

/// The weekday field with names for numbers.
fn weekdays(field: &str) -> Result<String, Error> {
    const NAMES: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
    let number = |text: &str| -> Result<usize, Error> {
        let named = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text));
        named
            .or_else(|| text.parse().ok().filter(|number| *number < NAMES.len()))
            .ok_or_else(|| Error::Weekday(text.to_owned()))
    };
    let name = |number: usize| NAMES.get(number % 7).copied().unwrap_or("SUN");
    let mut days = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(r, s)| (r, Some(s)));
        let step: usize = match step {
            Some(step) => step
                .parse()
                .ok()
                .filter(|step| *step > 0)
                .ok_or_else(|| Error::Weekday(part.to_owned()))?,
            None => 1,
        };
        if range == "*" && step == 1 {
            return Ok("*".to_owned());
        }
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (0, 6),
            (_, Some((from, to))) => {
                let (from, to) = (number(from)?, number(to)?);
                // `FRI-SUN`: Sunday ends a week as 7.
                (from, if to < from { to + 7 } else { to })
            }
            (single, None) => {
                let day = number(single)?;
                (day, if part.contains('/') { 6 } else { day })
            }
        };
        days.extend((from..=to).step_by(step).map(name));
    }
    days.sort_unstable();
    days.dedup();
    Ok(days.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, schedules: usize) {
        match Cron::parse(text) {
            Ok(cron) => assert_eq!(cron.schedules.len(), schedules, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }

    #[test]
    fn five_fields_as_crontab_has_them() {
        check("0 9 * * 1", 1);
        check("*/15 * * * *", 1);
        check("0 0 13 * FRI", 2);
        check("0 0 13 * *", 1);
        check("0 0 */2 * 1", 1);
        check("30 2 1,15 1-6 *", 1);
        check("0 0 * * 0", 1);
        check("0 0 * * 7", 1);
        check("@daily", 1);
    }

    #[test]
    fn weekdays_are_counted_from_sunday() {
        let check = |field: &str, expected: &str| {
            assert_eq!(weekdays(field).as_deref(), Ok(expected), "{field}");
        };
        check("*", "*");
        check("0", "SUN");
        check("7", "SUN");
        check("1-5", "FRI,MON,THU,TUE,WED");
        check("fri-sun", "FRI,SAT,SUN");
        check("*/2", "SAT,SUN,THU,TUE");
        check("6,0", "SAT,SUN");
        check("5-7", "FRI,SAT,SUN");
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        let check = |text: &str| assert!(Cron::parse(text).is_err(), "{text}");
        check("* * * *");
        check("0 * * * * *");
        check("61 * * * *");
        check("0 24 * * *");
        check("0 0 * * 8");
        check("0 0 * * MO");
        check("0 0 32 * *");
        check("x");
        check("");
        check("0 0 * * 1/0");
    }
}
