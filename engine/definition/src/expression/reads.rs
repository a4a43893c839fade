//! Which places of its input and variables an expression may read, off its syntax tree.
//!
//! The term is evaluated on places instead of values: `.a | .b` stands at `.a.b`, and is read when
//! something uses the value found there. A place that is read stands for everything below it. What
//! cannot be followed reads all of what goes in, so the answer is never too small.

use std::collections::{BTreeMap, BTreeSet};

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Part, Path};

/// Where a path begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Root {
    /// `.`
    Input,
    /// A variable, without its `$`.
    Variable(String),
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A field of this name.
    Field(String),
    /// Some field or item.
    Any,
}

/// A place an expression may read, with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    /// Where the path begins.
    pub root: Root,
    /// The steps from there, as far as they are known.
    pub path: Vec<Segment>,
}

/// The places a value may come from; none when it is computed.
type Places = BTreeSet<Read>;

/// Most places followed at once; past it the shortest common beginning stands for them.
const PLACES_MAX: usize = 32;

/// Functions whose arguments see each item of the input.
const EACH: &[&str] =
    &["map", "map_values", "sort_by", "group_by", "unique_by", "min_by", "max_by", "any", "all"];
/// Functions that pass their input on, and whose arguments see it.
const PASS: &[&str] = &["select"];
/// Functions that give outputs of their last argument.
const LAST: &[&str] = &["first", "last", "limit", "skip", "nth"];

/// The places a term may read.
pub(super) fn reads(term: &Term<&str>) -> Vec<Read> {
    let mut walk = Walk { found: Places::new(), bound: BTreeMap::new() };
    let input = Places::from([Read { root: Root::Input, path: Vec::new() }]);
    let out = walk.places(term, &input);
    walk.read(&out);
    let found = walk.found;
    let covered = |read: &Read| {
        found.iter().any(|other| {
            other != read && other.root == read.root && read.path.starts_with(&other.path)
        })
    };
    found.iter().filter(|read| !covered(read)).cloned().collect()
}

struct Walk<'s> {
    found: Places,
    /// Variables bound inside the expression, innermost last.
    bound: BTreeMap<&'s str, Vec<Places>>,
}

impl<'s> Walk<'s> {
    fn read(&mut self, places: &Places) {
        self.found.extend(places.iter().cloned());
    }

    /// Evaluates for its value only.
    fn used(&mut self, term: &Term<&'s str>, dot: &Places) {
        let places = self.places(term, dot);
        self.read(&places);
    }

    fn all_used<'t>(&mut self, terms: impl IntoIterator<Item = &'t Term<&'s str>>, dot: &Places)
    where
        's: 't,
    {
        for term in terms {
            self.used(term, dot);
        }
    }

    /// The places a term's outputs may come from.
    fn places(&mut self, term: &Term<&'s str>, dot: &Places) -> Places {
        let computed = Places::new();
        match term {
            Term::Id => dot.clone(),
            // Everything below the input comes out.
            Term::Recurse => {
                self.read(dot);
                dot.clone()
            }
            Term::Num(_) | Term::Break(_) | Term::Arr(None) => computed,
            Term::Var(name) => self.variable(name),
            Term::Str(_, parts) => {
                for part in parts {
                    match part {
                        StrPart::Term(term) => self.used(term, dot),
                        StrPart::Str(_) | StrPart::Char(_) => {}
                    }
                }
                computed
            }
            Term::Arr(Some(term)) | Term::Neg(term) => {
                self.used(term, dot);
                computed
            }
            Term::Obj(fields) => {
                for (key, value) in fields {
                    self.field(key, value.as_ref(), dot);
                }
                computed
            }
            Term::BinOp(left, op, right) => self.operation(left, op, right, dot),
            Term::Label(_, body) => self.places(body, dot),
            Term::Fold(_, source, pattern, args) => self.fold(source, pattern, args, dot),
            Term::TryCatch(body, catch) => {
                let mut places = self.places(body, dot);
                if let Some(catch) = catch {
                    places.extend(self.places(catch, &computed));
                }
                bounded(places)
            }
            Term::IfThenElse(cases, otherwise) => {
                let mut places = Places::new();
                for (when, then) in cases {
                    self.used(when, dot);
                    places.extend(self.places(then, dot));
                }
                match otherwise {
                    Some(otherwise) => places.extend(self.places(otherwise, dot)),
                    None => places.extend(dot.iter().cloned()),
                }
                bounded(places)
            }
            // Refused before this is asked.
            Term::Def(_, _) => {
                self.read(dot);
                computed
            }
            Term::Call(name, args) => self.call(name, args, dot),
            Term::Path(term, path) => self.path(term, path, dot),
        }
    }

