//! Regular expressions: jq's results from an engine whose time is linear in the text.
//!
//! The engine has no look-around and no back-references, and cannot be made slow by a pattern.
//! Compiled patterns are kept per thread, because a pattern is nearly always constant.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the types of jq are closed, and what no rule names is one error for all of them"
)]

use std::cell::RefCell;

use jaq_core::Error;
use jaq_json::{Map, Val};
use regex::{Captures, Regex, RegexBuilder};

use super::item::{Item, fail};
use super::text::shown;

/// Memory one compiled pattern may take, in bytes.
const PATTERN_MAX: usize = 512 * 1024;
/// Patterns a thread keeps.
const KEPT: usize = 16;

thread_local! {
    static PATTERNS: RefCell<Vec<(String, Flags, Regex)>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Flags {
    global: bool,
    skip_empty: bool,
    ignore_case: bool,
    extended: bool,
    /// `.` stands for line breaks too.
    dot_all: bool,
}

impl Flags {
    fn read(value: &Val) -> Result<Self, Error<Item>> {
        let text = match value {
            Val::Null => return Ok(Self::default()),
            Val::TStr(bytes) => String::from_utf8_lossy(bytes),
            other => return Err(fail(format_args!("{} is not a string", shown(other)))),
        };
        let mut flags = Self::default();
        for flag in text.chars() {
            match flag {
                'g' => flags.global = true,
                'i' => flags.ignore_case = true,
                'x' => flags.extended = true,
                'n' => flags.skip_empty = true,
                'p' => flags.dot_all = true,
                // `^` and `$` mean the whole text anyway, and alternatives are tried in order.
                's' | 'l' => {}
                _ => return Err(fail(format_args!("{text} is not a valid modifier string"))),
            }
        }
        Ok(flags)
    }
}

/// A text, what to search for in it, and how.
pub(super) struct Search {
    text: String,
    pattern: Regex,
    flags: Flags,
}

impl Search {
    /// `pattern` is text, or with no flags an array of text and flags.
    pub(super) fn new(text: &Val, pattern: &Val, flags: &Val) -> Result<Self, Error<Item>> {
        let (pattern, flags) = match (pattern, flags) {
            (Val::Arr(both), Val::Null) => {
                (both.first().unwrap_or(&Val::Null), both.get(1).unwrap_or(&Val::Null))
            }
            both => both,
        };
        let (Val::TStr(text), Val::TStr(source)) = (text, pattern) else {
            let wrong = if matches!(text, Val::TStr(_)) { pattern } else { text };
            return Err(fail(format_args!(
                "{} cannot be matched, as it is not a string",
                shown(wrong)
            )));
        };
        let text = String::from_utf8_lossy(text).into_owned();
        let flags = Flags::read(flags)?;
        let pattern = compiled(&String::from_utf8_lossy(source), flags)?;
        Ok(Self { text, pattern, flags })
    }

    /// Finds all matches, not only the first.
    pub(super) fn global(mut self) -> Self {
        self.flags.global = true;
        self
    }

    pub(super) fn found(&self) -> bool {
        if self.flags.skip_empty {
            return self.matches().next().is_some();
        }
        self.pattern.is_match(&self.text)
    }

    fn matches(&self) -> impl Iterator<Item = Captures<'_>> {
        let flags = self.flags;
        let empty = |found: &Captures<'_>| found.get(0).is_some_and(|whole| whole.is_empty());
        self.pattern
            .captures_iter(&self.text)
            .filter(move |found| !flags.skip_empty || !empty(found))
            .take(if flags.global { usize::MAX } else { 1 })
    }

    /// The match objects of `match`.
    pub(super) fn objects(&self) -> Val {
        let mut places = Places::new(&self.text);
        let matches = self.matches().map(|found| {
            let groups = self.pattern.capture_names().zip(found.iter()).skip(1);
            let groups = groups.map(|(name, group)| {
                let name = ("name", name.map_or(Val::Null, text));
                object(place(&mut places, group).into_iter().chain([name]))
            });
            let groups: Val = groups.collect();
            let whole = place(&mut places, found.get(0));
            object(whole.into_iter().chain([("captures", groups)]))
        });
        matches.collect()
    }

    /// The named groups of each match, for `capture`.
    pub(super) fn captures(&self) -> Val {
        self.matches().map(|found| self.named(&found)).collect()
    }

    fn named(&self, found: &Captures<'_>) -> Val {
        let groups = self.pattern.capture_names().zip(found.iter());
        let named = groups.filter_map(|(name, group)| {
            Some((name?, group.map_or(Val::Null, |group| text(group.as_str()))))
        });
        object(named)
    }

    /// The text of each match, or of its groups if the pattern has some, for `scan`.
    pub(super) fn texts(&self) -> Val {
        let some = |group: Option<regex::Match<'_>>| group.map_or(Val::Null, |m| text(m.as_str()));
        let matches = self.matches().map(|found| {
            if self.pattern.captures_len() == 1 {
                return some(found.get(0));
            }
            found.iter().skip(1).map(some).collect()
        });
        matches.collect()
    }

    /// The texts between the matches.
    pub(super) fn between(&self) -> Val {
        let mut parts = Vec::new();
        let rest = self.each(|before, _| parts.push(text(before)));
        parts.push(text(rest));
        parts.into_iter().collect()
    }

    /// The texts between the matches, and between those the named groups, for `sub`.
    pub(super) fn pieces(&self) -> Val {
        let mut parts = Vec::new();
        let rest = self.each(|before, found| parts.extend([text(before), self.named(found)]));
        parts.push(text(rest));
        parts.into_iter().collect()
    }

    /// Calls `f` with the text before each match and the match. Gives the text after the last.
    fn each<'t>(&'t self, mut f: impl FnMut(&'t str, &Captures<'t>)) -> &'t str {
        let mut from = 0;
        for found in self.matches() {
            if let Some(whole) = found.get(0) {
                f(self.text.get(from..whole.start()).unwrap_or(""), &found);
                from = whole.end();
            }
        }
        self.text.get(from..).unwrap_or("")
    }
}

