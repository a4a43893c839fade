//! The functions expressions may use: jq's own, without those that reach outside, with a few
//! replaced by bounded ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jaq_core::box_iter::box_once;
use jaq_core::load::parse::{Def, Term};
use jaq_core::native::{Fun, v};
use jaq_core::{Bind, Error, Exn, Native, load};
use jaq_json::{Num, Val};

use super::fence::{self, Fenced};
use super::value;

/// Functions left out, and what to use instead.
const REFUSED: &[(&str, &str)] = &[
    ("now", "an expression has no clock: use `$workflow.startedAt` or `$task.startedAt`"),
    ("localtime", "an expression has no local time: use `gmtime`"),
    ("strflocaltime", "an expression has no local time: use `strftime`"),
    ("env", "an expression cannot see the server's environment: pass the value as input"),
    ("input", "an expression has one input, `.`"),
    ("inputs", "an expression has one input, `.`"),
    ("debug", "an expression cannot write anywhere: return the value"),
    ("stderr", "an expression cannot write anywhere: return the value"),
    ("halt", "use `error(...)`, which a `try` task can catch"),
    ("halt_error", "use `error(...)`, which a `try` task can catch"),
    ("tobytes", "values are JSON: use `@base64`"),
    ("input_filename", "an expression reads no files"),
];

/// Native functions left out with the definitions that need them.
const REFUSED_NATIVES: &[&str] = &[
    "now",
    "localtime",
    "strflocaltime",
    "env",
    "halt",
    "debug_empty",
    "stderr_empty",
    "tobytes",
    "tojson",
    "fromjson",
];

/// Native functions that do not look through their input, so it need not be weighed.
const LIGHT: &[&str] =
    &["path", "path_value", "first", "last", "limit", "skip", "error_empty", "range"];

/// Replacements, before jq's own definitions so that those use them.
const BEFORE: &str = r#"
def tojson: __tojson;
def fromjson: __fromjson;
def tostring: __text;
def @text: __text;
def @json: __tojson;
def join($s): __join($s);
"#;

/// What jq has and jaq has not, after its definitions.
const AFTER: &str = r#"
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; . + {($row | f | tostring): $row});
def INDEX(f): INDEX(.[]; f);
def trimstr($x): ltrimstr($x) | rtrimstr($x);
def toarray: if isarray then . else [.] end;
def ascii: [.] | implode;
"#;

/// All definitions, fenced, in an order in which each uses only earlier ones.
pub(super) struct Prelude {
    defs: Vec<Def<&'static str>>,
    /// For each definition the earlier ones it calls.
    needs: Vec<BTreeSet<usize>>,
    /// The last definition of each name and number of arguments.
    last: BTreeMap<(&'static str, usize), usize>,
    natives: BTreeSet<&'static str>,
}

/// The prelude, parsed once.
pub(super) fn prelude() -> &'static Prelude {
    static PRELUDE: OnceLock<Prelude> = OnceLock::new();
    PRELUDE.get_or_init(Prelude::new)
}

fn parsed(code: &'static str) -> Vec<Def<&'static str>> {
    load::parse(code, |parser| parser.defs()).expect("our own jq parses; a test compiles it all")
}

fn own_names() -> Vec<Fun<Fenced>> {
    fence::natives().into_iter().chain(natives()).collect()
}

/// The native functions of every program.
pub(super) fn all_natives() -> impl Iterator<Item = Fun<Fenced>> {
    jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        .filter(|(name, ..)| !REFUSED_NATIVES.contains(name))
        .chain(own_names())
}

/// Whether a native function of this name looks through its input.
pub(super) fn looks_through(name: &str) -> bool {
    static NATIVES: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    let names = NATIVES.get_or_init(|| all_natives().map(|(name, ..)| name).collect());
    names.contains(name) && !LIGHT.contains(&name) && !fence_name(name)
}

fn fence_name(name: &str) -> bool {
    matches!(name, "__tick" | "__call" | "__turn" | "__size" | "__regex" | "__mul")
}

/// What to say about a function that exists in jq, but not here.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, instead)| *instead)
}

impl Prelude {
    fn new() -> Self {
        let before = parsed(BEFORE);
        let replaced: BTreeSet<_> = before.iter().map(|def| (def.name, def.args.len())).collect();
        let theirs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .filter(|def| !replaced.contains(&(def.name, def.args.len())))
            .filter(|def| refusal(def.name).is_none());
        let all = before.into_iter().chain(theirs).chain(parsed(AFTER)).map(fence::fence_def);
        let mut prelude = Self {
            defs: Vec::new(),
            needs: Vec::new(),
            last: BTreeMap::new(),
            natives: all_natives().map(|(name, ..)| name).collect(),
        };
        for def in all {
            let calls = calls(&def.body);
            let needs = calls.iter().filter_map(|call| prelude.last.get(call).copied()).collect();
            prelude.last.insert((def.name, def.args.len()), prelude.defs.len());
            prelude.needs.push(needs);
            prelude.defs.push(def);
        }
        prelude
    }

