//! The shape of what a jq expression gives, found by running it on shapes instead of values.
//!
//! Whatever is not understood gives [`Shape::any`]. On the way the reader takes note of what can
//! hardly be meant: a field that cannot be there, two values that are never equal.

use std::collections::BTreeMap;
use std::ops::Range;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::ops::{Cmp, Math};
use jaq_core::path::{Opt, Part};

use super::{ARRAY, NULL, NUMBER, OBJECT, Presence, Rest, Shape, TEXT};
use crate::expression::{extent, range_of, visit};

mod add;
mod builtin;

pub(super) use add::add;

/// What the names of an expression hold.
#[derive(Debug, Clone)]
pub(crate) struct Env {
    pub(crate) dot: Shape,
    /// How an author would write what `.` is, for messages.
    pub(crate) path: Option<String>,
    /// Variables without `$`, the innermost last.
    pub(crate) vars: Vec<(String, Shape)>,
}

impl Env {
    fn with_dot(&self, dot: Shape, path: Option<String>) -> Self {
        Self { dot, path, vars: self.vars.clone() }
    }

    fn var(&self, name: &str) -> Shape {
        let name = name.trim_start_matches('$');
        let found = self.vars.iter().rev().find(|(known, _)| known == name);
        found.map_or_else(Shape::any, |(_, shape)| shape.clone())
    }
}

/// Something to tell the author about an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Note {
    /// Bytes of the expression's text.
    pub(crate) range: Range<usize>,
    pub(crate) what: Remark,
    /// The author takes care of a `null` here (`//`, `?`, a condition).
    pub(crate) tolerant: bool,
}

/// What a note says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Remark {
    /// `base.field` is read, and no value of `base` has it; `unnamed` when its description only
    /// does not name it.
    Absent { base: String, field: String, of: Shape, unnamed: bool },
    /// Two values are compared that are never equal.
    NeverEqual { left: Shape, right: Shape, negated: bool },
}

/// What a term gives: values of a shape, or (also) none at all.
#[derive(Debug, Clone)]
pub(super) struct Out {
    pub(super) shape: Shape,
    /// There may be no output.
    pub(super) empty: bool,
}

impl Out {
    fn one(shape: Shape) -> Self {
        Self { shape, empty: false }
    }

    fn perhaps(shape: Shape) -> Self {
        Self { shape, empty: true }
    }
}

/// Runs one expression on shapes.
pub(crate) struct Reader<'s, 'b> {
    source: &'s str,
    /// Steps left for all expressions of the definition.
    budget: &'b mut u32,
    /// `None` while a fixed point is sought: only the last round speaks.
    notes: Option<Vec<Note>>,
}

/// Weight that costs one more step to handle.
const WEIGHT_PER_STEP: u32 = 16;

/// The shape of the expression's value (its first output, else `null`), and the notes if wanted.
pub(crate) fn shape<'s>(
    source: &'s str,
    term: &Term<&'s str>,
    env: &Env,
    budget: &mut u32,
    noting: bool,
) -> (Shape, Vec<Note>) {
    let mut reader = Reader { source, budget, notes: noting.then(Vec::new) };
    let out = reader.eval(term, env, false);
    let shape = if out.empty { out.shape.join(&Shape::null()) } else { out.shape };
    (shape, reader.notes.unwrap_or_default())
}

