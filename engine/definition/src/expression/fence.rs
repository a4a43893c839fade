//! Fuel and size: what keeps a hostile or mistaken program short and small.
//!
//! The public syntax tree is rewritten before it is compiled: a `__tick` goes before each
//! definition body and after each iteration, `*` becomes a checked multiplication, and every value
//! that is built passes `__size`, which refuses large ones and lets the rest pay by their size. What
//! multiplies or copies inside an operator or a path pays to [`meter`] before it does.
//! Since *virtual* size is bounded (shared parts count each time), comparing, printing and dropping
//! values are bounded too. Running out is a halt, which `try` cannot swallow.

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
use super::meter::{self, Limit};
use super::outputs::{Outputs, outputs};
use super::text;

/// What a call of a definition costs. An output of `.[]` or `range` costs one turn.
const CALL_COST: u64 = 5;
/// Bounds the turns to 50,000: each may nest its value one level deeper.
const TURN_COST: u64 = 10;
/// Largest integer, in bits.
const BITS_MAX: u64 = 4_096;
/// Literals longer than this pay for each time they are read: a copy is made of them.
const LITERAL_FREE: usize = 64;
const DIGITS_FREE: usize = 18;
/// Longest error message, in bytes.
const MESSAGE_MAX: usize = 300;

/// What pays. What is left to pay with is kept by [`meter`].
pub(super) struct Fuel {
    /// What a turn costs: between two turns all of the author's term may run.
    turn: u64,
}

/// What a turn of a term costs. Terms within a turn are not counted one by one, so that a short
/// expression pays little; a long one pays for its length instead, and for the nesting it allows.
pub(super) fn turn_cost(term: &Code<'_>) -> u64 {
    const TERMS_PER_FUEL: u64 = 4;
    const SQUARE_PER_FUEL: u64 = 8_192;
    let mut terms = 0_u64;
    super::program::visit(term, &mut |_| terms += 1);
    1 + terms / TERMS_PER_FUEL + terms * terms / SQUARE_PER_FUEL
}

impl Fuel {
    /// A full tank, for an evaluation that begins on this thread.
    pub(super) fn full(turn: u64) -> Self {
        meter::begin();
        Self { turn }
    }

    /// One more turn of something that repeats.
    fn turn(&self, cost: u64) -> Result<(), Limit> {
        meter::spend(cost.saturating_mul(self.turn))
    }
}

/// Pays for what goes over its input several times: sorting, coding.
fn weigh_often(value: &Val) -> Result<(), Limit> {
    const TIMES: u64 = 6;
    meter::weigh_times(value, TIMES)
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
                let check: fn(&Fuel, &Val) -> Result<(), Limit> = $check;
                box_once(check(cv.0.data().fuel, &cv.1.0).map(|()| cv.1).map_err(Exn::from))
            })
            .with_paths(|cv| {
                let check: fn(&Fuel, &Val) -> Result<(), Limit> = $check;
                box_once(check(cv.0.data().fuel, &cv.1.0.0).map(|()| cv.1).map_err(Exn::from))
            })
            .with_update(|cv, update| {
                let check: fn(&Fuel, &Val) -> Result<(), Limit> = $check;
                match check(cv.0.data().fuel, &cv.1.0) {
                    Ok(()) => update(cv.1),
                    Err(limit) => box_once(Err(limit.into())),
                }
            });
            ($name, v(0), native)
        }};
    }
    vec![
        gate!("__tick", |fuel, _| fuel.turn(1)),
        gate!("__call", |_, _| meter::spend(CALL_COST)),
        gate!("__bind", |fuel, _| fuel.turn(CALL_COST)),
        gate!("__turn", |fuel, _| fuel.turn(TURN_COST)),
        gate!("__size", |_, value| meter::weigh(value)),
        gate!("__often", |_, value| weigh_often(value)),
        (
            "__mul",
            v(2),
            Native::new(|mut cv| {
                let right = cv.0.pop_var();
                let left = cv.0.pop_var();
                box_once(multiply(left, right))
            }),
        ),
    ]
}

