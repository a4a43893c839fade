//! Regular expressions: jq's results from an engine whose time is linear in the text.
//!
//! The engine has no look-around and no back-references. What a pattern costs is read off its syntax
//! (`cost`) and paid before it is compiled and before each search, so that neither a large pattern nor
//! one that reads far ahead for each match takes long. Compiled patterns are kept per thread, because a pattern
//! is nearly always constant.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the types of jq are closed, and what no rule names is one error for all of them"
)]

use std::cell::RefCell;
use std::rc::Rc;

use jaq_core::Error;
use jaq_json::{Map, Val};
use regex::{Captures, Regex, RegexBuilder};

use super::item::{Item, fail};
use super::meter::{self, Limit};
use super::text::shown;
use cost::{Cost, PATTERN_BYTES_MAX, PATTERN_SIZE_MAX};

mod cost;

/// Memory one compiled pattern may take, in bytes.
const PATTERN_MAX: usize = 512 * 1024;
/// What parsing a pattern costs beside reading it.
const PARSING_TIMES: usize = 16;
/// Patterns a thread keeps.
const KEPT: usize = 16;

thread_local! {
    /// The most recently used comes last.
    static PATTERNS: RefCell<Vec<Compiled>> = const { RefCell::new(Vec::new()) };
}

/// A pattern that is kept.
struct Compiled {
    source: String,
    flags: Flags,
    /// Not cloned: each clone would have to make its own tables while it searches.
    pattern: Rc<Regex>,
    cost: Cost,
    /// The evaluation that used it last. The first use in each pays for compiling, so that what an
    /// evaluation costs does not depend on those before it.
    used_in: u64,
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
    pattern: Rc<Regex>,
    cost: Cost,
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
        let (pattern, cost) = compiled(&String::from_utf8_lossy(source), flags)?;
        cost.pay_to_search(text.len())?;
        Ok(Self { text, pattern, cost, flags })
    }

    /// Finds all matches, not only the first.
    pub(super) fn global(mut self) -> Self {
        self.flags.global = true;
        self
    }

    pub(super) fn found(&self) -> Result<bool, Limit> {
        if !self.flags.skip_empty {
            return Ok(self.pattern.is_match(&self.text));
        }
        let mut found = false;
        self.each(1, |_| found = true)?;
        Ok(found)
    }

    /// Calls `f` with each match that is wanted. A match that becomes `parts` parts of the result pays
    /// for them first.
    fn each<'t>(&'t self, parts: usize, mut f: impl FnMut(&Captures<'t>)) -> Result<(), Limit> {
        /// What one match costs the engine, and a part of a result weighs: both more than a plain value.
        const FUEL_PER_MATCH: usize = 4;
        let mut made = 0_usize;
        for found in self.pattern.captures_iter(&self.text) {
            let Some(whole) = found.get(0) else { continue };
            meter::spend(meter::wide(FUEL_PER_MATCH + parts + found.len()))?;
            self.cost.pay_to_go_on(self.text.len() - whole.end())?;
            if self.flags.skip_empty && whole.is_empty() {
                continue;
            }
            made = made.saturating_add(parts);
            if meter::too_many(made) {
                return Err(meter::end(Limit::Size));
            }
            f(&found);
            if !self.flags.global {
                break;
            }
        }
        Ok(())
    }

    /// Parts of the result that the groups of a match make, where each makes as many as `parts`.
    fn parts_of_groups(&self, parts: usize) -> usize {
        self.pattern.captures_len().saturating_mul(parts)
    }

    /// The match objects of `match`.
    pub(super) fn objects(&self) -> Result<Val, Limit> {
        /// An object of four fields.
        const PARTS: usize = 9;
        let mut places = Places::new(&self.text);
        let mut matches = Vec::new();
        self.each(self.parts_of_groups(PARTS), |found| {
            let groups = self.pattern.capture_names().zip(found.iter()).skip(1);
            let groups = groups.map(|(name, group)| {
                let name = ("name", name.map_or(Val::Null, text));
                object(place(&mut places, group).into_iter().chain([name]))
            });
            let groups: Val = groups.collect();
            let whole = place(&mut places, found.get(0));
            matches.push(object(whole.into_iter().chain([("captures", groups)])));
        })?;
        Ok(matches.into_iter().collect())
    }

    /// The named groups of each match, for `capture`.
    pub(super) fn captures(&self) -> Result<Val, Limit> {
        let mut matches = Vec::new();
        self.each(self.parts_of_groups(2), |found| matches.push(self.named(found)))?;
        Ok(matches.into_iter().collect())
    }

    fn named(&self, found: &Captures<'_>) -> Val {
        let groups = self.pattern.capture_names().zip(found.iter());
        let named = groups.filter_map(|(name, group)| {
            Some((name?, group.map_or(Val::Null, |group| text(group.as_str()))))
        });
        object(named)
    }

    /// The text of each match, or of its groups if the pattern has some, for `scan`.
    pub(super) fn texts(&self) -> Result<Val, Limit> {
        let some = |group: Option<regex::Match<'_>>| group.map_or(Val::Null, |m| text(m.as_str()));
        let mut matches: Vec<Val> = Vec::new();
        self.each(self.parts_of_groups(1), |found| {
            matches.push(if self.pattern.captures_len() == 1 {
                some(found.get(0))
            } else {
                found.iter().skip(1).map(some).collect()
            });
        })?;
        Ok(matches.into_iter().collect())
    }

    /// The texts between the matches.
    pub(super) fn between(&self) -> Result<Val, Limit> {
        let mut parts = Vec::new();
        let rest = self.gaps(1, |before, _| parts.push(text(before)))?;
        parts.push(text(rest));
        Ok(parts.into_iter().collect())
    }

    /// The texts between the matches, and between those the named groups, for `sub`.
    pub(super) fn pieces(&self) -> Result<Val, Limit> {
        let mut parts = Vec::new();
        let rest = self.gaps(1 + self.parts_of_groups(2), |before, found| {
            parts.extend([text(before), self.named(found)]);
        })?;
        parts.push(text(rest));
        Ok(parts.into_iter().collect())
    }

    /// Calls `f` with the text before each match and the match. Gives the text after the last.
    fn gaps<'t>(
        &'t self,
        parts: usize,
        mut f: impl FnMut(&'t str, &Captures<'t>),
    ) -> Result<&'t str, Limit> {
        let mut from = 0;
        self.each(parts, |found| {
            if let Some(whole) = found.get(0) {
                f(self.text.get(from..whole.start()).unwrap_or(""), found);
                from = whole.end();
            }
        })?;
        Ok(self.text.get(from..).unwrap_or(""))
    }
}

