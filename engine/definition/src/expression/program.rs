//! From the text of an expression to a fenced program, with every mistake at its place.

use std::ops::Range;

use jaq_core::Compiler;
use jaq_core::compile::Undefined;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Parser, Pattern, Term};
use jaq_core::load::{Arena, File, Lexer, Loader};
use jaq_core::path::Part;

use super::fence::{self, Fenced};
use super::prelude::{self, prelude};
use crate::diagnostic::did_you_mean;

/// A compiled program.
pub(super) type Program = jaq_core::Filter<Fenced>;

/// Longest expression, in bytes. The parser recurses, so this also bounds its stack.
const SOURCE_MAX: usize = 8 * 1024;
/// Deepest nesting of brackets.
const BRACKETS_MAX: usize = 100;
/// Most characters of a number. It is read anew each time it is met.
const DIGITS_MAX: usize = 1_000;
/// The author's term is compiled as a definition of this name, because only definitions can be
/// handed over as syntax trees.
const MAIN: &str = "__main";

/// A mistake in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Stable code of the diagnostic.
    pub(crate) code: &'static str,
    /// Bytes of the expression's text.
    pub(crate) range: Range<usize>,
    /// What is wrong.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) help: Option<String>,
}

/// What compiling gives.
pub(super) struct Compiled {
    pub(super) program: Program,
    /// The variables it uses, without `$`, in the program's order.
    pub(super) variables: Vec<String>,
    /// What a turn of it costs.
    pub(super) turn: u64,
}

/// Compiles an expression.
pub(super) fn compile(source: &str, variables: &[&str]) -> Result<Compiled, Vec<Fault>> {
    check_shape(source)?;
    let term = parse(source)?;
    let uses = check(source, &term, variables)?;
    let turn = fence::turn_cost(&term);
    let term = fence::fence(term);
    let (defs, natives) = prelude().part_for(&term);
    let mut all: Vec<Def<&str>> = defs;
    all.push(Def { name: MAIN, args: Vec::new(), body: term });
    let names: Vec<String> = uses.iter().map(|name| format!("${name}")).collect();
    let arena = Arena::default();
    let modules = Loader::new(all)
        .load(&arena, File { code: MAIN, path: () })
        .map_err(|_| vec![whole(source, "the expression cannot be loaded")])?;
    let program = Compiler::default()
        .with_funs(natives)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|errors| {
            let undefined = errors.into_iter().flat_map(|(_, undefined)| undefined);
            undefined
                .map(|(name, what)| undefined_fault(source, name, &what, variables))
                .collect::<Vec<_>>()
        })?;
    Ok(Compiled { program, variables: uses, turn })
}

fn whole(source: &str, message: impl Into<String>) -> Fault {
    Fault { code: "bad-expression", range: 0..source.len(), message: message.into(), help: None }
}

/// What must hold before the recursive parser may look at the text.
fn check_shape(source: &str) -> Result<(), Vec<Fault>> {
    if source.len() > SOURCE_MAX {
        let message = format!("an expression may have {SOURCE_MAX} bytes at most");
        return Err(vec![whole(source, message)]);
    }
    if source.trim().is_empty() {
        return Err(vec![whole(source, "the expression is empty")]);
    }
    let mut depth = 0_usize;
    for (at, byte) in source.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > BRACKETS_MAX {
            let message = format!("brackets are nested deeper than {BRACKETS_MAX} levels");
            return Err(vec![Fault { range: at..at + 1, ..whole(source, message) }]);
        }
    }
    Ok(())
}

/// The syntax tree of an expression that compiles, for those who look at it without running it.
pub(crate) fn syntax(source: &str) -> Option<Term<&str>> {
    check_shape(source).and_then(|()| parse(source)).ok()
}

