//! The short way for expressions that only pick, compare and put together.
//!
//! Most expressions of a definition read a field, build an object or fill a text. To run them in jq
//! their whole input and all their variables are turned into jq's values and back. This
//! module runs such an expression on the JSON itself. It never decides what is an error: at
//! whatever is not plain (a type that does not fit, a number that is not an integer where it matters, a
//! large value) it gives up, and jq evaluates from the start. An evaluation has no effects, so
//! nothing is lost by that. The differential tests run both ways and compare.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::{Cmp, Math};
use jaq_core::path::{Part, Path};
use serde_json::{Map, Value};

use super::{Scope, mark};

/// Most nodes of an expression that goes the short way; bounds the recursion here.
const NODES_MAX: usize = 256;
/// Weight one evaluation may copy and build; below every limit of `value` and `fence`, so that what fits
/// here fits there.
const WEIGHT_MAX: usize = 1024 * 1024;
/// What a value weighs beside its text.
const VALUE_WEIGHT: usize = 32;
/// Deepest value that is copied or built.
const DEPTH_MAX: usize = 90;

/// An expression that can go the short way.
pub(super) struct Direct(Node);

enum Node {
    Input,
    Variable(String),
    Constant(Value),
    /// `.name` of the first.
    Field(Box<Self>, String),
    /// `[...]`: the second is evaluated on the input of the whole path.
    At(Box<Self>, Box<Self>),
    Object(Vec<(Self, Self)>),
    Array(Vec<Self>),
    Text(Vec<Self>),
    Pipe(Box<Self>, Box<Self>),
    Math(Box<Self>, Math, Box<Self>),
    Compare(Box<Self>, Cmp, Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    /// `//`.
    Alternative(Box<Self>, Box<Self>),
    If(Vec<(Self, Self)>, Option<Box<Self>>),
    Not,
    Length,
}

/// Puts a term into nodes; `None` for what only jq can run.
struct Reader {
    left: usize,
}

impl Reader {
    fn boxed(&mut self, term: &Term<&str>) -> Option<Box<Node>> {
        self.node(term).map(Box::new)
    }

    fn node(&mut self, term: &Term<&str>) -> Option<Node> {
        self.left = self.left.checked_sub(1)?;
        match term {
            Term::Id => Some(Node::Input),
            Term::Var(name) => Some(Node::Variable(name.trim_start_matches('$').to_owned())),
            Term::Num(text) => integer(text).map(Node::Constant),
            Term::Neg(term) => {
                let Node::Constant(Value::Number(number)) = self.node(term)? else { return None };
                number.as_i64()?.checked_neg().map(|value| Node::Constant(value.into()))
            }
            Term::Str(None, parts) => self.text(parts),
            Term::Arr(None) => Some(Node::Array(Vec::new())),
            Term::Arr(Some(items)) => {
                let mut nodes = Vec::new();
                self.items(items, &mut nodes)?;
                Some(Node::Array(nodes))
            }
            Term::Obj(fields) => fields
                .iter()
                .map(|field| self.field(field))
                .collect::<Option<_>>()
                .map(Node::Object),
            Term::BinOp(left, op, right) => self.operation(left, op, right),
            Term::IfThenElse(cases, otherwise) => {
                let cases = cases.iter().map(|(when, then)| self.node(when).zip(self.node(then)));
                let cases = cases.collect::<Option<_>>()?;
                let otherwise = match otherwise {
                    None => None,
                    Some(term) => Some(self.boxed(term)?),
                };
                Some(Node::If(cases, otherwise))
            }
            Term::Call(name, args) if args.is_empty() => match *name {
                "null" => Some(Node::Constant(Value::Null)),
                "true" => Some(Node::Constant(Value::Bool(true))),
                "false" => Some(Node::Constant(Value::Bool(false))),
                "not" => Some(Node::Not),
                "length" => Some(Node::Length),
                _ => None,
            },
            Term::Path(base, path) => self.path(base, path),
            Term::Recurse
            | Term::Str(Some(_), _)
            | Term::Label(..)
            | Term::Break(_)
            | Term::Fold(..)
            | Term::TryCatch(..)
            | Term::Def(..)
            | Term::Call(..) => None,
        }
    }