    /// The definitions a term needs, in order: compiling only those makes compiling fast.
    pub(super) fn defs_for(&self, term: &Term<&str>) -> Vec<Def<&'static str>> {
        let found = calls(term);
        let mut open: Vec<usize> = found
            .iter()
            .filter_map(|(name, arity)| self.last.get(&(*name, *arity)).copied())
            .collect();
        let mut wanted = BTreeSet::new();
        while let Some(index) = open.pop() {
            if wanted.insert(index) {
                open.extend(self.needs.get(index).into_iter().flatten());
            }
        }
        wanted.iter().filter_map(|index| self.defs.get(*index).cloned()).collect()
    }

    /// Every function an author can call, for suggestions.
    pub(super) fn names(&self) -> BTreeSet<&'static str> {
        let defs = self.defs.iter().map(|def| def.name);
        defs.chain(self.natives.iter().copied()).filter(|name| !name.starts_with("__")).collect()
    }
}

/// The functions a term calls, by name and number of arguments. Names bound inside the term are
/// among them, which at worst keeps a definition that is not needed.
fn calls<'s>(term: &Term<&'s str>) -> BTreeSet<(&'s str, usize)> {
    let mut found = BTreeSet::new();
    super::program::visit(term, &mut |term| {
        if let Term::Call(name, args) = term {
            found.insert((*name, args.len()));
        }
        if let Term::Str(Some(format), _) = term {
            found.insert((*format, 0));
        }
    });
    found
}

/// Replacements of native functions whose own versions are unbounded.
fn natives() -> Vec<Fun<Fenced>> {
    vec![
        ("__tojson", v(0), Native::new(|cv| box_once(print(cv.0.data().fuel, &cv.1)))),
        (
            "__text",
            v(0),
            Native::new(|cv| {
                let is_text = matches!(cv.1, Val::TStr(_));
                box_once(if is_text { Ok(cv.1) } else { print(cv.0.data().fuel, &cv.1) })
            }),
        ),
        ("__fromjson", v(0), Native::new(|cv| box_once(from_json(&cv.1).map_err(Exn::from)))),
        (
            "__join",
            [Bind::Var(())].into(),
            Native::new(|mut cv| {
                let separator = cv.0.pop_var();
                let joined = join(&cv.1, &separator).map_err(Exn::from);
                box_once(joined.and_then(|joined| {
                    cv.0.data().fuel.weigh(&joined)?;
                    Ok(joined)
                }))
            }),
        ),
    ]
}

/// The value as JSON text. Printing is dearer than looking, so it pays several times.
fn print<'a>(fuel: &fence::Fuel, value: &Val) -> Result<Val, Exn<'a, Val>> {
    const TIMES: usize = 8;
    for _ in 0..TIMES {
        fuel.weigh(value)?;
    }
    Ok(Val::utf8_str(json(value)))
}

/// Compact JSON, with integral numbers as integers (`4/2` prints as 2). The value was weighed.
fn json(value: &Val) -> String {
    match value {
        Val::Num(Num::Float(number)) => match value::integral(*number) {
            Some(integer) => integer.to_string(),
            None => value.to_string(),
        },
        Val::Arr(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Val::Obj(fields) => {
            let field = |(key, value): (&Val, &Val)| format!("{}:{}", json(key), json(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
        }
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => value.to_string(),
    }
}

fn from_json(value: &Val) -> Result<Val, Error<Val>> {
    let Val::TStr(text) = value else {
        return Err(Error::str(format_args!("cannot parse {} as JSON", value::kind(value))));
    };
    let parsed: serde_json::Value = serde_json::from_slice(text)
        .map_err(|error| Error::str(format_args!("cannot parse the text as JSON: {error}")))?;
    value::read(&parsed).map_err(Error::str)
}

/// jq's `join`: null is empty, numbers and booleans are printed, the rest is an error.
fn join(value: &Val, separator: &Val) -> Result<Val, Error<Val>> {
    let Val::Arr(items) = value else {
        return Err(Error::str(format_args!("cannot join {}", value::kind(value))));
    };
    let Val::TStr(separator) = separator else {
        return Err(Error::str("the separator of join must be text"));
    };
    let mut joined = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.extend_from_slice(separator);
        }
        match item {
            Val::Null => {}
            Val::TStr(text) => joined.extend_from_slice(text),
            Val::Bool(_) | Val::Num(_) => joined.extend_from_slice(json(item).as_bytes()),
            Val::BStr(_) | Val::Arr(_) | Val::Obj(_) => {
                return Err(Error::str(format_args!(
                    "cannot join {} into text",
                    value::kind(item)
                )));
            }
        }
    }
    Ok(Val::utf8_str(joined))
}
