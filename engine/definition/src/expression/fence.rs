//! Fuel and size: what keeps a hostile or mistaken program short and small.
//!
//! The public syntax tree is rewritten before it is compiled: a `__tick` goes before each
//! definition body and after each iteration, `*` becomes a checked multiplication, and every value
//! that is built passes `__size`, which refuses large ones and lets the rest pay by their size.
//! Since *virtual* size is bounded (shared parts count each time), comparing, printing and dropping
//! values are bounded too. Running out is a halt, which `try` cannot swallow.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use jaq_core::box_iter::box_once;
use jaq_core::data::HasLut;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::native::{Fun, v};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};
use jaq_core::{DataT, Exn, Lut, Native};
use jaq_json::{Num, Val};

use super::item::{Item, times_of};
use super::outputs::{Outputs, outputs};
use super::text;

/// Work one evaluation may do. A definition's call costs [`CALL_COST`], a turn of `reduce` or
/// `foreach` [`TURN_COST`], an output of `.[]` or `range` one.
const FUEL: u64 = 500_000;
const CALL_COST: u64 = 5;
/// Bounds the turns to 50,000: each may nest its value one level deeper.
const TURN_COST: u64 = 10;
/// Largest value, where each part weighs 1 and each [`TEXT_UNIT`] bytes of text 1 more.
const WEIGHT_MAX: u64 = 100_000;
const TEXT_UNIT: u64 = 16;
/// Deepest value that is built. Must stay below what dropping and comparing can recurse through.
const DEPTH_MAX: u64 = 10_000;
/// Weight that costs one unit of fuel to build or to look through.
const WEIGHT_PER_FUEL: u64 = 8;
/// Largest integer, in bits.
const BITS_MAX: u64 = 4_096;
/// Longest error message, in bytes.
const MESSAGE_MAX: usize = 300;

const OUT_OF_FUEL: i32 = 1;
const TOO_LARGE: i32 = 2;

/// How much work is left.
pub(super) struct Fuel {
    left: Cell<u64>,
    /// What a turn costs: between two turns all of the author's term may run.
    turn: u64,
}

/// What a turn of a term costs. Terms within a turn are not counted one by one, so that a short
/// expression pays little; a long one pays for its length instead, and for the nesting it allows.
pub(super) fn turn_cost(term: &Code<'_>) -> u64 {
    const TERMS_PER_FUEL: u64 = 16;
    const SQUARE_PER_FUEL: u64 = 16_384;
    let mut terms = 0_u64;
    super::program::visit(term, &mut |_| terms += 1);
    1 + terms / TERMS_PER_FUEL + terms * terms / SQUARE_PER_FUEL
}

impl Fuel {
    pub(super) fn full(turn: u64) -> Self {
        Self { left: Cell::new(FUEL), turn }
    }

    pub(super) fn spend<'a>(&self, cost: u64) -> Result<(), Exn<'a, Item>> {
        match self.left.get().checked_sub(cost) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Exn::halt(OUT_OF_FUEL)),
        }
    }

    /// One more turn of something that repeats.
    fn turn<'a>(&self, cost: u64) -> Result<(), Exn<'a, Item>> {
        self.spend(cost.saturating_mul(self.turn))
    }

    /// Refuses large values; charges by weight.
    pub(super) fn weigh<'a>(&self, value: &Val) -> Result<(), Exn<'a, Item>> {
        let mut left = WEIGHT_MAX;
        if weigh_below(value, DEPTH_MAX, &mut left).is_none() {
            return Err(Exn::halt(TOO_LARGE));
        }
        self.spend(1 + (WEIGHT_MAX - left) / WEIGHT_PER_FUEL)
    }

    /// Pays for what goes over its input several times: sorting, coding.
    fn weigh_often<'a>(&self, value: &Val) -> Result<(), Exn<'a, Item>> {
        const TIMES: usize = 6;
        (0..TIMES).try_for_each(|_| self.weigh(value))
    }
}

