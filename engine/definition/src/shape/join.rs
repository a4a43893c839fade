//! Two shapes made one: joined where ways meet, widened where they go round.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Field, Fields, Items, Numbers, Rest, Shape, Texts, Truths, WORDS_MAX};

impl Shape {
    /// The values of either.
    pub(crate) fn join(&self, other: &Self) -> Self {
        let secret = self.secret || other.secret;
        if self.any || other.any {
            let held = self.holds_secret() || other.holds_secret();
            return Self::any().tainted(held);
        }
        let mut joined = Self {
            any: false,
            secret,
            null: self.null || other.null,
            truths: Truths {
                yes: self.truths.yes || other.truths.yes,
                no: self.truths.no || other.truths.no,
            },
            numbers: numbers(&self.numbers, &other.numbers),
            texts: texts(&self.texts, &other.texts),
            array: None,
            object: None,
        };
        for composed in [
            both(self.array.as_ref(), other.array.as_ref(), arrays),
            both(self.object.as_ref(), other.object.as_ref(), objects),
        ] {
            if composed.any {
                return composed.tainted(secret);
            }
            joined.array = joined.array.or(composed.array);
            joined.object = joined.object.or(composed.object);
        }
        joined
    }

    /// The values of either, and so many more that going round comes to an end: what a further
    /// round adds at a place makes that place unknown.
    pub(crate) fn widen(&self, next: &Self) -> Self {
        if self == next {
            return self.clone();
        }
        let (Some(one), Some(two)) = (&self.object, &next.object) else {
            return Self::any().tainted(self.holds_secret() || next.holds_secret());
        };
        let flat = |shape: &Self| Self { object: None, ..shape.clone() };
        if self.any || next.any || flat(self) != flat(next) || one.rest != two.rest {
            return Self::any().tainted(self.holds_secret() || next.holds_secret());
        }
        let mut rest = one.rest;
        let mut known = BTreeMap::new();
        for (name, field) in &one.known {
            let Some(other) = two.known.get(name) else {
                known.insert(name.clone(), Field { required: false, ..field.clone() });
                continue;
            };
            let shape = field.shape.widen(&other.shape);
            known.insert(name.clone(), Field { shape, required: field.required && other.required });
        }
        for (name, field) in &two.known {
            if !one.known.contains_key(name) {
                let shape = Self::any().tainted(field.shape.holds_secret());
                known.insert(name.clone(), Field { shape, required: false });
                // Names that keep coming would never end.
                rest = Rest::Open;
            }
        }
        let object = Self::object(known, rest);
        if object.any { object } else { Self { object: object.object, ..flat(self) } }
    }
}

/// Joins what both have; what only one has is the answer as it is.
fn both<T: PartialEq>(
    one: Option<&Arc<T>>,
    two: Option<&Arc<T>>,
    join: impl Fn(&T, &T) -> Shape,
) -> Shape
where
    Shape: From<Arc<T>>,
{
    match (one, two) {
        (None, None) => Shape::never(),
        (Some(only), None) | (None, Some(only)) => Shape::from(Arc::clone(only)),
        (Some(one), Some(two)) if Arc::ptr_eq(one, two) || one == two => {
            Shape::from(Arc::clone(one))
        }
        (Some(one), Some(two)) => join(one, two),
    }
}

impl From<Arc<Items>> for Shape {
    fn from(items: Arc<Items>) -> Self {
        Self { array: Some(items), ..Self::default() }
    }
}

impl From<Arc<Fields>> for Shape {
    fn from(fields: Arc<Fields>) -> Self {
        Self { object: Some(fields), ..Self::default() }
    }
}

fn numbers(one: &Numbers, two: &Numbers) -> Numbers {
    match (one, two) {
        (Numbers::None, other) | (other, Numbers::None) => other.clone(),
        (Numbers::These(one), Numbers::These(two)) => {
            let all: std::collections::BTreeSet<i64> = one.union(two).copied().collect();
            if all.len() > WORDS_MAX { Numbers::Integers } else { Numbers::These(all) }
        }
        (Numbers::All, Numbers::These(_) | Numbers::Integers | Numbers::All)
        | (Numbers::These(_) | Numbers::Integers, Numbers::All) => Numbers::All,
        (Numbers::Integers, Numbers::These(_) | Numbers::Integers)
        | (Numbers::These(_), Numbers::Integers) => Numbers::Integers,
    }
}

fn texts(one: &Texts, two: &Texts) -> Texts {
    match (one, two) {
        (Texts::None, other) | (other, Texts::None) => other.clone(),
        (Texts::These(one), Texts::These(two)) => {
            let all: std::collections::BTreeSet<String> = one.union(two).cloned().collect();
            if all.len() > WORDS_MAX { Texts::All } else { Texts::These(all) }
        }
        (Texts::All, Texts::These(_) | Texts::All) | (Texts::These(_), Texts::All) => Texts::All,
    }
}

fn arrays(one: &Items, two: &Items) -> Shape {
    let shared = one.fixed.len().min(two.fixed.len());
    let fixed = one.fixed.iter().zip(&two.fixed).map(|(one, two)| one.join(two)).collect();
    let longer = one.fixed.iter().skip(shared).chain(two.fixed.iter().skip(shared));
    let more = longer.chain(&one.more).chain(&two.more).fold(None, |more: Option<Shape>, next| {
        Some(more.map_or_else(|| next.clone(), |more| more.join(next)))
    });
    Shape::items(fixed, more)
}

fn objects(one: &Fields, two: &Fields) -> Shape {
    let mut known = BTreeMap::new();
    let mut side = |own: &Fields, other: &Fields| {
        for (name, field) in &own.known {
            let joined = match other.known.get(name) {
                Some(_) if known.contains_key(name) => continue,
                Some(found) => Field {
                    shape: field.shape.join(&found.shape),
                    required: field.required && found.required,
                },
                None if other.rest == Rest::Closed => Field { required: false, ..field.clone() },
                // The other side may have it too, with any value.
                None => Field { shape: field.shape.join(&Shape::any()), required: false },
            };
            known.insert(name.clone(), joined);
        }
    };
    side(one, two);
    side(two, one);
    Shape::object(known, one.rest.max(two.rest))
}