fn compiled(source: &str, flags: Flags) -> Result<(Rc<Regex>, Cost), Error<Item>> {
    let flags = Flags { global: false, skip_empty: false, ..flags };
    let used_in = meter::evaluation();
    PATTERNS.with_borrow_mut(|kept| {
        let found = kept.iter().position(|kept| kept.source == source && kept.flags == flags);
        if let Some(at) = found {
            let found = kept.remove(at);
            if found.used_in != used_in {
                found.cost.pay_to_compile()?;
            }
            let both = (Rc::clone(&found.pattern), found.cost);
            kept.push(Compiled { used_in, ..found });
            return Ok(both);
        }
        let (pattern, cost) = compile(source, flags)?;
        let pattern = Rc::new(pattern);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        let source = source.to_owned();
        kept.push(Compiled { source, flags, pattern: Rc::clone(&pattern), cost, used_in });
        Ok((pattern, cost))
    })
}

/// Characters of a pattern that a message shows.
const SHOWN_MAX: usize = 80;

fn compile(source: &str, flags: Flags) -> Result<(Regex, Cost), Error<Item>> {
    if source.len() > PATTERN_BYTES_MAX {
        return Err(fail(format_args!("a regex may have {PATTERN_BYTES_MAX} bytes at most")));
    }
    meter::text(source.len().saturating_mul(PARSING_TIMES))?;
    let mut parser = regex_syntax::ParserBuilder::new();
    parser
        .case_insensitive(flags.ignore_case)
        .ignore_whitespace(flags.extended)
        .dot_matches_new_line(flags.dot_all);
    // A message has an end: the reason must come before it.
    let shown: String = source.chars().take(SHOWN_MAX).collect();
    let more = if shown.len() < source.len() { "..." } else { "" };
    let wrong = |why: &str| fail(format_args!("{shown}{more} is not a valid regex: {why}"));
    let cost = match Cost::of(&mut parser, source) {
        Some(cost) if cost.size > PATTERN_SIZE_MAX => {
            return Err(wrong("it is too large with its repetitions written out"));
        }
        cost => cost,
    };
    if let Some(cost) = cost {
        cost.pay_to_compile()?;
    }
    let pattern = RegexBuilder::new(source)
        .case_insensitive(flags.ignore_case)
        .ignore_whitespace(flags.extended)
        .dot_matches_new_line(flags.dot_all)
        .size_limit(PATTERN_MAX)
        .dfa_size_limit(PATTERN_MAX)
        .build()
        .map_err(|error| wrong(&reason(&error)))?;
    // The engine reads the syntax as the cost did.
    Ok((pattern, cost.ok_or_else(|| wrong("its cost cannot be told"))?))
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