impl Fuel {
    /// Pays for a search by regular expression, whose time can grow with the square of the text.
    pub(super) fn search<'a>(&self, value: &Val) -> Result<(), Exn<'a, Item>> {
        const BYTES_PER_FUEL: u64 = 4;
        const SQUARE_PER_FUEL: u64 = 65_536;
        let Val::TStr(text) = value else { return Ok(()) };
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let square = length.saturating_mul(length) / SQUARE_PER_FUEL;
        self.spend(square.saturating_add(length / BYTES_PER_FUEL))
    }
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

/// The kind of data our programs run with: plain values, and the fuel.
pub(super) struct Fenced;

/// What every native function can reach.
#[derive(Clone, Copy)]
pub(super) struct Data<'a> {
    lut: &'a Lut<Fenced>,
    pub(super) fuel: &'a Fuel,
}

impl<'a> Data<'a> {
    pub(super) fn new(lut: &'a Lut<Fenced>, fuel: &'a Fuel) -> Self {
        Self { lut, fuel }
    }
}

impl DataT for Fenced {
    type V<'a> = Item;
    type Data<'a> = Data<'a>;
}

impl<'a> HasLut<'a, Fenced> for Data<'a> {
    fn lut(&self) -> &'a Lut<Fenced> {
        self.lut
    }
}

/// The functions the rewriting calls. No author can: names with two underscores are refused.
pub(super) fn natives() -> Vec<Fun<Fenced>> {
    /// A function that lets its input pass if `check` does, also on paths and in updates.
    macro_rules! gate {
        ($name:literal, $check:expr) => {{
            let native = Native::<Fenced>::new(|cv| {
                let check: fn(&Fuel, &Val) -> Result<(), Exn<'static, Item>> = $check;
                box_once(check(cv.0.data().fuel, &cv.1.0).map(|()| cv.1))
            })
            .with_paths(|cv| {
                let check: fn(&Fuel, &Val) -> Result<(), Exn<'static, Item>> = $check;
                box_once(check(cv.0.data().fuel, &cv.1.0.0).map(|()| cv.1))
            })
            .with_update(|cv, update| {
                let check: fn(&Fuel, &Val) -> Result<(), Exn<'static, Item>> = $check;
                match check(cv.0.data().fuel, &cv.1.0) {
                    Ok(()) => update(cv.1),
                    Err(halt) => box_once(Err(halt)),
                }
            });
            ($name, v(0), native)
        }};
    }
    vec![
        gate!("__tick", |fuel, _| fuel.turn(1)),
        gate!("__call", |fuel, _| fuel.spend(CALL_COST)),
        gate!("__bind", |fuel, _| fuel.turn(CALL_COST)),
        gate!("__turn", |fuel, _| fuel.turn(TURN_COST)),
        gate!("__size", Fuel::weigh),
        gate!("__often", Fuel::weigh_often),
        (
            "__mul",
            v(2),
            Native::new(|mut cv| {
                let right = cv.0.pop_var();
                let left = cv.0.pop_var();
                box_once(multiply(cv.0.data().fuel, left, right))
            }),
        ),
    ]
}

/// `left * right`, refused before it is computed when the product would be large.
fn multiply<'a>(fuel: &Fuel, left: Item, right: Item) -> Result<Item, Exn<'a, Item>> {
    let bits = |value: &Val| {
        if let Val::Num(Num::BigInt(value)) = value { value.bits() } else { u64::from(u64::BITS) }
    };
    let product = match (&left.0, &right.0) {
        (Val::TStr(text), Val::Num(times)) | (Val::Num(times), Val::TStr(text)) => {
            let times = times_of(times).unwrap_or(0);
            u64::try_from(text.len().saturating_mul(times)).unwrap_or(u64::MAX) / TEXT_UNIT
        }
        (Val::Num(_), Val::Num(_)) if bits(&left.0) + bits(&right.0) > BITS_MAX => u64::MAX,
        _ => 0,
    };
    if product > WEIGHT_MAX {
        return Err(Exn::halt(TOO_LARGE));
    }
    fuel.spend(CALL_COST + product / WEIGHT_PER_FUEL)?;
    let value = (left * right).map_err(Exn::from)?;
    fuel.weigh(&value.0)?;
    Ok(value)
}

