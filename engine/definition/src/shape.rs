//! What is known of a JSON value before it exists: a small lattice of types.
//!
//! A shape stands for a set of values and never for too few: whatever is not understood is
//! [`Shape::any`]. So "surely absent" and "never equal" may be said of it, and a value that a
//! running instance meets is always inside. Shapes are kept small (named limits below): what grows
//! beyond them becomes unknown, so that hostile definitions cost nothing.
//!
//! Where to go next: `jq` gives the shape of an expression, `schema` that of a JSON Schema, and
//! `check` follows shapes through a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

pub(crate) mod fit;
mod join;
pub(crate) mod jq;
mod render;
pub(crate) mod schema;

/// Deepest shape; what lies deeper is unknown.
const DEPTH_MAX: u32 = 16;
/// Largest shape, counted in values of which something is said.
const WEIGHT_MAX: u32 = 1_500;
/// Most constants kept apart for one place.
pub(crate) const WORDS_MAX: usize = 16;
/// Most items of an array that are kept apart.
const FIXED_MAX: usize = 16;
/// Longest text that is kept as a constant, in bytes.
const WORD_BYTES_MAX: usize = 200;

/// A set of JSON values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shape {
    /// Every value: the rest says nothing then.
    any: bool,
    /// A secret's marker may be in it, at this very place.
    secret: bool,
    null: bool,
    truths: Truths,
    numbers: Numbers,
    texts: Texts,
    array: Option<Arc<Items>>,
    object: Option<Arc<Fields>>,
}

/// The booleans of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Truths {
    yes: bool,
    no: bool,
}

/// The numbers of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Numbers {
    #[default]
    None,
    These(BTreeSet<i64>),
    Integers,
    All,
}

/// The texts of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Texts {
    #[default]
    None,
    These(BTreeSet<String>),
    All,
}

/// The arrays of a shape: at least the fixed items, then any number of `more`.
#[derive(Debug, Clone, PartialEq)]
struct Items {
    fixed: Vec<Shape>,
    more: Option<Shape>,
    depth: u32,
    weight: u32,
    /// A secret's marker may be in some item, at any depth.
    secret: bool,
}

/// The objects of a shape.
#[derive(Debug, Clone, PartialEq)]
struct Fields {
    known: BTreeMap<String, Field>,
    rest: Rest,
    depth: u32,
    weight: u32,
    /// A secret's marker may be in some listed field, at any depth.
    secret: bool,
}

/// A field an object may have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) shape: Shape,
    /// It is surely there.
    pub(crate) required: bool,
}

/// The fields of an object that are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rest {
    /// There are none.
    Closed,
    /// There may be some, but whoever describes the object does not name them.
    Unnamed,
    /// There may be any.
    Open,
}

/// What reading a field of a shape gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is, or may be, there.
    Possible,
    /// No object of the shape has it.
    Absent,
    /// The description of the object does not name it.
    Unnamed,
}

impl Shape {
    /// No value at all: what an expression that always fails gives.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// Every value.
    #[must_use]
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    pub(crate) fn null() -> Self {
        Self { null: true, ..Self::default() }
    }

    pub(crate) fn boolean() -> Self {
        Self { truths: Truths { yes: true, no: true }, ..Self::default() }
    }

    pub(crate) fn truth(value: bool) -> Self {
        Self { truths: Truths { yes: value, no: !value }, ..Self::default() }
    }

    pub(crate) fn number() -> Self {
        Self { numbers: Numbers::All, ..Self::default() }
    }

    pub(crate) fn integer() -> Self {
        Self { numbers: Numbers::Integers, ..Self::default() }
    }

    pub(crate) fn int(value: i64) -> Self {
        Self { numbers: Numbers::These(BTreeSet::from([value])), ..Self::default() }
    }

    pub(crate) fn text() -> Self {
        Self { texts: Texts::All, ..Self::default() }
    }

    pub(crate) fn word(value: &str) -> Self {
        if value.len() > WORD_BYTES_MAX {
            return Self::text();
        }
        Self { texts: Texts::These(BTreeSet::from([value.to_owned()])), ..Self::default() }
    }

    /// An array of exactly these items.
    pub(crate) fn tuple(items: Vec<Self>) -> Self {
        Self::items(items, None)
    }

    /// An array of any length.
    pub(crate) fn list(item: Self) -> Self {
        Self::items(Vec::new(), Some(item))
    }