/// The bytes from the first word of a term to its last, as far as its words lie in `source`.
pub(crate) fn extent(source: &str, term: &Term<&str>) -> Range<usize> {
    let mut found: Option<Range<usize>> = None;
    let mut add = |part: &str| {
        let range = range_of(source, part);
        if range.len() == part.len() {
            found = Some(found.as_ref().map_or(range.clone(), |found| {
                found.start.min(range.start)..found.end.max(range.end)
            }));
        }
    };
    visit(term, &mut |term| match term {
        Term::Num(word) | Term::Var(word) | Term::Break(word) | Term::Call(word, _) => add(word),
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Str(part) = part {
                    add(part);
                }
            }
        }
        Term::Id
        | Term::Recurse
        | Term::Arr(_)
        | Term::Obj(_)
        | Term::Neg(_)
        | Term::BinOp(..)
        | Term::Label(..)
        | Term::Fold(..)
        | Term::TryCatch(..)
        | Term::IfThenElse(..)
        | Term::Def(..)
        | Term::Path(..) => {}
    });
    found.unwrap_or(0..source.len())
}

/// The syntax tree of an expression.
pub(super) fn parse(source: &str) -> Result<Term<&str>, Vec<Fault>> {
    let tokens = Lexer::new(source).lex().map_err(|errors| {
        let fault = |(expected, found): (jaq_core::load::lex::Expect<&str>, &str)| Fault {
            code: "bad-expression",
            range: if found.is_empty() { last_char(source) } else { first_char(source, found) },
            message: format!("expected {} in the jq expression", expected.as_str()),
            help: None,
        };
        errors.into_iter().map(fault).collect::<Vec<_>>()
    })?;
    Parser::new(&tokens).parse(|parser| parser.term()).map_err(|errors| {
        let fault = |(expected, found): jaq_core::load::parse::TError<'_, &str>| {
            let found = found.map(jaq_core::load::lex::Token::as_str);
            let range = found.map_or_else(|| last_char(source), |found| range_of(source, found));
            let message = match found {
                Some(found) => format!("expected {} before `{}`", expected.as_str(), short(found)),
                None => format!("expected {} at the end", expected.as_str()),
            };
            Fault { code: "bad-expression", range, message, help: None }
        };
        errors.into_iter().map(fault).collect()
    })
}

/// The token, cut to what fits a message.
fn short(token: &str) -> String {
    const SHOWN: usize = 20;
    let mut shown: String = token.chars().take(SHOWN).collect();
    if shown.len() < token.len() {
        shown.push_str("...");
    }
    shown
}

/// Where `part`, a slice of `source`, lies in it.
pub(crate) fn range_of(source: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(source.as_ptr().addr());
    if start <= source.len() && start + part.len() <= source.len() {
        start..start + part.len()
    } else {
        0..source.len()
    }
}

/// Where something is missing at the end: what it should follow.
fn last_char(source: &str) -> Range<usize> {
    let end = source.trim_end();
    end.len() - end.chars().next_back().map_or(0, char::len_utf8)..end.len()
}

fn first_char(source: &str, part: &str) -> Range<usize> {
    let range = range_of(source, part);
    let length = part.chars().next().map_or(0, char::len_utf8);
    range.start..range.start + length
}