    fn operation(
        &mut self,
        left: &Term<&str>,
        op: &BinaryOp<&str>,
        right: &Term<&str>,
    ) -> Option<Node> {
        let (left, right) = (self.boxed(left)?, self.boxed(right)?);
        match op {
            BinaryOp::Pipe(None) => Some(Node::Pipe(left, right)),
            BinaryOp::Math(op @ (Math::Add | Math::Sub | Math::Mul)) => {
                Some(Node::Math(left, *op, right))
            }
            BinaryOp::Cmp(op) => Some(Node::Compare(left, *op, right)),
            BinaryOp::And => Some(Node::And(left, right)),
            BinaryOp::Or => Some(Node::Or(left, right)),
            BinaryOp::Alt => Some(Node::Alternative(left, right)),
            BinaryOp::Pipe(Some(_))
            | BinaryOp::Comma
            | BinaryOp::Math(Math::Div | Math::Rem)
            | BinaryOp::Assign
            | BinaryOp::Update
            | BinaryOp::UpdateMath(_)
            | BinaryOp::UpdateAlt => None,
        }
    }

    /// The items of an array: each gives one output.
    fn items(&mut self, term: &Term<&str>, nodes: &mut Vec<Node>) -> Option<()> {
        if let Term::BinOp(left, BinaryOp::Comma, right) = term {
            self.items(left, nodes)?;
            return self.items(right, nodes);
        }
        nodes.push(self.node(term)?);
        Some(())
    }

    fn field(&mut self, field: &(Term<&str>, Option<Term<&str>>)) -> Option<(Node, Node)> {
        match field {
            (Term::Var(name), None) => {
                let name = name.trim_start_matches('$').to_owned();
                Some((Node::Constant(name.clone().into()), Node::Variable(name)))
            }
            (key, None) => {
                let value = picked(Node::Input, self.node(key)?);
                Some((self.node(key)?, value))
            }
            (key, Some(value)) => self.node(key).zip(self.node(value)),
        }
    }

    fn text(&mut self, parts: &[StrPart<&str, Term<&str>>]) -> Option<Node> {
        let mut nodes = Vec::new();
        let mut verbatim = String::new();
        for part in parts {
            match part {
                // Nobody may write a mark.
                StrPart::Str(part) if part.contains(mark::OPEN) => return None,
                StrPart::Char(mark::OPEN) => return None,
                StrPart::Str(part) => verbatim.push_str(part),
                StrPart::Char(char) => verbatim.push(*char),
                StrPart::Term(term) => {
                    nodes.push(Node::Constant(std::mem::take(&mut verbatim).into()));
                    nodes.push(self.node(term)?);
                }
            }
        }
        if nodes.is_empty() {
            return Some(Node::Constant(verbatim.into()));
        }
        nodes.push(Node::Constant(verbatim.into()));
        Some(Node::Text(nodes))
    }

    fn path(&mut self, base: &Term<&str>, path: &Path<Term<&str>>) -> Option<Node> {
        let mut node = self.node(base)?;
        for (part, _) in &path.0 {
            let Part::Index(index) = part else { return None };
            node = picked(node, self.node(index)?);
        }
        Some(node)
    }
}

/// `base[index]`.
fn picked(base: Node, index: Node) -> Node {
    if let Node::Constant(Value::String(name)) = index {
        return Node::Field(Box::new(base), name);
    }
    Node::At(Box::new(base), Box::new(index))
}

/// A number in plain digits. All others are jq's.
fn integer(text: &str) -> Option<Value> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<i64>().ok().filter(|_| plain).map(Value::from)
}

impl Direct {
    /// The short way of a term, if it has one.
    pub(super) fn read(term: &Term<&str>) -> Option<Self> {
        Reader { left: NODES_MAX }.node(term).map(Self)
    }

