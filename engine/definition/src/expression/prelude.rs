//! The functions expressions may use: jq's own, without those that reach outside, with a few
//! replaced by bounded ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jaq_core::load;
use jaq_core::load::parse::{Def, Term};
use jaq_core::native::Fun;

use super::fence::{self, Fenced};
use super::function;

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
    ("input_line_number", "an expression reads no files"),
    ("get_search_list", "an expression has no modules"),
    ("get_jq_origin", "an expression reads no files"),
    ("get_prog_origin", "an expression reads no files"),
    ("modulemeta", "an expression has no modules"),
    ("jn", "its time grows with its order: use `j0` or `j1`"),
    ("yn", "its time grows with its order: use `y0` or `y1`"),
    ("builtins", "the functions are listed in docs/language/expressions.md"),
];

/// Native functions left out with the definitions that need them: they reach outside, or ours in
/// `function` stand in for them.
const REFUSED_NATIVES: &[&str] = &[
    "now",
    "localtime",
    "strflocaltime",
    "env",
    "halt",
    "debug_empty",
    "stderr_empty",
    "ltrimstr",
    "rtrimstr",
    "matches",
    "split_matches",
    "split_",
    "escape_sh",
    "todateiso8601",
    "jn",
    "yn",
    "path",
    "path_value",
    "explode",
];

/// Native functions that do not look through their input, so it need not be weighed.
const LIGHT: &[&str] =
    &["path", "path_value", "first", "last", "limit", "skip", "error_empty", "range"];

/// Native functions that sort, or make new text of all their input.
const OFTEN: &[&str] = &[
    "sort",
    "sort_by",
    "group_by",
    "__csv",
    "__tsv",
    "__sh",
    "__stream",
    "__contains",
    "__delpaths",
];

/// Native functions of jaq that make a text up to six times as long as their input. What they made is
/// weighed too.
const LENGTHENING: &[&str] =
    &["implode", "encode_uri", "decode_uri", "encode_base64", "escape_html", "unescape_html"];

/// Native functions that call their argument on each item.
const CALLING: &[&str] = &["sort_by", "group_by", "min_by_or_empty", "max_by_or_empty"];

/// Replacements, before jaq's own definitions so that those use them.
const BEFORE: &str = include_str!("before.jq");

/// What jq has and jaq has not or has otherwise, after its definitions.
const AFTER: &str = include_str!("after.jq");

/// All definitions, fenced, in an order in which each uses only earlier ones.
pub(super) struct Prelude {
    defs: Vec<Def<&'static str>>,
    /// For each definition the earlier ones it calls.
    needs: Vec<BTreeSet<usize>>,
    /// For each definition the native functions it calls.
    uses: Vec<BTreeSet<&'static str>>,
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
    fence::natives().into_iter().chain(function::natives()).collect()
}

/// The native functions there are.
fn all_natives() -> impl Iterator<Item = Fun<Fenced>> {
    jaq_core::funs()
        .chain(jaq_std::funs())
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
    matches!(name, "__tick" | "__call" | "__bind" | "__turn" | "__size" | "__often" | "__mul")
}

/// Whether a native function goes over its input several times.
pub(super) fn looks_often(name: &str) -> bool {
    OFTEN.contains(&name)
}

/// Whether a native function of this name makes text that is longer than its input.
pub(super) fn lengthens(name: &str) -> bool {
    LENGTHENING.contains(&name)
}

/// Whether a native function of this name calls its argument on each item.
pub(super) fn calls_often(name: &str) -> bool {
    CALLING.contains(&name)
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
            uses: Vec::new(),
            last: BTreeMap::new(),
            natives: all_natives().map(|(name, ..)| name).collect(),
        };
        for def in all {
            let calls = calls(&def.body);
            let needs = calls.iter().filter_map(|call| prelude.last.get(call).copied()).collect();
            prelude.uses.push(prelude.natives_among(&calls));
            prelude.last.insert((def.name, def.args.len()), prelude.defs.len());
            prelude.needs.push(needs);
            prelude.defs.push(def);
        }
        prelude
    }

    /// What a term needs, in order. Compiling only that is what makes compiling fast, and keeps a
    /// program small: one with everything would hold hundreds of functions.
    pub(super) fn part_for(&self, term: &Term<&str>) -> (Vec<Def<&'static str>>, Vec<Fun<Fenced>>) {
        let found = calls(term);
        let mut natives = self.natives_among(&found);
        let mut open: Vec<usize> = found
            .iter()
            .filter_map(|(name, arity)| self.last.get(&(*name, *arity)).copied())
            .collect();
        let mut wanted = BTreeSet::new();
        while let Some(index) = open.pop() {
            if wanted.insert(index) {
                open.extend(self.needs.get(index).into_iter().flatten());
                natives.extend(self.uses.get(index).into_iter().flatten());
            }
        }
        let defs = wanted.iter().filter_map(|index| self.defs.get(*index).cloned()).collect();
        (defs, all_natives().filter(|(name, ..)| natives.contains(name)).collect())
    }

    fn natives_among(&self, calls: &BTreeSet<(&str, usize)>) -> BTreeSet<&'static str> {
        calls.iter().filter_map(|(name, _)| self.natives.get::<str>(name).copied()).collect()
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