/// Refuses what authors may not write, and collects the free variables in use.
fn check(source: &str, term: &Term<&str>, variables: &[&str]) -> Result<Vec<String>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut used = std::collections::BTreeSet::new();
    visit(term, &mut |term| {
        if let Term::Def(defs, _) = term {
            let range = defs.first().map_or(0..0, |def| range_of(source, def.name));
            faults.push(Fault {
                code: "refused-expression",
                range,
                message: "`def` is not allowed in an expression".to_owned(),
                help: Some("write the steps with `|` and `as $name`".to_owned()),
            });
        }
        if let Term::Call(name, _) = term
            && (name.starts_with("__") || name.contains("::"))
        {
            faults.push(undefined_fault(source, name, &Undefined::Mod, variables));
        }
        if let Term::Num(number) = term
            && number.len() > DIGITS_MAX
        {
            let message = format!("a number may have {DIGITS_MAX} digits at most");
            faults.push(Fault { range: range_of(source, number), ..whole(source, message) });
        }
        // Keys alone, as in `{$x}`, are visited too.
        if let Term::Var(name) = term {
            used.insert(name.trim_start_matches('$').to_owned());
        }
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    used.retain(|name| variables.contains(&name.as_str()));
    Ok(used.into_iter().collect())
}

fn undefined_fault(source: &str, name: &str, what: &Undefined, variables: &[&str]) -> Fault {
    let range = range_of(source, name);
    let fault = |code, message, help| Fault { code, range: range.clone(), message, help };
    match what {
        Undefined::Var => fault(
            "unknown-variable",
            format!("the variable `{name}` is not known here"),
            Some(variable_help(name, variables)),
        ),
        Undefined::Filter(arity) => {
            let refusal = prelude::refusal(name);
            let message = match (refusal, arity) {
                (Some(_), _) => format!("the function `{name}` is not available"),
                (None, 0) => format!("jq has no function `{name}` here"),
                (None, arity) => format!("jq has no function `{name}` with {arity} arguments here"),
            };
            let help = refusal.map(str::to_owned).or_else(|| did_you_mean(name, prelude().names()));
            fault("unknown-function", message, help)
        }
        Undefined::Mod | Undefined::Label | _ => fault(
            "unknown-function",
            format!("`{}` is not known here", short(name)),
            Some("expressions cannot use modules or labels from elsewhere".to_owned()),
        ),
    }
}

fn variable_help(name: &str, variables: &[&str]) -> String {
    let bare = name.trim_start_matches('$');
    if bare == "__loc__" {
        return "an expression has no file: errors already say where they come from".to_owned();
    }
    if bare == "ENV" {
        return "an expression cannot see the server's environment: pass the value as input"
            .to_owned();
    }
    if let Some(near) = crate::diagnostic::nearest(bare, variables.iter().copied()) {
        return format!("did you mean `${near}`?");
    }
    match variables {
        [] => "no variables can be used here".to_owned(),
        known => {
            let known: Vec<String> = known.iter().map(|name| format!("`${name}`")).collect();
            format!("known here: {}", known.join(", "))
        }
    }
}

/// Calls `f` on a term and on every term below it.
pub(crate) fn visit<'t, 's>(term: &'t Term<&'s str>, f: &mut impl FnMut(&'t Term<&'s str>)) {
    f(term);
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Break(_)
        | Term::Var(_)
        | Term::Arr(None) => {}
        Term::Str(_, parts) => {
            for part in parts {
                match part {
                    StrPart::Term(term) => visit(term, f),
                    StrPart::Str(_) | StrPart::Char(_) => {}
                }
            }
        }
        Term::Arr(Some(term)) | Term::Neg(term) | Term::Label(_, term) => visit(term, f),
        Term::Obj(fields) => {
            for (key, value) in fields {
                visit(key, f);
                value.iter().for_each(|value| visit(value, f));
            }
        }
        Term::BinOp(left, op, right) => {
            visit(left, f);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                visit_pattern(pattern, f);
            }
            visit(right, f);
        }
        Term::Fold(_, source, pattern, args) => {
            visit(source, f);
            visit_pattern(pattern, f);
            args.iter().for_each(|term| visit(term, f));
        }
        Term::TryCatch(body, catch) => {
            visit(body, f);
            catch.iter().for_each(|term| visit(term, f));
        }
        Term::IfThenElse(cases, otherwise) => {
            for (when, then) in cases {
                visit(when, f);
                visit(then, f);
            }
            otherwise.iter().for_each(|term| visit(term, f));
        }
        Term::Def(defs, body) => {
            defs.iter().for_each(|def| visit(&def.body, f));
            visit(body, f);
        }
        Term::Call(_, args) => args.iter().for_each(|term| visit(term, f)),
        Term::Path(term, path) => {
            visit(term, f);
            for (part, _) in &path.0 {
                match part {
                    Part::Index(index) => visit(index, f),
                    Part::Range(from, to) => {
                        from.iter().chain(to).for_each(|term| visit(term, f));
                    }
                }
            }
        }
    }
}

fn visit_pattern<'t, 's>(pattern: &'t Pattern<&'s str>, f: &mut impl FnMut(&'t Term<&'s str>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter().for_each(|item| visit_pattern(item, f)),
        Pattern::Obj(fields) => {
            for (key, pattern) in fields {
                visit(key, f);
                visit_pattern(pattern, f);
            }
        }
    }
}