impl<'s> Reader<'s, '_> {
    fn charge(&mut self, weight: u32) -> bool {
        let left = self.budget.saturating_sub(1 + weight / WEIGHT_PER_STEP);
        *self.budget = left;
        left > 0
    }

    pub(super) fn eval(&mut self, term: &Term<&'s str>, env: &Env, tolerant: bool) -> Out {
        if !self.charge(0) {
            return Out::perhaps(Shape::any().tainted(env.dot.holds_secret()));
        }
        match term {
            Term::Id => Out::one(env.dot.clone()),
            Term::Recurse | Term::Break(_) => unknown(env),
            Term::Def(..) => {
                let Out { shape, empty } = unknown(env);
                Out { shape: shape.tainted(mentions_secret(term, env)), empty }
            }
            Term::Num(text) => Out::one(text.parse().map_or_else(|_| Shape::number(), Shape::int)),
            Term::Str(_, parts) => self.text(term, parts, env),
            Term::Arr(None) => Out::one(Shape::tuple(Vec::new())),
            Term::Arr(Some(items)) => self.array(items, env),
            Term::Obj(fields) => self.object(fields, env),
            Term::Neg(term) => {
                self.eval(term, env, false);
                Out::one(Shape::number())
            }
            Term::BinOp(left, op, right) => self.operation(left, op, right, env, tolerant),
            Term::Label(_, term) => Out::perhaps(self.eval(term, env, tolerant).shape),
            Term::Fold(_, source, pattern, args) => self.fold(source, pattern, args, env),
            Term::TryCatch(body, catch) => {
                let body = self.eval(body, env, true);
                let Some(catch) = catch else { return Out::perhaps(body.shape) };
                let caught = self.eval(catch, &env.with_dot(Shape::any(), None), tolerant);
                let empty = body.empty || caught.empty;
                Out { shape: body.shape.join(&caught.shape), empty }
            }
            Term::IfThenElse(cases, otherwise) => {
                self.choice(cases, otherwise.as_deref(), env, tolerant)
            }
            Term::Call(name, args) => self.call(term, name, args, env, tolerant),
            Term::Var(name) => Out::one(env.var(name)),
            Term::Path(base, path) => {
                let mut out = self.eval(base, env, tolerant);
                let mut at = self.path_of(base, env);
                for (part, optional) in &path.0 {
                    let optional = matches!(optional, Opt::Optional);
                    out = self.part(&out, part, optional, at.as_deref(), env, tolerant);
                    at = at.and_then(|at| longer(&at, part));
                }
                out
            }
        }
    }

    fn text(
        &mut self,
        term: &Term<&'s str>,
        parts: &[StrPart<&'s str, Term<&'s str>>],
        env: &Env,
    ) -> Out {
        if let Some(constant) = constant_text(term) {
            return Out::one(Shape::word(&constant));
        }
        let mut secret = false;
        let mut empty = false;
        for part in parts {
            if let StrPart::Term(term) = part {
                let out = self.eval(term, env, false);
                secret |= out.shape.holds_secret();
                empty |= out.empty;
            }
        }
        Out { shape: Shape::text().tainted(secret), empty }
    }

    /// `[a, b]` has two items; what gives any number of outputs makes a list.
    fn array(&mut self, items: &Term<&'s str>, env: &Env) -> Out {
        let mut fixed = Vec::new();
        let mut open = vec![items];
        let mut exact = true;
        while let Some(term) = open.pop() {
            if let Term::BinOp(left, BinaryOp::Comma, right) = term {
                open.push(right);
                open.push(left);
                continue;
            }
            let out = self.eval(term, env, false);
            exact &= !out.empty && gives_one(term);
            fixed.push(out.shape);
        }
        if exact {
            return Out::one(Shape::tuple(fixed));
        }
        let item = fixed.into_iter().fold(Shape::never(), |all, one| all.join(&one));
        Out::one(if item.is_never() { Shape::tuple(Vec::new()) } else { Shape::list(item) })
    }

    fn object(&mut self, fields: &[(Term<&'s str>, Option<Term<&'s str>>)], env: &Env) -> Out {
        let mut known = BTreeMap::new();
        let mut rest = Rest::Closed;
        let mut empty = false;
        let mut secret = false;
        for (key, value) in fields {
            let value = match (key, value) {
                (_, Some(value)) => self.eval(value, env, false),
                (Term::Var(name), None) => Out::one(env.var(name)),
                (key, None) => {
                    let at = env.path.clone();
                    let part = Part::Index(key.clone());
                    self.part(&Out::one(env.dot.clone()), &part, false, at.as_deref(), env, false)
                }
            };
            empty |= value.empty;
            let name = match (key, constant_text(key)) {
                (Term::Var(name), _) => Some(name.trim_start_matches('$').to_owned()),
                (_, name) => name,
            };
            if let Some(name) = name {
                known.insert(name, super::Field { shape: value.shape, required: true });
                continue;
            }
            let key = self.eval(key, env, false);
            empty |= key.empty;
            secret |= value.shape.holds_secret();
            // The name is computed: it may be that of any field.
            rest = Rest::Open;
            for field in known.values_mut() {
                field.shape = field.shape.join(&value.shape);
            }
        }
        Out { shape: Shape::object(known, rest).tainted(secret), empty }
    }

    fn operation(
        &mut self,
        left: &Term<&'s str>,
        op: &BinaryOp<&'s str>,
        right: &Term<&'s str>,
        env: &Env,
        tolerant: bool,
    ) -> Out {
        match op {
            BinaryOp::Pipe(None) => {
                let first = self.eval(left, env, tolerant);
                let path = self.path_of(left, env);
                let inner = env.with_dot(first.shape, path);
                let second = self.eval(right, &inner, tolerant);
                Out { shape: second.shape, empty: first.empty || second.empty }
            }
            BinaryOp::Pipe(Some(pattern)) => {
                let bound = self.eval(left, env, tolerant);
                let mut inner = env.clone();
                self.bind(pattern, &bound.shape, &mut inner);
                let body = self.eval(right, &inner, tolerant);
                Out { shape: body.shape, empty: bound.empty || body.empty }
            }
            BinaryOp::Comma => {
                let (one, two) = (self.eval(left, env, tolerant), self.eval(right, env, tolerant));
                Out { shape: one.shape.join(&two.shape), empty: one.empty && two.empty }
            }
            BinaryOp::Alt => {
                let first = self.eval(left, env, true);
                if !first.empty && !first.shape.may_fail() && !first.shape.is_never() {
                    return first;
                }
                let second = self.eval(right, env, tolerant);
                let shape = first.shape.held().join(&second.shape);
                Out { shape, empty: second.empty }
            }
            BinaryOp::Or | BinaryOp::And => {
                let (one, two) = (self.eval(left, env, true), self.eval(right, env, true));
                Out { shape: Shape::boolean(), empty: one.empty || two.empty }
            }
            BinaryOp::Math(math) => {
                let (one, two) = (self.eval(left, env, false), self.eval(right, env, false));
                self.charge(one.shape.weight().saturating_add(two.shape.weight()));
                Out {
                    shape: calculate(*math, &one.shape, &two.shape),
                    empty: one.empty || two.empty,
                }
            }
            BinaryOp::Cmp(cmp) => self.compare(left, *cmp, right, env),
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                if matches!(op, BinaryOp::Assign)
                    && let Some(name) = own_field(left)
                    && let Some(out) = self.assigned(&name, right, env)
                {
                    return out;
                }
                // `|=` runs on what is updated, which is not followed.
                let update = matches!(op, BinaryOp::Update);
                let inner = env.with_dot(Shape::any(), None);
                let value = self.eval(right, if update { &inner } else { env }, true);
                let secret = env.dot.holds_secret() || value.shape.holds_secret();
                let object = env.dot.is_object();
                let shape = if object { Shape::any_object() } else { Shape::any() };
                Out { shape: shape.tainted(secret), empty: value.empty && !update }
            }
        }
    }

    /// `.name = value` on what is surely an object, or quite unknown: the other fields stay.
    fn assigned(&mut self, name: &str, right: &Term<&'s str>, env: &Env) -> Option<Out> {
        let dot = &env.dot;
        if !dot.is_any() && !dot.is_object() {
            return None;
        }
        let value = self.eval(right, env, true);
        // Only an object or `null` can take a field.
        let object = if dot.is_any() { Shape::any_object() } else { dot.clone() };
        let shape = object.with(name, value.shape).tainted(dot.secret);
        Some(Out { shape, empty: value.empty })
    }

    fn compare(&mut self, left: &Term<&'s str>, cmp: Cmp, right: &Term<&'s str>, env: &Env) -> Out {
        // Whoever compares with null has thought of it.
        let tolerant = is_null(left) || is_null(right);
        let one = self.eval(left, env, tolerant);
        let two = self.eval(right, env, tolerant);
        let empty = one.empty || two.empty;
        let negated = match cmp {
            Cmp::Eq => false,
            Cmp::Ne => true,
            Cmp::Lt | Cmp::Le | Cmp::Gt | Cmp::Ge => {
                return Out { shape: Shape::boolean(), empty };
            }
        };
        let nothing = one.shape.is_never() || two.shape.is_never();
        let nulls = one.shape.is_null() || two.shape.is_null();
        if !nothing && !nulls && one.shape.is_disjoint(&two.shape) {
            if let Some(notes) = &mut self.notes {
                let (start, end) = (extent(self.source, left), extent(self.source, right));
                let what = Remark::NeverEqual { left: one.shape, right: two.shape, negated };
                notes.push(Note {
                    range: start.start.min(end.start)..end.end.max(start.end),
                    what,
                    tolerant: false,
                });
            }
            return Out { shape: Shape::truth(negated), empty };
        }
        Out { shape: Shape::boolean(), empty }
    }

    fn choice(
        &mut self,
        cases: &[(Term<&'s str>, Term<&'s str>)],
        otherwise: Option<&Term<&'s str>>,
        env: &Env,
        tolerant: bool,
    ) -> Out {
        let mut shape = Shape::never();
        let mut empty = false;
        for (when, then) in cases {
            let when = self.eval(when, env, true);
            empty |= when.empty;
            if when.shape.may_hold() {
                let then = self.eval(then, env, tolerant);
                shape = shape.join(&then.shape);
                empty |= then.empty;
            }
            if !when.shape.may_fail() && !when.shape.is_never() {
                return Out { shape, empty };
            }
        }
        let last = match otherwise {
            Some(otherwise) => self.eval(otherwise, env, tolerant),
            None => Out::one(env.dot.clone()),
        };
        Out { shape: shape.join(&last.shape), empty: empty || last.empty }
    }

    fn fold(
        &mut self,
        source: &Term<&'s str>,
        pattern: &Pattern<&'s str>,
        args: &[Term<&'s str>],
        env: &Env,
    ) -> Out {
        let items = self.eval(source, env, false);
        let mut inner = env.with_dot(Shape::any(), None);
        self.bind(pattern, &items.shape, &mut inner);
        let mut secret = items.shape.holds_secret();
        if let Some((first, turns)) = args.split_first() {
            secret |= self.eval(first, env, false).shape.holds_secret();
            for turn in turns {
                secret |= self.eval(turn, &inner, false).shape.holds_secret();
            }
        }
        Out::perhaps(Shape::any().tainted(secret))
    }

    fn bind(&mut self, pattern: &Pattern<&'s str>, value: &Shape, env: &mut Env) {
        match pattern {
            Pattern::Var(name) => {
                env.vars.push((name.trim_start_matches('$').to_owned(), value.clone()));
            }
            Pattern::Arr(items) => {
                for (index, item) in (0..).zip(items) {
                    self.bind(item, &value.at(index), env);
                }
            }
            Pattern::Obj(fields) => {
                for (key, pattern) in fields {
                    let found = constant_text(key).map_or_else(
                        || Shape::any().tainted(value.holds_secret()),
                        |key| value.get(&key),
                    );
                    // `{$a: pattern}` would bind both, but jaq reads `$a` as the pattern.
                    self.bind(pattern, &found, env);
                }
            }
        }
    }

    /// One step of a path.
    fn part(
        &mut self,
        on: &Out,
        part: &Part<Term<&'s str>>,
        optional: bool,
        at: Option<&str>,
        env: &Env,
        tolerant: bool,
    ) -> Out {
        let base = &on.shape;
        let secret = base.holds_secret();
        let empty = on.empty || optional;
        match part {
            Part::Index(key) => {
                if let Some(name) = constant_text(key) {
                    self.field(base, key, &name, at, tolerant || optional);
                    return Out { shape: base.get(&name), empty };
                }
                let key = self.eval(key, env, tolerant);
                let empty = empty || key.empty;
                if let Some(index) = key.shape.as_int() {
                    return Out { shape: base.at(index), empty };
                }
                if let Some(name) = key.shape.as_word() {
                    return Out { shape: base.get(name), empty };
                }
                Out { shape: self.some(base, &key.shape), empty }
            }
            Part::Range(None, None) => {
                Out { shape: iterated(base).tainted(base.secret), empty: true }
            }
            Part::Range(from, to) => {
                for bound in from.iter().chain(to) {
                    self.eval(bound, env, false);
                }
                let mut shape = base.only(NULL);
                if base.may_be_text() {
                    shape = shape.join(&Shape::text().tainted(secret));
                }
                if base.may_be_array() {
                    shape = shape.join(&Shape::list(base.item()));
                }
                Out { shape, empty }
            }
        }
    }

    /// An element under a computed key.
    fn some(&mut self, base: &Shape, key: &Shape) -> Shape {
        self.charge(base.weight());
        if base.is_any() || key.is_any() || key.may_be_object() || key.may_be_array() {
            return Shape::any().tainted(base.holds_secret());
        }
        let mut shape = Shape::null();
        if key.may_be_number() && base.may_be_array() {
            shape = shape.join(&base.item());
        }
        if key.may_be_text() && base.may_be_object() {
            match key.words() {
                Some(words) => {
                    for word in words {
                        shape = shape.join(&base.get(word));
                    }
                }
                None => shape = shape.join(&iterated(&base.only(OBJECT))),
            }
        }
        shape
    }

    /// Takes note of a field that cannot be there.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other keys are no plain names")]
    fn field(
        &mut self,
        base: &Shape,
        key: &Term<&'s str>,
        name: &str,
        at: Option<&str>,
        tolerant: bool,
    ) {
        if !base.may_be_object() {
            return;
        }
        let unnamed = match base.presence(name) {
            Presence::Possible => return,
            Presence::Absent => false,
            Presence::Unnamed => true,
        };
        if let (Some(notes), Some(at)) = (&mut self.notes, at) {
            let range = match key {
                Term::Str(_, parts) => match parts.first() {
                    Some(StrPart::Str(part)) => range_of(self.source, part),
                    Some(StrPart::Char(_) | StrPart::Term(_)) | None => 0..self.source.len(),
                },
                _ => extent(self.source, key),
            };
            let what = Remark::Absent {
                base: at.to_owned(),
                field: name.to_owned(),
                of: base.clone(),
                unnamed,
            };
            notes.push(Note { range, what, tolerant });
        }
    }

    /// How an author would write what the term gives, when it is a plain path.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other terms are no paths")]
    fn path_of(&self, term: &Term<&'s str>, env: &Env) -> Option<String> {
        self.notes.as_ref()?;
        match term {
            Term::Id => env.path.clone(),
            Term::Var(name) => Some((*name).to_owned()),
            Term::Path(base, path) => {
                let base = self.path_of(base, env)?;
                path.0.iter().try_fold(base, |at, (part, _)| longer(&at, part))
            }
            _ => Some("the value".to_owned()),
        }
    }
}

