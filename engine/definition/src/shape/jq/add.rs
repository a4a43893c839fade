//! `+`: numbers add, texts and arrays follow each other, objects merge, `null` is neutral.

use std::collections::BTreeMap;

use crate::shape::{ARRAY, BOOLEAN, Field, NULL, NUMBER, OBJECT, Rest, Shape, TEXT};

/// What `one + two` gives.
pub(in crate::shape) fn add(one: &Shape, two: &Shape) -> Shape {
    // Of what is secret inside an object or an array the parts below know where it goes.
    let secret = one.secret || two.secret;
    if one.is_any() && two.is_any() {
        return Shape::any().tainted(secret);
    }
    let mut sum = Shape::never();
    // `null + x` is `x`, whatever it is.
    if one.may_be_null() {
        sum = sum.join(two);
    }
    if two.may_be_null() {
        sum = sum.join(one);
    }
    // An unknown side that is not of the other's kind is an error, and gives nothing.
    if one.is_any() || two.is_any() {
        let known = if one.is_any() { two } else { one };
        if known.may_be_null() {
            return Shape::any().tainted(secret || known.holds_secret());
        }
        sum = kinds(known);
    }
    let has = |shape: &Shape, kind: u8| !shape.only(kind).is_never();
    let both = |kind: u8| has(one, kind) && has(two, kind);
    if both(NUMBER) {
        let whole = one.only(NUMBER).is_integer() && two.only(NUMBER).is_integer();
        sum = sum.join(&if whole { Shape::integer() } else { Shape::number() });
    }
    if both(TEXT) {
        let text = match (one.as_word(), two.as_word()) {
            (Some(one), Some(two)) => Shape::word(&format!("{one}{two}")),
            (Some(_) | None, _) => Shape::text(),
        };
        sum = sum.join(&text);
    }
    if both(ARRAY) {
        sum = sum.join(&concatenated(one, two));
    }
    if both(OBJECT) {
        sum = sum.join(&merged(one, two));
    }
    sum.tainted(secret)
}

/// What is left of a known side when the other can be `null`: the values it can be added with.
fn kinds(known: &Shape) -> Shape {
    // Objects and arrays are added to below, with what the unknown side may bring.
    known.only(NULL | BOOLEAN | NUMBER | TEXT)
}

fn concatenated(one: &Shape, two: &Shape) -> Shape {
    if let (Some((left, None)), Some((right, None))) = (one.items_of(), two.items_of()) {
        return Shape::tuple(left.iter().chain(right).cloned().collect());
    }
    Shape::list(one.item().join(&two.item()))
}

/// The right object's fields replace the left one's. An unknown side may also be `null`.
fn merged(one: &Shape, two: &Shape) -> Shape {
    let none = BTreeMap::new();
    let (left, left_rest) = one.fields().unwrap_or((&none, Rest::Open));
    let (right, right_rest) = two.fields().unwrap_or((&none, Rest::Open));
    let mut known = BTreeMap::new();
    for (name, field) in left {
        // What is not listed on the right may be there all the same.
        let shape = match right_rest {
            Rest::Closed => field.shape.clone(),
            Rest::Unnamed | Rest::Open if right.contains_key(name) => field.shape.clone(),
            Rest::Unnamed | Rest::Open => field.shape.join(&Shape::any()),
        };
        known.insert(name.clone(), Field { shape, required: field.required });
    }
    for (name, field) in right {
        let joined = match known.get(name) {
            _ if field.required => field.clone(),
            Some(own) => Field { shape: own.shape.join(&field.shape), required: own.required },
            None if left_rest == Rest::Closed => field.clone(),
            None => {
                Field { shape: Shape::any().tainted(field.shape.holds_secret()), required: false }
            }
        };
        known.insert(name.clone(), joined);
    }
    Shape::object(known, left_rest.max(right_rest))
}

/// What `one * two` gives for objects: fields that are objects on both sides are merged themselves.
pub(super) fn merged_deeply(one: &Shape, two: &Shape) -> Shape {
    let none = BTreeMap::new();
    let (left, left_rest) = one.fields().unwrap_or((&none, Rest::Open));
    let (right, right_rest) = two.fields().unwrap_or((&none, Rest::Open));
    let mut known: BTreeMap<String, Field> = BTreeMap::new();
    for (name, field) in left.iter().chain(right) {
        let before = known.get(name).map(|field| (field.shape.holds_secret(), field.required));
        let (secret, required) = before.unwrap_or_default();
        let shape = Shape::any().tainted(secret || field.shape.holds_secret());
        known.insert(name.clone(), Field { shape, required: required || field.required });
    }
    Shape::object(known, left_rest.max(right_rest)).tainted(one.secret || two.secret)
}