    /// What the expression gives, or `None` when jq has to say.
    pub(super) fn eval(&self, input: &Value, scope: &dyn Scope) -> Option<Value> {
        let run = Run { scope, left: Cell::new(WEIGHT_MAX) };
        match run.node(&self.0, input)? {
            // A part of what was there is as deep, and has only marks that were there.
            Cow::Borrowed(value) => run.copy(value, DEPTH_MAX),
            Cow::Owned(mut value) => {
                if !is_shallow(&value, DEPTH_MAX) {
                    return None;
                }
                if mark::has(&value) {
                    let mut names = Vec::new();
                    self.0.variables(&mut names);
                    let variables = names.into_iter().filter_map(|name| scope.get(name));
                    let sources = std::iter::once(Cow::Borrowed(input)).chain(variables);
                    mark::keep_known(&mut value, sources);
                }
                Some(value)
            }
        }
    }

    /// Whether it gives anything but `false` and `null`; `None` when jq has to say.
    pub(super) fn holds(&self, input: &Value, scope: &dyn Scope) -> Option<bool> {
        let run = Run { scope, left: Cell::new(WEIGHT_MAX) };
        run.node(&self.0, input).map(|value| is_true(&value))
    }
}

impl Node {
    fn variables<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Variable(name) => names.push(name),
            Self::Input | Self::Constant(_) | Self::Not | Self::Length => {}
            Self::Field(base, _) => base.variables(names),
            Self::At(left, right)
            | Self::Pipe(left, right)
            | Self::Math(left, _, right)
            | Self::Compare(left, _, right)
            | Self::And(left, right)
            | Self::Or(left, right)
            | Self::Alternative(left, right) => {
                left.variables(names);
                right.variables(names);
            }
            Self::Object(fields) | Self::If(fields, None) => pairs(fields, names),
            Self::If(cases, Some(otherwise)) => {
                pairs(cases, names);
                otherwise.variables(names);
            }
            Self::Array(nodes) | Self::Text(nodes) => {
                nodes.iter().for_each(|node| node.variables(names));
            }
        }
    }
}

fn pairs<'a>(pairs: &'a [(Node, Node)], names: &mut Vec<&'a str>) {
    for (left, right) in pairs {
        left.variables(names);
        right.variables(names);
    }
}

/// One evaluation.
struct Run<'a> {
    scope: &'a dyn Scope,
    /// Weight that may still be copied or built.
    left: Cell<usize>,
}

impl<'a> Run<'a> {
    /// Values lent are parts of the input, of a variable or of the expression; owned ones were
    /// copied or built here, and have been weighed.
    fn node<'b>(&self, node: &'b Node, input: &'b Value) -> Option<Cow<'b, Value>>
    where
        'a: 'b,
    {
        match node {
            Node::Input => Some(Cow::Borrowed(input)),
            Node::Constant(value) => Some(Cow::Borrowed(value)),
            Node::Variable(name) => self.variable(self.scope.get(name)?),
            Node::Field(base, key) => {
                if let Node::Variable(name) = base.as_ref()
                    && let Some(value) = self.scope.field(name, key)
                {
                    return self.variable(value);
                }
                field(self.node(base, input)?, key)
            }
            Node::At(base, index) => {
                let index = self.node(index, input)?;
                let base = self.node(base, input)?;
                match index.as_ref() {
                    Value::String(key) => field(base, key),
                    Value::Number(number) => item(base, number.as_i64()?),
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
                }
            }
            Node::Object(fields) => self.object(fields, input),
            Node::Array(nodes) => {
                self.spend(VALUE_WEIGHT)?;
                let items = nodes.iter().map(|node| self.own(self.node(node, input)?));
                items.collect::<Option<_>>().map(|items| Cow::Owned(Value::Array(items)))
            }
            Node::Text(nodes) => self.text(nodes, input),
            Node::Pipe(left, right) => match self.node(left, input)? {
                Cow::Borrowed(value) => self.node(right, value),
                Cow::Owned(value) => self.own(self.node(right, &value)?).map(Cow::Owned),
            },
            Node::Math(left, op, right) => {
                self.math(self.node(left, input)?, *op, self.node(right, input)?)
            }
            Node::Compare(left, op, right) => {
                let ordering = compare(&*self.node(left, input)?, &*self.node(right, input)?, *op)?;
                Some(Cow::Owned(Value::Bool(ordering)))
            }
            Node::And(left, right) => {
                let both = self.holds(left, input)? && self.holds(right, input)?;
                Some(Cow::Owned(Value::Bool(both)))
            }
            Node::Or(left, right) => {
                let either = self.holds(left, input)? || self.holds(right, input)?;
                Some(Cow::Owned(Value::Bool(either)))
            }
            Node::Alternative(left, right) => {
                let value = self.node(left, input)?;
                if is_true(&value) { Some(value) } else { self.node(right, input) }
            }
            Node::If(cases, otherwise) => {
                for (when, then) in cases {
                    if self.holds(when, input)? {
                        return self.node(then, input);
                    }
                }
                match otherwise {
                    Some(node) => self.node(node, input),
                    None => Some(Cow::Borrowed(input)),
                }
            }
            Node::Not => Some(Cow::Owned(Value::Bool(!is_true(input)))),
            Node::Length => length(input).map(|length| Cow::Owned(length.into())),
        }
    }

