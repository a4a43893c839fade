//! jq's own functions, as far as something can be said of their results. All others give anything.

use jaq_core::load::parse::Term;
use jaq_core::path::Part;

use super::{Env, Out, Reader, constant_text, iterated, unknown};
use crate::shape::{ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, Shape, TEXT};

/// Functions that give a boolean, whatever they are given.
const QUESTIONS: &[&str] = &[
    "has",
    "contains",
    "inside",
    "startswith",
    "endswith",
    "test",
    "any",
    "all",
    "isempty",
    "in",
    "isvalid",
    "IN",
    "isnull",
    "isboolean",
    "isnumber",
    "isstring",
    "isarray",
    "isobject",
    "isnan",
    "isinfinite",
    "isnormal",
    "not",
];

/// Functions that give a text.
const TEXTS: &[&str] = &[
    "tostring",
    "ascii_downcase",
    "ascii_upcase",
    "ascii",
    "trim",
    "ltrim",
    "rtrim",
    "join",
    "tojson",
    "todate",
    "date",
    "strftime",
    "implode",
    "type",
    "sub",
    "gsub",
];

/// Functions that give a number.
const NUMBERS: &[&str] = &[
    "tonumber",
    "sqrt",
    "abs",
    "pow",
    "log",
    "exp",
    "fromdate",
    "mktime",
    "dateadd",
    "datesub",
    "fromdateiso8601",
    "infinite",
    "nan",
];

/// Functions that give a whole number.
const INTEGERS: &[&str] =
    &["floor", "ceil", "round", "trunc", "utf8bytelength", "getpath_length", "tointeger"];

/// Functions that keep the items of an array, but not their order or number.
const SHUFFLES: &[&str] = &["sort", "unique", "sort_by", "unique_by", "reverse"];

/// Functions that let through what is of their kinds.
const FILTERS: &[(&str, u8)] = &[
    ("nulls", NULL),
    ("booleans", BOOLEAN),
    ("numbers", NUMBER),
    ("strings", TEXT),
    ("arrays", ARRAY),
    ("objects", OBJECT),
    ("iterables", ARRAY | OBJECT),
    ("scalars", NULL | BOOLEAN | NUMBER | TEXT),
    ("values", BOOLEAN | NUMBER | TEXT | ARRAY | OBJECT),
];

/// Whether a function gives exactly one output for one input.
pub(super) fn gives_one(name: &str) -> bool {
    const OTHERS: &[&str] = &[
        "true",
        "false",
        "null",
        "length",
        "keys",
        "keys_unsorted",
        "map",
        "map_values",
        "add",
        "min",
        "max",
        "min_by",
        "max_by",
        "to_entries",
        "from_entries",
        "with_entries",
        "flatten",
        "group_by",
        "split",
        "error",
        "del",
        "first",
        "last",
        "fromjson",
        "tojson",
    ];
    [QUESTIONS, TEXTS, NUMBERS, INTEGERS, SHUFFLES, OTHERS].iter().any(|set| set.contains(&name))
        || name.starts_with('@')
}

