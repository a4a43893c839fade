//! What a pattern costs to compile and to search with, read off its syntax before either is done.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use crate::expression::meter::{self, Limit};

/// Longest pattern, in bytes.
pub(super) const PATTERN_BYTES_MAX: usize = 4 * 1024;
/// Largest pattern, in characters and ranges of characters with repetitions written out. A class
/// such as `\w` has some 800 ranges.
pub(super) const PATTERN_SIZE_MAX: u64 = 20_000;

/// What a pattern costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Characters and ranges with repetitions written out: what compiling goes through.
    pub(super) size: u64,
    /// Places in the pattern where a search can be at once.
    width: u64,
    /// Whether a search for one match may read on to the end of the text.
    far: bool,
    /// Whether it must begin at the beginning: for such the engine prepares more.
    anchored: bool,
}

impl Cost {
    /// `None` for what is no pattern; the engine says why.
    pub(super) fn of(parser: &mut ParserBuilder, source: &str) -> Option<Self> {
        let syntax = parser.build().parse(source).ok()?;
        let properties = syntax.properties();
        let width = if properties.is_literal() || properties.is_alternation_literal() {
            1
        } else {
            measure(&syntax, &|_| 1)
        };
        Some(Self {
            size: measure(&syntax, &ranges),
            width,
            far: reads_far(&syntax, true),
            anchored: properties.look_set_prefix().contains(Look::Start),
        })
    }

    /// Pays for compiling.
    pub(super) fn pay_to_compile(self) -> Result<(), Limit> {
        const FUEL_PER_PART: u64 = 4;
        /// An anchored pattern may get a table of its own, at most so dear.
        const TABLE_TIMES: u64 = 8;
        const TABLE_MAX: u64 = 50_000;
        /// What is more than literal text is searched for words to look out for.
        const BASE: u64 = 100;
        const WORDS: u64 = 1_000;
        let base = if self.width > 1 { WORDS } else { BASE };
        let table = if self.anchored { (self.size * TABLE_TIMES).min(TABLE_MAX) } else { 0 };
        meter::spend(base + self.size.saturating_mul(FUEL_PER_PART).saturating_add(table))
    }

    /// Pays for going through a text once.
    pub(super) fn pay_to_search(self, bytes: usize) -> Result<(), Limit> {
        const BASE: u64 = 4;
        let bytes = meter::wide(bytes);
        meter::spend(BASE + bytes / 8 + bytes.saturating_mul(self.width) / WIDTH_PER_FUEL)
    }

    /// Pays for the search after a match: it may read far ahead, only to find a short match.
    pub(super) fn pay_to_go_on(self, bytes: usize) -> Result<(), Limit> {
        /// Up to this width the engine never needs more than one step for a byte.
        const NARROW: u64 = 8;
        const STEPS_PER_FUEL: u64 = 40;
        const CHAR_BYTES: u64 = 4;
        let left = meter::wide(bytes);
        let read = if self.far { left } else { left.min(self.size.saturating_mul(CHAR_BYTES)) };
        meter::spend(if self.width <= NARROW {
            read / STEPS_PER_FUEL
        } else {
            read.saturating_mul(self.width) / WIDTH_PER_FUEL
        })
    }
}

/// Bytes times places that cost one unit of fuel.
const WIDTH_PER_FUEL: u64 = 6;

/// Ranges of characters in a class: each becomes a part of the compiled pattern.
fn ranges(class: &Class) -> u64 {
    meter::wide(match class {
        Class::Unicode(class) => class.ranges().len(),
        Class::Bytes(class) => class.ranges().len(),
    })
}

/// The parts of a pattern with repetitions written out. `class` says what a class counts.
fn measure(pattern: &Hir, class: &impl Fn(&Class) -> u64) -> u64 {
    let sum = |parts: &[Hir]| {
        parts.iter().map(|part| measure(part, class)).fold(0_u64, u64::saturating_add)
    };
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => meter::wide(literal.0.len()),
        HirKind::Class(found) => class(found).max(1),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            measure(&repetition.sub, class).saturating_mul(u64::from(times))
        }
        HirKind::Capture(capture) => measure(&capture.sub, class).saturating_add(1),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

/// Whether a search for one match may read far past its end. A repetition without an end does that
/// unless it comes last: then all it reads is part of the match.
fn reads_far(pattern: &Hir, last: bool) -> bool {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => false,
        HirKind::Repetition(repetition) => match repetition.max {
            None => !last || !is_one_char(&repetition.sub),
            Some(_) => reads_far(&repetition.sub, false),
        },
        HirKind::Capture(capture) => reads_far(&capture.sub, last),
        HirKind::Alternation(parts) => parts.iter().any(|part| reads_far(part, last)),
        HirKind::Concat(parts) => parts
            .iter()
            .enumerate()
            .any(|(at, part)| reads_far(part, last && at + 1 == parts.len())),
    }
}

fn is_one_char(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Class(_) => true,
        HirKind::Literal(literal) => literal.0.len() == 1,
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Concat(_)
        | HirKind::Alternation(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, size: u64, width: u64, far: bool) {
        let found = Cost::of(&mut ParserBuilder::new(), source).unwrap();
        assert_eq!((found.size, found.width, found.far), (size, width, far), "{source}");
    }

    #[test]
    fn repetitions_count_written_out() {
        check("abc", 3, 1, false);
        check("abc|def", 6, 1, false);
        check("[ab]{20}c", 21, 21, false);
        check("((a{10}){10}){10}", 1_110, 1_110, false);
        check("[a-cx-z]", 2, 1, false);
    }

    #[test]
    fn only_what_comes_last_may_repeat_without_reading_on() {
        check("[ ]+", 1, 1, false);
        check(", *", 2, 2, false);
        check("a*b|a", 3, 3, true);
        check(" *,", 2, 2, true);
        check(" +$", 2, 2, true);
        check("(ab)*", 3, 3, true);
    }
}