/// The name in a plain `.name`.
fn own_field(term: &Term<&str>) -> Option<String> {
    let Term::Path(base, path) = term else { return None };
    match (base.as_ref(), path.0.as_slice()) {
        (Term::Id, [(Part::Index(key), _)]) => constant_text(key),
        (_, _) => None,
    }
}

/// The path one step further, as an author writes it.
fn longer(at: &str, part: &Part<Term<&str>>) -> Option<String> {
    match part {
        Part::Index(key) => match constant_text(key) {
            Some(name) if at == "." => Some(format!(".{name}")),
            Some(name) => Some(format!("{at}.{name}")),
            None => Some(format!("{at}[]")),
        },
        Part::Range(..) => Some(format!("{at}[]")),
    }
}

fn unknown(env: &Env) -> Out {
    Out::perhaps(Shape::any().tainted(env.dot.holds_secret()))
}

/// Whether a term names a variable that may hold a secret.
fn mentions_secret(term: &Term<&str>, env: &Env) -> bool {
    let mut mentions = false;
    visit(term, &mut |term| {
        if let Term::Var(name) = term {
            mentions |= env.var(name).holds_secret();
        }
    });
    mentions
}

/// What `.[]` gives.
pub(super) fn iterated(base: &Shape) -> Shape {
    if base.is_any() {
        return Shape::any().tainted(base.holds_secret());
    }
    let items = base.item();
    match base.fields() {
        None => items,
        Some((_, Rest::Unnamed | Rest::Open)) => Shape::any().tainted(base.holds_secret()),
        Some((known, Rest::Closed)) => {
            known.values().fold(items, |all, field| all.join(&field.shape))
        }
    }
}