    fn items(mut fixed: Vec<Self>, mut more: Option<Self>) -> Self {
        if fixed.len() > FIXED_MAX {
            for item in fixed.split_off(FIXED_MAX) {
                more = Some(more.map_or_else(|| item.clone(), |more| more.join(&item)));
            }
        }
        let parts = || fixed.iter().chain(&more);
        let depth = 1 + parts().map(Self::depth).max().unwrap_or(0);
        let weight = 1 + parts().map(Self::weight).fold(0, u32::saturating_add);
        let secret = parts().any(Self::holds_secret);
        if depth > DEPTH_MAX || weight > WEIGHT_MAX {
            return Self::any().tainted(secret);
        }
        let items = Items { fixed, more, depth, weight, secret };
        Self { array: Some(Arc::new(items)), ..Self::default() }
    }

    /// An object with these fields, all of them present, and no others.
    pub(crate) fn record<N: Into<String>>(fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        let field = |(name, shape): (N, Self)| (name.into(), Field { shape, required: true });
        Self::object(fields.into_iter().map(field).collect(), Rest::Closed)
    }

    pub(crate) fn object(known: BTreeMap<String, Field>, rest: Rest) -> Self {
        let shapes = || known.values().map(|field| &field.shape);
        let depth = 1 + shapes().map(Self::depth).max().unwrap_or(0);
        let weight = 1 + shapes().map(Self::weight).fold(0, u32::saturating_add);
        let secret = shapes().any(Self::holds_secret);
        if depth > DEPTH_MAX || weight > WEIGHT_MAX {
            return Self::any().tainted(secret);
        }
        let fields = Fields { known, rest, depth, weight, secret };
        Self { object: Some(Arc::new(fields)), ..Self::default() }
    }

    /// An object of which nothing is known.
    pub(crate) fn any_object() -> Self {
        Self::object(BTreeMap::new(), Rest::Open)
    }