/// `left * right`, refused before it is computed when the product would be large.
fn multiply<'a>(left: Item, right: Item) -> Result<Item, Exn<'a, Item>> {
    let bits = |value: &Val| {
        if let Val::Num(Num::BigInt(value)) = value { value.bits() } else { u64::from(u64::BITS) }
    };
    meter::spend(CALL_COST)?;
    match (&left.0, &right.0) {
        (Val::TStr(text), Val::Num(times)) | (Val::Num(times), Val::TStr(text)) => {
            meter::text(text.len().saturating_mul(times_of(times).unwrap_or(0)))?;
        }
        (Val::Num(_), Val::Num(_)) if bits(&left.0) + bits(&right.0) > BITS_MAX => {
            return Err(meter::end(Limit::Size).into());
        }
        _ => {}
    }
    let value = (left * right).map_err(Exn::from)?;
    meter::weigh(&value.0)?;
    Ok(value)
}

/// Why an evaluation ended without a value, in words for the author.
pub(super) fn explain(exception: Exn<'_, Item>) -> String {
    if let Some(limit) = meter::met() {
        return limit.to_string();
    }
    match exception.get_err() {
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
            if cut { message.0 + "..." } else { message.0 }
        }
        // Every halt is of a limit, and no author can write one.
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
        Term::Num(digits) if digits.len() > DIGITS_FREE => then(term, call("__size")),
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
        Term::BinOp(left, BinaryOp::Comma, right) => {
            let mut items = fence_all(listed([*left, *right]));
            let last = items.pop();
            let mut items: Vec<_> =
                items.into_iter().map(|item| then(item, call("__tick"))).collect();
            items.extend(last);
            comma(items)
        }
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
    comma(fence_all(listed([items])))
}

/// The terms between commas.
fn listed<'s>(terms: impl IntoIterator<Item = Code<'s>>) -> Vec<Code<'s>> {
    let mut open: Vec<Code<'s>> = terms.into_iter().collect();
    open.reverse();
    let mut items = Vec::new();
    while let Some(term) = open.pop() {
        if let Term::BinOp(left, BinaryOp::Comma, right) = term {
            open.extend([*right, *left]);
        } else {
            items.push(term);
        }
    }
    items
}

/// Terms between commas, nested evenly: each output passes through every level above it, which in
/// a chain would be as many as there are terms.
fn comma(mut items: Vec<Code<'_>>) -> Code<'_> {
    if items.len() < 2 {
        return items.pop().unwrap_or_default();
    }
    let right = items.split_off(items.len() / 2);
    Term::BinOp(Box::new(comma(items)), BinaryOp::Comma, Box::new(comma(right)))
}

/// Interpolation goes through a bounded printer, and the joined text is weighed.
fn fence_text<'s>(format: Option<&'s str>, parts: Vec<StrPart<&'s str, Code<'s>>>) -> Code<'s> {
    if !parts.iter().any(|part| matches!(part, StrPart::Term(_))) {
        let length = |part: &StrPart<&str, _>| {
            if let StrPart::Str(part) = part { part.len() } else { 1 }
        };
        let length: usize = parts.iter().map(length).sum();
        let literal = Term::Str(format, parts);
        return if length > LITERAL_FREE { then(literal, call("__size")) } else { literal };
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
        BinaryOp::Math(Math::Mul) => Term::Call("__mul", vec![left, right]),
        BinaryOp::Math(Math::Add) => then(operation(left, op, right), call("__size")),
        // Comparing looks through its operands. Subtracting and dividing do where there is something
        // to look through, and pay themselves.
        BinaryOp::Cmp(_) => operation(then(left, call("__size")), op, then(right, call("__size"))),
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
        BinaryOp::Math(Math::Sub | Math::Div | Math::Rem)
        | BinaryOp::Comma
        | BinaryOp::Pipe(None)
        | BinaryOp::Alt
        | BinaryOp::Or
        | BinaryOp::And => operation(left, op, right),
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
    let mut args = fence_all(args);
    if super::prelude::calls_often(name) {
        args = args.into_iter().map(|arg| then(call("__tick"), arg)).collect();
    }
    let called = Term::Call(name, args);
    match name {
        // Makes values out of nothing, so each one pays.
        "range" => then(called, call("__tick")),
        name if super::prelude::lengthens(name) => {
            then(call("__often"), then(called, call("__size")))
        }
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