/// The text of a term that is a text without anything computed.
pub(crate) fn constant_text(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    parts.iter().try_fold(String::new(), |mut text, part| match part {
        StrPart::Str(part) => {
            text.push_str(part);
            Some(text)
        }
        StrPart::Char(part) => {
            text.push(*part);
            Some(text)
        }
        StrPart::Term(_) => None,
    })
}

fn is_null(term: &Term<&str>) -> bool {
    matches!(term, Term::Call("null", args) if args.is_empty())
}

/// Whether the term gives exactly one output whenever it gives one: nothing iterates in it.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other terms give what their parts give")]
fn gives_one(term: &Term<&str>) -> bool {
    let mut one = true;
    visit(term, &mut |term| {
        let many = match term {
            Term::BinOp(_, BinaryOp::Comma, _) | Term::Recurse | Term::Fold(..) | Term::Def(..) => {
                true
            }
            Term::Path(_, path) => {
                path.0.iter().any(|(part, _)| matches!(part, Part::Range(None, None)))
            }
            Term::Call(name, _) => !builtin::gives_one(name),
            _ => false,
        };
        one &= !many;
    });
    one
}

/// Whether the term reads nothing: neither its input nor a variable.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other terms read what their parts read")]
pub(crate) fn is_constant(term: &Term<&str>) -> bool {
    let mut constant = true;
    visit(term, &mut |term| {
        constant &= match term {
            Term::Id | Term::Var(_) | Term::Recurse | Term::Path(..) => false,
            Term::Call(name, _) => matches!(*name, "true" | "false" | "null" | "not"),
            _ => true,
        };
    });
    constant
}