fn compiled(source: &str, flags: Flags) -> Result<Regex, Error<Item>> {
    let build = Flags { global: false, skip_empty: false, ..flags };
    PATTERNS.with_borrow_mut(|kept| {
        if let Some(at) = kept.iter().position(|(text, flags, _)| text == source && *flags == build)
        {
            let found = kept.remove(at);
            let pattern = found.2.clone();
            kept.push(found);
            return Ok(pattern);
        }
        let pattern = RegexBuilder::new(source)
            .case_insensitive(build.ignore_case)
            .ignore_whitespace(build.extended)
            .dot_matches_new_line(build.dot_all)
            .size_limit(PATTERN_MAX)
            .dfa_size_limit(PATTERN_MAX)
            .build()
            .map_err(|error| {
                fail(format_args!("{source} is not a valid regex: {}", reason(&error)))
            })?;
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((source.to_owned(), build, pattern.clone()));
        Ok(pattern)
    })
}

/// The last line of the engine's drawing is what is wrong.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned()
}

fn text(text: &str) -> Val {
    Val::utf8_str(text.to_owned())
}

fn object<'k>(fields: impl Iterator<Item = (&'k str, Val)>) -> Val {
    Val::obj(fields.map(|(key, value)| (text(key), value)).collect::<Map>())
}

/// Where a group was found. A group that took no part is at -1.
fn place(places: &mut Places<'_>, group: Option<regex::Match<'_>>) -> [(&'static str, Val); 3] {
    match group {
        Some(group) => [
            ("offset", Val::from(places.chars_before(group.start()))),
            ("length", Val::from(group.as_str().chars().count())),
            ("string", text(group.as_str())),
        ],
        None => {
            [("offset", Val::from(-1_isize)), ("length", Val::from(0_usize)), ("string", Val::Null)]
        }
    }
}

/// From bytes to characters, in one pass as long as places come in order.
struct Places<'t> {
    text: &'t str,
    byte: usize,
    chars: usize,
}

impl<'t> Places<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, byte: 0, chars: 0 }
    }

    fn chars_before(&mut self, byte: usize) -> usize {
        if byte >= self.byte {
            self.chars += count(self.text.get(self.byte..byte));
        } else {
            self.chars -= count(self.text.get(byte..self.byte));
        }
        self.byte = byte;
        self.chars
    }
}

fn count(text: Option<&str>) -> usize {
    text.map_or(0, |text| text.chars().count())
}