impl<'s> Reader<'s, '_> {
    #[expect(clippy::too_many_lines, reason = "a table, one row for each function")]
    pub(super) fn call(
        &mut self,
        term: &Term<&'s str>,
        name: &str,
        args: &[Term<&'s str>],
        env: &Env,
        tolerant: bool,
    ) -> Out {
        let dot = &env.dot;
        let secret = dot.holds_secret();
        match (name, args) {
            ("true", []) => Out::one(Shape::truth(true)),
            ("false", []) => Out::one(Shape::truth(false)),
            ("null", []) => Out::one(Shape::null()),
            ("empty", []) => Out::perhaps(Shape::never()),
            ("error", []) => Out::one(Shape::never()),
            ("error", [message]) => {
                self.eval(message, env, true);
                Out::one(Shape::never())
            }
            ("not", []) => Out::one(negated(dot)),
            ("length", []) => {
                let shape = if dot.may_be_number() { Shape::number() } else { Shape::integer() };
                Out::one(shape)
            }
            ("keys" | "keys_unsorted", []) => {
                let key =
                    if dot.is_object() { Shape::text() } else { Shape::any_of(TEXT | NUMBER) };
                Out::one(Shape::list(key.tainted(false)))
            }
            ("select", [when]) => {
                let when = self.eval(when, env, true);
                let shape = if when.shape.may_hold() { dot.clone() } else { Shape::never() };
                Out::perhaps(shape)
            }
            ("map", [each]) => self.map(each, env),
            ("first", []) => Out::one(dot.at(0)),
            ("last", []) => Out::one(dot.at(-1)),
            ("first" | "last", [each]) => Out::perhaps(self.eval(each, env, tolerant).shape),
            ("min" | "max", []) | ("min_by" | "max_by", [_]) => {
                self.inside(args, env);
                let surely = dot.items_of().is_some_and(|(fixed, _)| !fixed.is_empty());
                let item = dot.item();
                Out::one(if surely { item } else { item.join(&Shape::null()) })
            }
            ("add", []) => Out::one(sum(dot)),
            ("range", _) => {
                for bound in args {
                    self.eval(bound, env, false);
                }
                Out::perhaps(Shape::number())
            }
            ("split", [_] | [_, _]) => {
                self.arguments(args, env);
                Out::one(Shape::list(Shape::text().tainted(secret)))
            }
            ("group_by", [_]) => {
                self.inside(args, env);
                Out::one(Shape::list(Shape::list(dot.item())))
            }
            ("to_entries", []) => {
                let value = iterated(dot);
                Out::one(Shape::list(Shape::record([("key", Shape::text()), ("value", value)])))
            }
            ("from_entries", []) => Out::one(Shape::any_object().tainted(secret)),
            ("with_entries", [each]) => {
                let entry = Shape::record([("key", Shape::text()), ("value", iterated(dot))]);
                self.eval(each, &env.with_dot(entry, None), false);
                Out::one(Shape::any_object().tainted(secret))
            }
            ("del", [path]) => Out::one(self.deleted(path, env)),
            ("any" | "all", [each]) => {
                let item = iterated(dot);
                self.eval(each, &env.with_dot(item, None), true);
                Out::one(Shape::boolean())
            }
            ("any" | "all", [items, each]) => {
                let items = self.eval(items, env, false);
                self.eval(each, &env.with_dot(items.shape, None), true);
                Out::one(Shape::boolean())
            }
            _ => self.named(term, name, args, env),
        }
    }

    /// Functions whose result depends on their name alone, or on their input's kind.
    fn named(
        &mut self,
        _term: &Term<&'s str>,
        name: &str,
        args: &[Term<&'s str>],
        env: &Env,
    ) -> Out {
        let dot = &env.dot;
        if let Some((_, kinds)) = FILTERS.iter().find(|(known, _)| *known == name)
            && args.is_empty()
        {
            return Out::perhaps(dot.only(*kinds));
        }
        if SHUFFLES.contains(&name) {
            self.inside(args, env);
            let list = Shape::list(dot.item());
            return Out::one(if dot.is_array() {
                list
            } else {
                Shape::any().tainted(dot.holds_secret())
            });
        }
        let secret = self.arguments(args, env) || dot.holds_secret();
        if QUESTIONS.contains(&name) {
            return Out::one(Shape::boolean());
        }
        if TEXTS.contains(&name) || name.starts_with('@') {
            return Out::one(Shape::text().tainted(secret));
        }
        if INTEGERS.contains(&name) {
            return Out::one(Shape::integer());
        }
        if NUMBERS.contains(&name) {
            return Out::one(Shape::number());
        }
        match name {
            // What is no text passes as it is.
            "ltrimstr" | "rtrimstr" | "trimstr" => {
                let other = dot.only(NULL | BOOLEAN | NUMBER | ARRAY | OBJECT);
                Out::one(Shape::text().join(&other).tainted(secret))
            }
            _ => {
                let Out { shape, empty } = unknown(env);
                Out { shape: shape.tainted(secret), empty }
            }
        }
    }

    /// Reads arguments that are evaluated on the function's own input.
    fn arguments(&mut self, args: &[Term<&'s str>], env: &Env) -> bool {
        // What an argument is evaluated on depends on the function: on its input, or on something
        // the function makes. Nothing may be said of what it reads there.
        let inner = env.with_dot(Shape::any(), None);
        let mut secret = false;
        for arg in args {
            secret |= self.eval(arg, &inner, true).shape.holds_secret();
        }
        secret
    }

    /// Reads arguments that are evaluated on each item.
    fn inside(&mut self, args: &[Term<&'s str>], env: &Env) {
        let item = env.dot.item();
        for arg in args {
            self.eval(arg, &env.with_dot(item.clone(), None), true);
        }
    }

    fn map(&mut self, each: &Term<&'s str>, env: &Env) -> Out {
        let item = iterated(&env.dot);
        if item.is_never() {
            return Out::one(Shape::tuple(Vec::new()));
        }
        let path = env.path.as_ref().map(|path| format!("{path}[]"));
        let out = self.eval(each, &env.with_dot(item, path), false);
        Out::one(Shape::list(out.shape))
    }

    /// `del(.a, .b)` takes fields away; anything else is not followed.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other terms are no plain paths")]
    fn deleted(&mut self, path: &Term<&'s str>, env: &Env) -> Shape {
        let mut open = vec![path];
        let mut shape = env.dot.clone();
        while let Some(term) = open.pop() {
            match term {
                Term::BinOp(one, jaq_core::load::parse::BinaryOp::Comma, two) => {
                    open.extend([one.as_ref(), two.as_ref()]);
                }
                Term::Path(base, path) if matches!(**base, Term::Id) && path.0.len() == 1 => {
                    let name = path.0.first().and_then(|(part, _)| match part {
                        Part::Index(key) => constant_text(key),
                        Part::Range(..) => None,
                    });
                    let Some(name) = name else { return unknown(env).shape };
                    shape = shape.without(&name);
                }
                _ => return unknown(env).shape,
            }
        }
        shape
    }
}

fn negated(dot: &Shape) -> Shape {
    match (dot.may_hold(), dot.may_fail()) {
        (true, false) => Shape::truth(false),
        (false, true) => Shape::truth(true),
        (true, true) | (false, false) => Shape::boolean(),
    }
}

/// What `add` makes of an array.
fn sum(dot: &Shape) -> Shape {
    let secret = dot.holds_secret();
    let item = dot.item();
    let alike =
        [NUMBER, TEXT].into_iter().find(|kind| item.only(*kind) == item && !item.is_never());
    match alike {
        Some(kind) if !item.is_any() && dot.is_array() => {
            Shape::any_of(kind | NULL).tainted(secret)
        }
        Some(_) | None => Shape::any().tainted(secret),
    }
}