/// Why an evaluation ended without a value, in words for the author.
pub(super) fn explain(exception: Exn<'_, Item>) -> String {
    let exception = match exception.get_err() {
        Ok(error) => {
            let mut message = Short(String::new());
            // The text of `error("...")` is wanted without quotes, anything else as JSON.
            let shown = match error.into_val().0 {
                Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
                other @ (Val::Null
                | Val::Bool(_)
                | Val::Num(_)
                | Val::BStr(_)
                | Val::Arr(_)
                | Val::Obj(_)) => text::json(&other),
            };
            // Cut off by intent: the value inside may be large.
            let cut = message.write_str(&shown).is_err();
            return if cut { message.0 + "..." } else { message.0 };
        }
        Err(other) => other,
    };
    match exception.get_halt() {
        Ok(TOO_LARGE) => format!(
            "a value grew larger than {WEIGHT_MAX} parts (text counts one part per {TEXT_UNIT} bytes)"
        ),
        Ok(_) => "the expression takes too much work (an endless loop?)".to_owned(),
        Err(_) => "`break` left the expression".to_owned(),
    }
}

/// A text that stops growing.
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MESSAGE_MAX.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(text.get(..end).unwrap_or(""));
        Err(fmt::Error)
    }
}

type Code<'s> = Term<&'s str>;

fn call(name: &'static str) -> Code<'static> {
    Term::Call(name, Vec::new())
}

fn then<'s>(first: Code<'s>, second: Code<'s>) -> Code<'s> {
    Term::BinOp(Box::new(first), BinaryOp::Pipe(None), Box::new(second))
}

/// Puts the fences into a definition of the prelude.
pub(super) fn fence_def(def: Def<&str>) -> Def<&str> {
    // The call comes first, so that what was in tail position stays there.
    Def { name: def.name, args: def.args, body: then(call("__call"), fence(def.body)) }
}

#[expect(clippy::boxed_local, reason = "the syntax tree holds boxes on both sides")]
fn fence_box<'s>(term: Box<Code<'s>>) -> Box<Code<'s>> {
    Box::new(fence(*term))
}

fn fence_all<'s>(terms: Vec<Code<'s>>) -> Vec<Code<'s>> {
    terms.into_iter().map(fence).collect()
}

/// Puts the fences into a term.
pub(super) fn fence<'s>(term: Code<'s>) -> Code<'s> {
    match term {
        Term::Id | Term::Num(_) | Term::Break(_) | Term::Var(_) => term,
        Term::Recurse => then(term, call("__tick")),
        Term::Str(format, parts) => fence_text(format, parts),
        Term::Arr(None) => term,
        Term::Arr(Some(items)) => {
            then(Term::Arr(Some(Box::new(fence_items(*items)))), call("__size"))
        }
        Term::Obj(fields) if fields.is_empty() => Term::Obj(fields),
        Term::Obj(fields) => {
            // A key alone (`{a}`, `{$x}`) names its value too: leave it as it is.
            let field = |(key, value): (Code<'s>, Option<Code<'s>>)| match value {
                Some(value) => (fence(key), Some(fence(value))),
                None => (key, None),
            };
            then(Term::Obj(fields.into_iter().map(field).collect()), call("__size"))
        }
        Term::Neg(term) => Term::Neg(fence_box(term)),
        Term::BinOp(left, op, right) => fence_operation(*left, op, *right),
        Term::Label(name, term) => Term::Label(name, fence_box(term)),
        Term::Fold(name, source, pattern, args) => {
            let source = then(fence(*source), call("__turn"));
            let mut args = fence_all(args);
            // Of several outputs of a turn the last goes on, as in jq; jaq would go on with each.
            if name == "reduce"
                && let Some(update) = args.get_mut(1)
                && outputs(update) == Outputs::Many
            {
                *update = Term::Call("last", vec![std::mem::take(update)]);
            }
            Term::Fold(name, Box::new(source), fence_pattern(pattern), args)
        }
        Term::TryCatch(body, catch) => Term::TryCatch(fence_box(body), catch.map(fence_box)),
        Term::IfThenElse(cases, otherwise) => {
            let case = |(when, then)| (fence(when), fence(then));
            Term::IfThenElse(cases.into_iter().map(case).collect(), otherwise.map(fence_box))
        }
        Term::Def(defs, body) => {
            Term::Def(defs.into_iter().map(fence_def).collect(), fence_box(body))
        }
        Term::Call(name, args) => fence_call(name, args),
        Term::Path(term, path) => fence_path(*term, path),
    }
}