    /// The shape of one value.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::null(),
            Value::Bool(value) => Self::truth(*value),
            Value::Number(number) => number.as_i64().map_or_else(Self::number, Self::int),
            Value::String(text) => Self::word(text),
            Value::Array(items) => Self::tuple(items.iter().map(Self::of).collect()),
            Value::Object(fields) => {
                Self::record(fields.iter().map(|(name, value)| (name.clone(), Self::of(value))))
            }
        }
    }

    /// The same with the flag of a secret set when `secret` says so.
    pub(crate) fn tainted(mut self, secret: bool) -> Self {
        self.secret |= secret;
        self
    }

    /// Whether a secret's marker may be in it, at any depth.
    #[must_use]
    pub fn holds_secret(&self) -> bool {
        self.secret
            || self.array.as_ref().is_some_and(|items| items.secret)
            || self.object.as_ref().is_some_and(|object| object.secret)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.any
    }

    /// Whether there is no such value.
    #[must_use]
    pub fn is_never(&self) -> bool {
        !self.any && self.kinds() == 0
    }

    /// Whether it is `null` and nothing else.
    pub(crate) fn is_null(&self) -> bool {
        self.kinds() == NULL
    }

    pub(crate) fn may_be_null(&self) -> bool {
        self.any || self.null
    }

    pub(crate) fn may_be_object(&self) -> bool {
        self.any || self.object.is_some()
    }

    pub(crate) fn may_be_array(&self) -> bool {
        self.any || self.array.is_some()
    }

    pub(crate) fn may_be_text(&self) -> bool {
        self.any || self.texts != Texts::None
    }

    pub(crate) fn may_be_number(&self) -> bool {
        self.any || self.numbers != Numbers::None
    }

    /// Whether some value of it counts as true.
    pub(crate) fn may_hold(&self) -> bool {
        self.any || self.truths.yes || self.kinds() & !(NULL | BOOLEAN) != 0
    }

    /// Whether some value of it counts as false.
    pub(crate) fn may_fail(&self) -> bool {
        self.any || self.null || self.truths.no
    }

    /// The values that count as true.
    pub(crate) fn held(&self) -> Self {
        let truths = Truths { no: false, ..self.truths };
        Self { null: false, truths, ..self.clone() }
    }

    /// The only value, when it is a constant text.
    pub(crate) fn as_word(&self) -> Option<&str> {
        match &self.texts {
            Texts::These(words) if words.len() == 1 && self.kinds() == TEXT && !self.any => {
                words.first().map(String::as_str)
            }
            Texts::These(_) | Texts::None | Texts::All => None,
        }
    }

    /// The only value, when it is a constant whole number.
    pub(crate) fn as_int(&self) -> Option<i64> {
        match &self.numbers {
            Numbers::These(these) if these.len() == 1 && self.kinds() == NUMBER && !self.any => {
                these.first().copied()
            }
            Numbers::These(_) | Numbers::None | Numbers::Integers | Numbers::All => None,
        }
    }

    /// The only texts it can be, when it can be nothing else.
    pub(crate) fn words(&self) -> Option<&BTreeSet<String>> {
        match &self.texts {
            Texts::These(words) if !self.any => Some(words),
            Texts::These(_) | Texts::None | Texts::All => None,
        }
    }

    /// The listed fields, when it can be an object.
    pub(crate) fn fields(&self) -> Option<(&BTreeMap<String, Field>, Rest)> {
        self.object.as_ref().map(|object| (&object.known, object.rest))
    }

    /// Whether it is surely an object.
    pub(crate) fn is_object(&self) -> bool {
        !self.any && self.kinds() == OBJECT
    }

    /// Whether it is a whole number and nothing else.
    pub(crate) fn is_integer(&self) -> bool {
        !self.any
            && self.kinds() == NUMBER
            && matches!(self.numbers, Numbers::These(_) | Numbers::Integers)
    }

    /// Whether it is surely an array.
    pub(crate) fn is_array(&self) -> bool {
        !self.any && self.kinds() == ARRAY
    }

    /// Whether it is surely an array without items.
    pub(crate) fn is_empty_array(&self) -> bool {
        self.is_array()
            && self
                .array
                .as_ref()
                .is_some_and(|items| items.fixed.is_empty() && items.more.is_none())
    }

    /// What some item of the arrays can be.
    pub(crate) fn item(&self) -> Self {
        if self.any {
            return Self::any().tainted(self.secret);
        }
        let Some(items) = &self.array else { return Self::never() };
        items.fixed.iter().chain(&items.more).fold(Self::never(), |item, next| item.join(next))
    }

    /// The items that are surely there, and what may follow.
    pub(crate) fn items_of(&self) -> Option<(&[Self], Option<&Self>)> {
        self.array.as_ref().map(|items| (items.fixed.as_slice(), items.more.as_ref()))
    }

    /// Whether a listed field of the objects is, or may be, there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.as_ref().is_some_and(|object| object.known.contains_key(name))
    }

    /// Whether the field can be there.
    pub(crate) fn presence(&self, name: &str) -> Presence {
        match &self.object {
            _ if self.any => Presence::Possible,
            None => Presence::Absent,
            Some(object) if object.known.contains_key(name) => Presence::Possible,
            Some(object) => match object.rest {
                Rest::Closed => Presence::Absent,
                Rest::Unnamed => Presence::Unnamed,
                Rest::Open => Presence::Possible,
            },
        }
    }

    /// What `.name` gives. Only objects and `null` have an answer; others are errors.
    pub(crate) fn get(&self, name: &str) -> Self {
        if self.any {
            return Self::any().tainted(self.secret);
        }
        let absent = if self.null { Self::null() } else { Self::never() };
        let Some(object) = &self.object else { return absent.tainted(self.secret) };
        let found = match object.known.get(name) {
            Some(field) if field.required => field.shape.clone(),
            Some(field) => field.shape.join(&Self::null()),
            None if object.rest == Rest::Closed => Self::null(),
            None => Self::any(),
        };
        found.join(&absent).tainted(self.secret)
    }

    /// What `.[index]` gives on arrays.
    pub(crate) fn at(&self, index: i64) -> Self {
        if self.any {
            return Self::any().tainted(self.secret);
        }
        let absent = if self.null { Self::null() } else { Self::never() };
        let Some(items) = &self.array else { return absent.tainted(self.secret) };
        let place = match usize::try_from(index) {
            Ok(place) => Some(place),
            // From the end: exact only when the length is.
            Err(_) if items.more.is_none() => usize::try_from(index.unsigned_abs())
                .ok()
                .and_then(|back| items.fixed.len().checked_sub(back)),
            Err(_) => return self.item().join(&Self::null()).join(&absent),
        };
        let found = match (place.and_then(|place| items.fixed.get(place)), &items.more) {
            (Some(item), _) => item.clone(),
            (None, Some(more)) => more.join(&Self::null()),
            (None, None) => Self::null(),
        };
        found.join(&absent).tainted(self.secret)
    }

    /// The same with one field set.
    pub(crate) fn with(&self, name: &str, shape: Self) -> Self {
        let Some(object) = &self.object else { return self.clone() };
        let mut known = object.known.clone();
        known.insert(name.to_owned(), Field { shape, required: true });
        Self::object(known, object.rest)
    }

    /// The same with one field surely absent.
    pub(crate) fn without(&self, name: &str) -> Self {
        let Some(object) = &self.object else { return self.clone() };
        let mut known = object.known.clone();
        let was = known.remove(name).is_some();
        if object.rest != Rest::Closed {
            // That a field is absent can only be said of objects whose fields are all listed.
            return if was {
                Self { object: Self::object(known, Rest::Open).object, ..self.clone() }
            } else {
                self.clone()
            };
        }
        Self { object: Self::object(known, object.rest).object, ..self.clone() }
    }

    fn depth(&self) -> u32 {
        let array = self.array.as_ref().map_or(0, |items| items.depth);
        array.max(self.object.as_ref().map_or(0, |object| object.depth))
    }

    /// How much is said, for budgets.
    pub(crate) fn weight(&self) -> u32 {
        let array = self.array.as_ref().map_or(0, |items| items.weight);
        let object = self.object.as_ref().map_or(0, |object| object.weight);
        array.saturating_add(object).saturating_add(1)
    }

    fn kinds(&self) -> u8 {
        if self.any {
            return NULL | BOOLEAN | NUMBER | TEXT | ARRAY | OBJECT;
        }
        let flag = |is: bool, kind: u8| if is { kind } else { 0 };
        flag(self.null, NULL)
            | flag(self.truths != Truths::default(), BOOLEAN)
            | flag(self.numbers != Numbers::None, NUMBER)
            | flag(self.texts != Texts::None, TEXT)
            | flag(self.array.is_some(), ARRAY)
            | flag(self.object.is_some(), OBJECT)
    }

    /// Whether no value is in both.
    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        if self.any || other.any {
            return self.is_never() || other.is_never();
        }
        let shared = self.kinds() & other.kinds();
        if shared & (NULL | ARRAY | OBJECT) != 0 {
            return false;
        }
        let truths = (self.truths.yes && other.truths.yes) || (self.truths.no && other.truths.no);
        let numbers = match (&self.numbers, &other.numbers) {
            (Numbers::None, _) | (_, Numbers::None) => false,
            (Numbers::These(one), Numbers::These(two)) => !one.is_disjoint(two),
            (Numbers::These(_) | Numbers::Integers | Numbers::All, _) => true,
        };
        let texts = match (&self.texts, &other.texts) {
            (Texts::None, _) | (_, Texts::None) => false,
            (Texts::These(one), Texts::These(two)) => !one.is_disjoint(two),
            (Texts::These(_) | Texts::All, _) => true,
        };
        !(truths || numbers || texts)
    }

    /// Keeps only the values of these kinds, as jq's `strings`, `objects` and the like do.
    pub(crate) fn only(&self, kinds: u8) -> Self {
        if self.any {
            return Self::any_of(kinds).tainted(self.secret);
        }
        let has = |kind: u8| kinds & kind != 0;
        Self {
            any: false,
            secret: self.secret,
            null: self.null && has(NULL),
            truths: if has(BOOLEAN) { self.truths } else { Truths::default() },
            numbers: if has(NUMBER) { self.numbers.clone() } else { Numbers::None },
            texts: if has(TEXT) { self.texts.clone() } else { Texts::None },
            array: self.array.clone().filter(|_| has(ARRAY)),
            object: self.object.clone().filter(|_| has(OBJECT)),
        }
    }

    /// All values of these kinds.
    pub(crate) fn any_of(kinds: u8) -> Self {
        let has = |kind: u8| kinds & kind != 0;
        let array = has(ARRAY).then(|| Self::list(Self::any()).array).flatten();
        let object = has(OBJECT).then(|| Self::any_object().object).flatten();
        Self {
            any: false,
            secret: false,
            null: has(NULL),
            truths: Truths { yes: has(BOOLEAN), no: has(BOOLEAN) },
            numbers: if has(NUMBER) { Numbers::All } else { Numbers::None },
            texts: if has(TEXT) { Texts::All } else { Texts::None },
            array,
            object,
        }
    }
}

pub(crate) const NULL: u8 = 1;
pub(crate) const BOOLEAN: u8 = 2;
pub(crate) const NUMBER: u8 = 4;
pub(crate) const TEXT: u8 = 8;
pub(crate) const ARRAY: u8 = 16;
pub(crate) const OBJECT: u8 = 32;

#[cfg(test)]
mod tests;