    fn holds(&self, node: &Node, input: &Value) -> Option<bool> {
        self.node(node, input).map(|value| is_true(&value))
    }

    /// A variable that was made for this moment has not been weighed.
    fn variable<'b>(&self, value: Cow<'b, Value>) -> Option<Cow<'b, Value>> {
        match value {
            Cow::Borrowed(value) => Some(Cow::Borrowed(value)),
            Cow::Owned(value) => {
                self.weigh(&value, DEPTH_MAX)?;
                Some(Cow::Owned(value))
            }
        }
    }

    fn spend(&self, weight: usize) -> Option<()> {
        self.left.set(self.left.get().checked_sub(weight)?);
        Some(())
    }

    fn own(&self, value: Cow<'_, Value>) -> Option<Value> {
        match value {
            Cow::Borrowed(value) => self.copy(value, DEPTH_MAX),
            Cow::Owned(value) => Some(value),
        }
    }

    fn copy(&self, value: &Value, depth: usize) -> Option<Value> {
        self.weigh(value, depth)?;
        Some(value.clone())
    }

    /// Pays for a value, and refuses what jq writes in another way than it reads it.
    fn weigh(&self, value: &Value, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.spend(VALUE_WEIGHT)?;
        match value {
            Value::Null | Value::Bool(_) => Some(()),
            // `1.0` comes out of jq as 1.
            Value::Number(number) => (!number.is_f64()).then_some(()),
            Value::String(text) => self.spend(text.len()),
            Value::Array(items) => items.iter().try_for_each(|item| self.weigh(item, depth)),
            Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
                self.spend(key.len())?;
                self.weigh(value, depth)
            }),
        }
    }

    fn object<'b>(&self, fields: &[(Node, Node)], input: &Value) -> Option<Cow<'b, Value>> {
        self.spend(VALUE_WEIGHT)?;
        let mut object = Map::with_capacity(fields.len());
        for (key, value) in fields {
            let key = self.node(key, input)?;
            let key = key.as_str()?;
            self.spend(key.len())?;
            object.insert(key.to_owned(), self.own(self.node(value, input)?)?);
        }
        Some(Cow::Owned(Value::Object(object)))
    }

    fn text<'b>(&self, nodes: &[Node], input: &Value) -> Option<Cow<'b, Value>> {
        self.spend(VALUE_WEIGHT)?;
        let mut text = String::new();
        for node in nodes {
            let value = self.node(node, input)?;
            let number;
            let part = match value.as_ref() {
                Value::String(part) => part.as_str(),
                Value::Null => "null",
                Value::Bool(true) => "true",
                Value::Bool(false) => "false",
                Value::Number(value) => {
                    number = value.as_i64()?.to_string();
                    &number
                }
                Value::Array(_) | Value::Object(_) => return None,
            };
            self.spend(part.len())?;
            text.push_str(part);
        }
        Some(Cow::Owned(Value::String(text)))
    }

    fn math<'b>(
        &self,
        left: Cow<'b, Value>,
        op: Math,
        right: Cow<'b, Value>,
    ) -> Option<Cow<'b, Value>> {
        if let (Value::Number(left), Value::Number(right)) = (left.as_ref(), right.as_ref()) {
            let (left, right) = (left.as_i64()?, right.as_i64()?);
            let result = match op {
                Math::Add => left.checked_add(right),
                Math::Sub => left.checked_sub(right),
                Math::Mul => left.checked_mul(right),
                Math::Div | Math::Rem => None,
            };
            return result.map(|result| Cow::Owned(result.into()));
        }
        if op != Math::Add {
            return None;
        }
        match (left.as_ref(), right.as_ref()) {
            (Value::Null, _) => Some(right),
            (_, Value::Null) => Some(left),
            (Value::String(_), Value::String(_))
            | (Value::Array(_), Value::Array(_))
            | (Value::Object(_), Value::Object(_)) => {
                // An owned side was weighed when it was made, but may come in here again and again.
                self.weigh(&left, DEPTH_MAX)?;
                self.weigh(&right, DEPTH_MAX)?;
                join(left.into_owned(), right.into_owned()).map(Cow::Owned)
            }
            _ => None,
        }
    }
}

