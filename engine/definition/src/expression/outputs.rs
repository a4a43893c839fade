//! How many outputs an expression can give, read off its syntax tree.
//!
//! Bounds are sound in one direction only: `most` never says less than can come, except that an
//! expression which fails gives nothing at all. Nothing is evaluated.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Opt, Part, Path};

/// How many outputs there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// Never any: the expression is always `null`.
    None,
    /// Exactly one.
    One,
    /// One, or none, which counts as `null`.
    MaybeNone,
    /// Possibly several, of which only the first counts.
    Many,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    Zero,
    One,
    Many,
}

#[derive(Debug, Clone, Copy)]
struct Range {
    least: Count,
    most: Count,
}

const NONE: Range = Range { least: Count::Zero, most: Count::Zero };
const ONE: Range = Range { least: Count::One, most: Count::One };
const MAYBE: Range = Range { least: Count::Zero, most: Count::One };
const ANY: Range = Range { least: Count::Zero, most: Count::Many };

impl Count {
    fn times(self, other: Self) -> Self {
        match (self, other) {
            (Self::Zero, _) | (_, Self::Zero) => Self::Zero,
            (Self::One, Self::One) => Self::One,
            (Self::Many, Self::One | Self::Many) | (Self::One, Self::Many) => Self::Many,
        }
    }

    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Zero, count) | (count, Self::Zero) => count,
            (Self::One | Self::Many, Self::One | Self::Many) => Self::Many,
        }
    }
}

impl Range {
    /// For each output of `self` those of `other`.
    fn times(self, other: Self) -> Self {
        Self { least: self.least.times(other.least), most: self.most.times(other.most) }
    }

    /// Those of `self`, then those of `other`.
    fn plus(self, other: Self) -> Self {
        Self { least: self.least.plus(other.least), most: self.most.plus(other.most) }
    }

    /// Those of `self` or those of `other`.
    fn or(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }

    /// Some of them may be missing.
    fn maybe(self) -> Self {
        Self { least: Count::Zero, ..self }
    }

    /// At most one of them.
    fn first(self) -> Self {
        Self { least: self.least.min(Count::One), most: self.most.min(Count::One) }
    }
}

/// How many outputs a term can give.
pub(super) fn outputs(term: &Term<&str>) -> Outputs {
    let range = count(term);
    match (range.least, range.most) {
        (_, Count::Many) => Outputs::Many,
        (_, Count::Zero) => Outputs::None,
        (Count::Zero, Count::One) => Outputs::MaybeNone,
        (Count::One | Count::Many, Count::One) => Outputs::One,
    }
}

fn product<'t, 's: 't>(terms: impl Iterator<Item = &'t Term<&'s str>>) -> Range {
    terms.fold(ONE, |all, term| all.times(count(term)))
}

fn count(term: &Term<&str>) -> Range {
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(_) => ONE,
        Term::Recurse => Range { least: Count::One, most: Count::Many },
        // Where the loop is left, what came before stays.
        Term::Break(_) => NONE,
        Term::Label(_, body) => count(body).maybe(),
        Term::Str(_, parts) => product(parts.iter().filter_map(|part| match part {
            StrPart::Term(term) => Some(term),
            StrPart::Str(_) | StrPart::Char(_) => None,
        })),
        Term::Obj(fields) => {
            product(fields.iter().flat_map(|(key, value)| std::iter::once(key).chain(value)))
        }
        Term::Neg(term) => count(term),
        Term::BinOp(left, op, right) => operation(left, op, right),
        Term::Fold(name, source, _, args) => fold(name, source, args),
        Term::TryCatch(body, catch) => {
            let body = count(body);
            // The first failure ends the body, so one output cannot be followed by `catch`'s.
            catch.as_deref().map_or(body.maybe(), |catch| body.or(count(catch)))
        }
        Term::IfThenElse(cases, otherwise) => {
            let otherwise = otherwise.as_deref().map_or(ONE, count);
            let branches = cases.iter().fold(otherwise, |all, (_, then)| all.or(count(then)));
            product(cases.iter().map(|(when, _)| when)).times(branches)
        }
        // Refused before this is asked.
        Term::Def(_, body) => count(body),
        Term::Call(name, args) => call(name, args),
        Term::Path(term, path) => count(term).times(path_count(path)),
    }
}