    fn variable(&self, name: &'s str) -> Places {
        match self.bound.get(name).and_then(|stack| stack.last()) {
            Some(places) => places.clone(),
            None => {
                let name = name.trim_start_matches('$').to_owned();
                Places::from([Read { root: Root::Variable(name), path: Vec::new() }])
            }
        }
    }

    /// `{a: 1}`, `{a}`, `{$x}`, `{"a"}` or `{(.a): 1}`.
    fn field(&mut self, key: &Term<&'s str>, value: Option<&Term<&'s str>>, dot: &Places) {
        match value {
            Some(value) => {
                self.used(key, dot);
                self.used(value, dot);
            }
            None => match name_of(key) {
                Some(name) => {
                    let place = step(dot, &Segment::Field(name));
                    self.read(&place);
                }
                None => {
                    if !matches!(key, Term::Var(_)) {
                        self.read(dot);
                    }
                    self.used(key, dot);
                }
            },
        }
    }

    fn operation(
        &mut self,
        left: &Term<&'s str>,
        op: &BinaryOp<&'s str>,
        right: &Term<&'s str>,
        dot: &Places,
    ) -> Places {
        match op {
            BinaryOp::Pipe(None) => {
                let middle = self.places(left, dot);
                self.places(right, &middle)
            }
            BinaryOp::Pipe(Some(pattern)) => {
                let value = self.places(left, dot);
                self.with_pattern(pattern, &value, dot, |walk| walk.places(right, dot))
            }
            BinaryOp::Comma | BinaryOp::Alt => {
                let mut places = self.places(left, dot);
                if matches!(op, BinaryOp::Alt) {
                    self.read(&places);
                }
                places.extend(self.places(right, dot));
                bounded(places)
            }
            BinaryOp::Or | BinaryOp::And | BinaryOp::Math(_) | BinaryOp::Cmp(_) => {
                self.used(left, dot);
                self.used(right, dot);
                Places::new()
            }
            // The whole input comes out, changed.
            BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.read(dot);
                self.used(left, dot);
                self.used(right, dot);
                Places::new()
            }
            BinaryOp::Update => {
                self.read(dot);
                let place = self.places(left, dot);
                self.used(right, &place);
                Places::new()
            }
        }
    }

    fn fold(
        &mut self,
        source: &Term<&'s str>,
        pattern: &Pattern<&'s str>,
        args: &[Term<&'s str>],
        dot: &Places,
    ) -> Places {
        let item = self.places(source, dot);
        let (first, rest) = match args.split_first() {
            Some((first, rest)) => (self.places(first, dot), rest),
            None => (Places::new(), args),
        };
        // The state of later turns is computed; of the first it is the initial value.
        self.read(&first);
        let state = Places::new();
        self.with_pattern(pattern, &item, dot, |walk| walk.all_used(rest, &state));
        state
    }

    /// Binds the variables of a pattern while `body` is walked.
    fn with_pattern<T>(
        &mut self,
        pattern: &Pattern<&'s str>,
        value: &Places,
        dot: &Places,
        body: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut bindings = Vec::new();
        self.bindings(pattern, value, dot, &mut bindings);
        for (name, places) in &bindings {
            self.bound.entry(name).or_default().push(places.clone());
        }
        let out = body(self);
        for (name, _) in &bindings {
            self.bound.entry(name).and_modify(|stack| drop(stack.pop()));
        }
        out
    }

    fn bindings(
        &mut self,
        pattern: &Pattern<&'s str>,
        value: &Places,
        dot: &Places,
        bindings: &mut Vec<(&'s str, Places)>,
    ) {
        match pattern {
            Pattern::Var(name) => bindings.push((name, value.clone())),
            Pattern::Arr(items) => {
                for item in items {
                    self.bindings(item, &step(value, &Segment::Any), dot, bindings);
                }
            }
            Pattern::Obj(fields) => {
                for (key, pattern) in fields {
                    let segment = match (key, name_of(key)) {
                        (_, Some(name)) => Segment::Field(name),
                        (Term::Var(name), None) => Segment::Field(bare(name)),
                        (_, None) => {
                            self.used(key, dot);
                            Segment::Any
                        }
                    };
                    self.bindings(pattern, &step(value, &segment), dot, bindings);
                }
            }
        }
    }

    fn call(&mut self, name: &str, args: &[Term<&'s str>], dot: &Places) -> Places {
        let computed = Places::new();
        if PASS.contains(&name) {
            self.all_used(args, dot);
            return dot.clone();
        }
        match (name, args) {
            ("empty" | "null" | "true" | "false" | "not" | "length" | "error", []) => {
                if matches!(name, "not" | "length" | "error") {
                    self.read(dot);
                }
                return computed;
            }
            ("first" | "last", []) => return step(dot, &Segment::Any),
            ("has", [key]) => {
                if let Some(name) = name_of(key) {
                    let place = step(dot, &Segment::Field(name));
                    self.read(&place);
                    return computed;
                }
            }
            (name, [head @ .., last])
                if LAST.contains(&name) && (name != "nth" || !head.is_empty()) =>
            {
                self.all_used(head, dot);
                return self.places(last, dot);
            }
            // The generator sees the input, the condition each of its outputs.
            ("any" | "all", [generator, condition]) => {
                let items = self.places(generator, dot);
                self.used(condition, &items);
                return computed;
            }
            ("map", [each]) => {
                let item = step(dot, &Segment::Any);
                self.used(each, &item);
                return computed;
            }
            (name, [each]) if EACH.contains(&name) => {
                self.read(dot);
                self.used(each, &step(dot, &Segment::Any));
                return computed;
            }
            _ => {}
        }
        // Whatever else it does with its input and arguments, these are all it can see. Arguments
        // may see parts of the input, which is read as a whole.
        self.read(dot);
        self.all_used(args, &computed);
        computed
    }

    fn path(&mut self, term: &Term<&'s str>, path: &Path<Term<&'s str>>, dot: &Places) -> Places {
        let mut places = self.places(term, dot);
        for (part, _) in &path.0 {
            let segment = match part {
                Part::Index(index) => match name_of(index) {
                    Some(name) => Segment::Field(name),
                    None => {
                        self.used(index, dot);
                        Segment::Any
                    }
                },
                Part::Range(None, None) => Segment::Any,
                Part::Range(from, to) => {
                    self.all_used(from.iter().chain(to), dot);
                    // A slice: its items are items of the whole.
                    continue;
                }
            };
            places = step(&places, &segment);
        }
        places
    }
}

/// The text of a constant string.
fn name_of(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(part) => text.push_str(part),
            StrPart::Char(char) => text.push(*char),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}

fn bare(name: &str) -> String {
    name.trim_start_matches('$').to_owned()
}

fn step(places: &Places, segment: &Segment) -> Places {
    let step = |place: &Read| {
        let mut path = place.path.clone();
        path.push(segment.clone());
        Read { root: place.root.clone(), path }
    };
    places.iter().map(step).collect()
}

/// Keeps few places: when there are too many, their roots stand for them.
fn bounded(places: Places) -> Places {
    if places.len() <= PLACES_MAX {
        return places;
    }
    places.into_iter().map(|place| Read { root: place.root, path: Vec::new() }).collect()
}