/// The items an array lists need no tick each: the array makes one value of them.
fn fence_items<'s>(items: Code<'s>) -> Code<'s> {
    if let Term::BinOp(left, BinaryOp::Comma, right) = items {
        let (left, right) = (fence_items(*left), fence_items(*right));
        return Term::BinOp(Box::new(left), BinaryOp::Comma, Box::new(right));
    }
    fence(items)
}

/// Interpolation goes through a bounded printer, and the joined text is weighed.
fn fence_text<'s>(format: Option<&'s str>, parts: Vec<StrPart<&'s str, Code<'s>>>) -> Code<'s> {
    if !parts.iter().any(|part| matches!(part, StrPart::Term(_))) {
        return Term::Str(format, parts);
    }
    let part = |part| match part {
        StrPart::Term(term) => StrPart::Term(fence(term)),
        StrPart::Str(_) | StrPart::Char(_) => part,
    };
    let parts = parts.into_iter().map(part).collect();
    then(Term::Str(Some(format.unwrap_or("@text")), parts), call("__size"))
}

fn fence_operation<'s>(left: Code<'s>, op: BinaryOp<&'s str>, right: Code<'s>) -> Code<'s> {
    let (left, right) = (fence(left), fence(right));
    let operation = |left, op, right| Term::BinOp(Box::new(left), op, Box::new(right));
    match op {
        BinaryOp::Comma => operation(then(left, call("__tick")), BinaryOp::Comma, right),
        BinaryOp::Math(Math::Mul) => Term::Call("__mul", vec![left, right]),
        BinaryOp::Math(Math::Add) => then(operation(left, op, right), call("__size")),
        // Subtracting and dividing look through their operands.
        BinaryOp::Math(Math::Sub | Math::Div | Math::Rem) | BinaryOp::Cmp(_) => {
            operation(then(left, call("__size")), op, then(right, call("__size")))
        }
        BinaryOp::UpdateMath(Math::Mul) => {
            // `l *= r` means `r as $x | l |= . * $x`; as such it can be checked.
            let product = Term::Call("__mul", vec![Term::Id, Term::Var("$__factor")]);
            let update = then(operation(left, BinaryOp::Update, product), call("__size"));
            operation(right, BinaryOp::Pipe(Some(Pattern::Var("$__factor"))), update)
        }
        BinaryOp::Assign
        | BinaryOp::Update
        | BinaryOp::UpdateMath(Math::Add | Math::Sub | Math::Div | Math::Rem)
        | BinaryOp::UpdateAlt => then(operation(left, op, right), call("__size")),
        BinaryOp::Pipe(Some(pattern)) => {
            let left = then(left, call("__bind"));
            operation(left, BinaryOp::Pipe(Some(fence_pattern(pattern))), right)
        }
        BinaryOp::Pipe(None) | BinaryOp::Alt | BinaryOp::Or | BinaryOp::And => {
            operation(left, op, right)
        }
    }
}

fn fence_pattern(pattern: Pattern<&str>) -> Pattern<&str> {
    match pattern {
        Pattern::Var(name) => Pattern::Var(name),
        Pattern::Arr(items) => Pattern::Arr(items.into_iter().map(fence_pattern).collect()),
        Pattern::Obj(fields) => {
            let field = |(key, pattern)| (fence(key), fence_pattern(pattern));
            Pattern::Obj(fields.into_iter().map(field).collect())
        }
    }
}

fn fence_call<'s>(name: &'s str, args: Vec<Code<'s>>) -> Code<'s> {
    let called = Term::Call(name, fence_all(args));
    match name {
        // Makes values out of nothing, so each one pays.
        "range" => then(called, call("__tick")),
        name if super::prelude::looks_often(name) => then(call("__often"), called),
        name if super::prelude::looks_through(name) => then(call("__size"), called),
        _ => called,
    }
}

fn fence_path<'s>(term: Code<'s>, path: Path<Code<'s>>) -> Code<'s> {
    let iterates = path.0.iter().any(|(part, _)| matches!(part, Part::Range(None, None)));
    let part = |(part, optional)| {
        let part = match part {
            Part::Index(index) => Part::Index(fence(index)),
            Part::Range(from, to) => Part::Range(from.map(fence), to.map(fence)),
        };
        (part, optional)
    };
    let path = Term::Path(fence_box(Box::new(term)), Path(path.0.into_iter().map(part).collect()));
    if iterates { then(path, call("__tick")) } else { path }
}