fn calculate(math: Math, one: &Shape, two: &Shape) -> Shape {
    let secret = one.holds_secret() || two.holds_secret();
    let both = |kind: u8| {
        let has = |shape: &Shape| !shape.only(kind).is_never();
        has(one) && has(two)
    };
    let mut shape = Shape::never();
    match math {
        Math::Add => return add(one, two),
        Math::Sub => {
            if both(ARRAY) {
                shape = shape.join(&Shape::list(one.item()));
            }
        }
        Math::Mul => {
            let repeats = (one.may_be_text() && two.may_be_number())
                || (one.may_be_number() && two.may_be_text());
            if repeats {
                shape = shape.join(&Shape::any_of(TEXT | NULL).tainted(secret));
            }
            if both(OBJECT) {
                shape = shape.join(&add::merged_deeply(one, two));
            }
        }
        Math::Div => {
            if both(TEXT) {
                shape = shape.join(&Shape::list(Shape::text().tainted(secret)));
            }
        }
        Math::Rem => {}
    }
    if both(NUMBER) {
        let whole = |shape: &Shape| shape.only(NUMBER).is_integer();
        let exact = whole(one) && whole(two) && math != Math::Div;
        shape = shape.join(&if exact { Shape::integer() } else { Shape::number() });
    }
    shape
}