fn path_count(path: &Path<Term<&str>>) -> Range {
    path.0.iter().fold(ONE, |all, (part, optional)| {
        let range = match part {
            Part::Index(index) => count(index),
            Part::Range(None, None) => ANY,
            Part::Range(from, to) => product(from.iter().chain(to)),
        };
        let range = match optional {
            Opt::Optional => range.maybe(),
            Opt::Essential => range,
        };
        all.times(range)
    })
}

fn operation(left: &Term<&str>, op: &BinaryOp<&str>, right: &Term<&str>) -> Range {
    match op {
        BinaryOp::Pipe(pattern) => {
            let keys = pattern.as_ref().map_or(ONE, pattern_count);
            count(left).times(keys).times(count(right))
        }
        BinaryOp::Comma => count(left).plus(count(right)),
        BinaryOp::Alt => {
            let (left, right) = (count(left), count(right));
            Range { least: right.least.min(Count::One), most: left.most.max(right.most) }
        }
        BinaryOp::Or | BinaryOp::And | BinaryOp::Math(_) | BinaryOp::Cmp(_) => {
            count(left).times(count(right))
        }
        BinaryOp::Assign | BinaryOp::UpdateMath(_) => count(right),
        BinaryOp::Update | BinaryOp::UpdateAlt => ONE,
    }
}

fn pattern_count(pattern: &Pattern<&str>) -> Range {
    match pattern {
        Pattern::Var(_) => ONE,
        Pattern::Arr(items) => items.iter().fold(ONE, |all, item| all.times(pattern_count(item))),
        Pattern::Obj(fields) => fields
            .iter()
            .fold(ONE, |all, (key, pattern)| all.times(count(key)).times(pattern_count(pattern))),
    }
}

/// `reduce` gives one value, `foreach` one for each turn.
fn fold(name: &str, source: &Term<&str>, args: &[Term<&str>]) -> Range {
    let initial = args.first().map_or(ONE, count);
    if name == "reduce" {
        return initial;
    }
    let turn = product(args.iter().skip(1));
    initial.times(count(source)).times(turn)
}

fn call(name: &str, args: &[Term<&str>]) -> Range {
    match (name, args) {
        ("empty", []) => NONE,
        ("select", [condition]) => count(condition).maybe(),
        (
            "values" | "nulls" | "booleans" | "numbers" | "finites" | "normals" | "strings"
            | "arrays" | "objects" | "iterables" | "scalars",
            [],
        ) => MAYBE,
        ("first" | "last", [all]) => count(all).first(),
        ("nth", [index, all]) => count(index).times(count(all).first().maybe()),
        ("limit", [Term::Num("1"), all]) => count(all).first(),
        ("limit" | "skip", [many, all]) => count(many).times(count(all)).maybe(),
        ("match" | "capture", [_]) => MAYBE,
        (
            "range" | "repeat" | "recurse" | "recurse_down" | "while" | "paths" | "leaf_paths"
            | "splits" | "scan" | "match" | "capture" | "combinations" | "tostream" | "fromstream"
            | "truncate_stream" | "JOIN",
            _,
        ) => ANY,
        ("path" | "path_value" | "error", [inner]) => count(inner),
        // What these do with the outputs of their argument is their own business.
        (
            "with_entries" | "map" | "map_values" | "walk" | "del" | "any" | "all" | "add"
            | "isempty" | "IN" | "INDEX" | "sort_by" | "group_by" | "unique_by" | "min_by"
            | "max_by" | "until" | "pick" | "sub" | "gsub",
            _,
        ) => ONE,
        // Values go in: every combination of them gives a result.
        (_, args) => product(args.iter()),
    }
}
