//! What an evaluation has left to spend, and how large a value may grow.
//!
//! Kept per thread and not in the data of the program: what operators and paths mean is said by
//! traits that see nothing but values, and they must pay too. An evaluation stays on one thread
//! from beginning to end. Whoever multiplies or copies pays here *before* the memory is taken.

use std::cell::Cell;
use std::fmt;

use jaq_core::{Error, Exn};
use jaq_json::{Num, Val};

use super::item::{Item, fail};

/// Work one evaluation may do; a unit is about a fifth of a microsecond.
const FUEL: u64 = 500_000;
/// Largest value, where each part weighs 1 and each [`TEXT_UNIT`] bytes of text 1 more.
const WEIGHT_MAX: u64 = 100_000;
const TEXT_UNIT: u64 = 16;
/// Deepest value that is built. Must stay below what dropping and comparing can recurse through.
const DEPTH_MAX: u64 = 10_000;
/// Weight that costs one unit of fuel to look through.
const WEIGHT_PER_FUEL: u64 = 8;
/// Weight that costs one unit of fuel to build: memory that is new is dearer than work.
const BUILT_PER_FUEL: u64 = 4;
/// Bytes that cost one unit to read or to move in one go.
const BYTES_PER_FUEL: u64 = 1_024;

/// The limit an evaluation ran into. It cannot go on: what is left to spend is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Work,
    Size,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work => f.write_str("the expression takes too much work (an endless loop?)"),
            Self::Size => write!(
                f,
                "a value grew larger than {WEIGHT_MAX} parts (text counts one part per {TEXT_UNIT} bytes)"
            ),
        }
    }
}

/// Where only errors can be told. A `try` may catch it, but then nothing is left to go on with, and
/// [`met`] still tells.
impl From<Limit> for Error<Item> {
    fn from(limit: Limit) -> Self {
        fail(limit)
    }
}

/// A halt, which no `try` can catch.
impl From<Limit> for Exn<'_, Item> {
    fn from(limit: Limit) -> Self {
        Self::halt(match limit {
            Limit::Work => 1,
            Limit::Size => 2,
        })
    }
}

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(0) };
    static MET: Cell<Option<Limit>> = const { Cell::new(None) };
    static EVALUATION: Cell<u64> = const { Cell::new(0) };
}

/// Begins an evaluation on this thread.
pub(super) fn begin() {
    LEFT.set(FUEL);
    MET.set(None);
    EVALUATION.set(EVALUATION.get() + 1);
}

/// A number of its own for each evaluation of this thread.
pub(super) fn evaluation() -> u64 {
    EVALUATION.get()
}

/// The limit that was met first, if one was.
pub(super) fn met() -> Option<Limit> {
    MET.get()
}

/// Ends the evaluation.
pub(super) fn end(limit: Limit) -> Limit {
    LEFT.set(0);
    MET.set(MET.get().or(Some(limit)));
    limit
}

/// Pays for work.
pub(super) fn spend(cost: u64) -> Result<(), Limit> {
    match LEFT.get().checked_sub(cost) {
        Some(left) if MET.get().is_none() => {
            LEFT.set(left);
            Ok(())
        }
        Some(_) | None => Err(end(Limit::Work)),
    }
}

/// Refuses large values; charges by weight.
pub(super) fn weigh(value: &Val) -> Result<(), Limit> {
    weigh_times(value, 1)
}

/// Refuses large values; charges for going over a value so many times.
pub(super) fn weigh_times(value: &Val, times: u64) -> Result<(), Limit> {
    let mut left = WEIGHT_MAX;
    if weigh_below(value, DEPTH_MAX, &mut left).is_none() {
        return Err(end(Limit::Size));
    }
    spend(1 + times * (WEIGHT_MAX - left) / WEIGHT_PER_FUEL)
}

/// The weight of a value, or the most there may be.
pub(super) fn weight(value: &Val) -> u64 {
    let mut left = WEIGHT_MAX;
    weigh_below(value, DEPTH_MAX, &mut left).map_or(WEIGHT_MAX, |()| WEIGHT_MAX - left)
}

/// Pays for what will weigh so much, and refuses what would be too large.
pub(super) fn room(weight: u64) -> Result<(), Limit> {
    if weight > WEIGHT_MAX {
        return Err(end(Limit::Size));
    }
    spend(weight / BUILT_PER_FUEL)
}

/// Pays for a list of so many parts.
pub(super) fn list(parts: usize) -> Result<(), Limit> {
    room(wide(parts))
}

/// Pays for a text of so many bytes.
pub(super) fn text(bytes: usize) -> Result<(), Limit> {
    room(wide(bytes) / TEXT_UNIT)
}

/// Pays for reading or moving so many bytes in one go.
pub(super) fn pass(bytes: usize) -> Result<(), Limit> {
    spend(wide(bytes) / BYTES_PER_FUEL)
}

/// Pays for a copy of a list whose parts are shared.
pub(super) fn copy(parts: usize) -> Result<(), Limit> {
    const PARTS_PER_FUEL: u64 = 16;
    spend(wide(parts) / PARTS_PER_FUEL)
}

/// Pays for moving so many entries of a list.
pub(super) fn shift(entries: usize) -> Result<(), Limit> {
    pass(entries.saturating_mul(size_of::<Val>()))
}

/// Whether a list of so many parts is larger than any value.
pub(super) fn too_many(parts: usize) -> bool {
    wide(parts) > WEIGHT_MAX
}

/// A size as a cost.
pub(super) fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn weigh_below(value: &Val, depth: u64, left: &mut u64) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let own = match value {
        Val::Null | Val::Bool(_) => 1,
        Val::Num(Num::BigInt(value)) => 1 + value.bits() / TEXT_UNIT,
        Val::Num(Num::Int(_) | Num::Float(_) | Num::Dec(_)) => 1,
        Val::BStr(bytes) | Val::TStr(bytes) => 1 + u64::try_from(bytes.len()).ok()? / TEXT_UNIT,
        Val::Arr(_) | Val::Obj(_) => 1,
    };
    *left = left.checked_sub(own)?;
    match value {
        Val::Arr(items) => items.iter().try_for_each(|item| weigh_below(item, depth, left)),
        Val::Obj(fields) => fields.iter().try_for_each(|(key, value)| {
            weigh_below(key, depth, left)?;
            weigh_below(value, depth, left)
        }),
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => Some(()),
    }
}
