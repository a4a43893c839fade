//! Whether a shape surely does not fit another: no value of it would be admitted.

use super::{Presence, Rest, Shape};

/// Why no value of a shape fits, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// JSON pointer into the value.
    pub(crate) pointer: String,
    /// What is wrong, in words for the author.
    pub(crate) message: String,
    /// It speaks of a key that is missing or too much, and not of the value at the pointer.
    pub(crate) of_keys: bool,
}

/// The first reason why no value of `found` is one of `wanted`; `None` when one may be.
pub(crate) fn misfit(found: &Shape, wanted: &Shape) -> Option<Misfit> {
    below(found, wanted, "")
}

fn below(found: &Shape, wanted: &Shape, pointer: &str) -> Option<Misfit> {
    if found.is_any() || wanted.is_any() || found.is_never() {
        return None;
    }
    let misfit = |message: String, of_keys: bool| {
        Some(Misfit { pointer: pointer.to_owned(), message, of_keys })
    };
    if found.is_disjoint(wanted) {
        return misfit(format!("this is {found}, and {wanted} is wanted"), false);
    }
    if found.is_object()
        && let (Some((own, own_rest)), Some((fields, rest))) = (found.fields(), wanted.fields())
    {
        for (name, field) in fields.iter().filter(|(_, field)| field.required) {
            if found.presence(name) == Presence::Absent {
                return misfit(format!("`{name}` is missing; it is {}", field.shape), true);
            }
        }
        for (name, field) in own.iter().filter(|(_, field)| field.required) {
            match fields.get(name) {
                Some(wanted) => {
                    let place = crate::read::child(pointer, name);
                    if let Some(found) = below(&field.shape, &wanted.shape, &place) {
                        return Some(found);
                    }
                }
                None if rest == Rest::Closed => {
                    let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                    let near = crate::diagnostic::did_you_mean(name, known);
                    let near = near.map_or_else(String::new, |near| format!("; {near}"));
                    return misfit(format!("there is no field `{name}`{near}"), true);
                }
                None => {}
            }
        }
        // What else an open object holds cannot be told.
        let _: Rest = own_rest;
    }
    if found.is_array()
        && let (Some((items, _)), Some((fixed, more))) = (found.items_of(), wanted.items_of())
        && fixed.is_empty()
        && let Some(more) = more
    {
        for (index, item) in items.iter().enumerate() {
            if let Some(found) = below(item, more, &format!("{pointer}/{index}")) {
                return Some(found);
            }
        }
    }
    None
}