fn join(left: Value, right: Value) -> Option<Value> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(Value::String(left + &right)),
        (Value::Array(mut left), Value::Array(right)) => {
            left.extend(right);
            Some(Value::Array(left))
        }
        (Value::Object(mut left), Value::Object(right)) => {
            left.extend(right);
            Some(Value::Object(left))
        }
        _ => None,
    }
}

fn field<'b>(value: Cow<'b, Value>, key: &str) -> Option<Cow<'b, Value>> {
    match value {
        Cow::Borrowed(Value::Object(fields)) => {
            Some(fields.get(key).map_or(Cow::Owned(Value::Null), Cow::Borrowed))
        }
        Cow::Owned(Value::Object(mut fields)) => {
            Some(Cow::Owned(fields.get_mut(key).map_or(Value::Null, Value::take)))
        }
        Cow::Borrowed(Value::Null) | Cow::Owned(Value::Null) => Some(Cow::Owned(Value::Null)),
        Cow::Borrowed(_) | Cow::Owned(_) => None,
    }
}

fn item(value: Cow<'_, Value>, index: i64) -> Option<Cow<'_, Value>> {
    let place = |length: usize| {
        let index =
            if index < 0 { index.checked_add_unsigned(length.try_into().ok()?)? } else { index };
        usize::try_from(index).ok()
    };
    match value {
        Cow::Borrowed(Value::Array(items)) => {
            let found = place(items.len()).and_then(|place| items.get(place));
            Some(found.map_or(Cow::Owned(Value::Null), Cow::Borrowed))
        }
        Cow::Owned(Value::Array(mut items)) => {
            let found = place(items.len()).and_then(|place| items.get_mut(place));
            Some(Cow::Owned(found.map_or(Value::Null, Value::take)))
        }
        Cow::Borrowed(Value::Null) | Cow::Owned(Value::Null) => Some(Cow::Owned(Value::Null)),
        Cow::Borrowed(_) | Cow::Owned(_) => None,
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Null => Some(0),
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(fields) => Some(fields.len()),
        Value::Bool(_) | Value::Number(_) => None,
    }
}

fn compare(left: &Value, right: &Value, op: Cmp) -> Option<bool> {
    let ordering = match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(left.as_i64()?.cmp(&right.as_i64()?)),
        // By code point, which is the order of UTF-8's bytes.
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => return None,
        // Of two kinds: never equal. Their order is jq's.
        _ => None,
    };
    match (op, ordering) {
        (Cmp::Eq, ordering) => Some(ordering == Some(Ordering::Equal)),
        (Cmp::Ne, ordering) => Some(ordering != Some(Ordering::Equal)),
        (Cmp::Lt, Some(ordering)) => Some(ordering.is_lt()),
        (Cmp::Le, Some(ordering)) => Some(ordering.is_le()),
        (Cmp::Gt, Some(ordering)) => Some(ordering.is_gt()),
        (Cmp::Ge, Some(ordering)) => Some(ordering.is_ge()),
        (Cmp::Lt | Cmp::Le | Cmp::Gt | Cmp::Ge, None) => None,
    }
}

fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

fn is_shallow(value: &Value, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => items.iter().all(|item| is_shallow(item, depth)),
        Value::Object(fields) => fields.values().all(|item| is_shallow(item, depth)),
    }
}
