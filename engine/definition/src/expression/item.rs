//! A value inside an evaluation, with jq's arithmetic, paths and assignment.
//!
//! jaq's own value differs from jq's in what authors meet daily: assignment through a missing
//! parent, division by zero, keys that are not text. So it is wrapped: this module says what
//! operators and paths mean, jaq says in which order they run. Messages follow jq's.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the types of jq are closed, and what no rule names is one error for all of them"
)]

use std::cell::Cell;
use std::fmt;

use jaq_core::box_iter::box_once;
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Error, ValR, ValT, ValX};
use jaq_json::{Map, Num, Rc, Val};

use super::meter::{self, Limit};
use super::text;
use super::value::kind;

/// A value as jq sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item(pub(super) Val);

/// An error with a message.
pub(super) fn fail(message: impl fmt::Display) -> Error<Item> {
    Error::new(Item(Val::utf8_str(message.to_string())))
}

fn operands(left: &Val, right: &Val, what: &str) -> Error<Item> {
    fail(format_args!("{} and {} {what}", text::shown(left), text::shown(right)))
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::json(&self.0))
    }
}

impl From<bool> for Item {
    fn from(value: bool) -> Self {
        Self(Val::Bool(value))
    }
}

impl From<isize> for Item {
    fn from(value: isize) -> Self {
        Self(Val::from(value))
    }
}

impl From<usize> for Item {
    fn from(value: usize) -> Self {
        Self(Val::from(value))
    }
}

impl From<f64> for Item {
    fn from(value: f64) -> Self {
        Self(Val::from(value))
    }
}

impl From<String> for Item {
    fn from(value: String) -> Self {
        Self(Val::utf8_str(value))
    }
}

impl From<Range<Self>> for Item {
    /// A slice as a path has it: both ends are there, as in jq.
    fn from(range: Range<Self>) -> Self {
        let end = |end: Option<Self>| end.map_or(Val::Null, |end| end.0);
        let fields = [("start", end(range.start)), ("end", end(range.end))];
        let fields = fields.into_iter().map(|(key, value)| (Val::utf8_str(key), value));
        Self(Val::obj(fields.collect()))
    }
}

impl FromIterator<Self> for Item {
    fn from_iter<T: IntoIterator<Item = Self>>(items: T) -> Self {
        Self(items.into_iter().map(|item| item.0).collect())
    }
}

impl std::ops::Add for Item {
    type Output = ValR<Self>;

    fn add(self, right: Self) -> ValR<Self> {
        match (self.0, right.0) {
            (Val::Null, value) | (value, Val::Null) => Ok(Self(value)),
            (left, right)
                if std::mem::discriminant(&left) == std::mem::discriminant(&right)
                    && !matches!(left, Val::Bool(_)) =>
            {
                pay_for_sum(&left, &right)?;
                (left + right).map(Self).map_err(fail)
            }
            (left, right) => Err(operands(&left, &right, "cannot be added")),
        }
    }
}

/// What is added is copied. What it is added to is copied too when something else holds it.
fn pay_for_sum(left: &Val, right: &Val) -> Result<(), Limit> {
    match (left, right) {
        (Val::TStr(left), Val::TStr(right)) => {
            meter::pass(left.len())?;
            meter::text(right.len())
        }
        (Val::Arr(left), Val::Arr(right)) => {
            pay_for_copy(left, left.len())?;
            meter::list(right.len())
        }
        (Val::Obj(left), Val::Obj(right)) => {
            pay_for_copy(left, left.len())?;
            meter::list(right.len())
        }
        _ => Ok(()),
    }
}

/// A change makes a copy of what something else holds too.
fn pay_for_copy<T>(shared: &Rc<T>, parts: usize) -> Result<(), Limit> {
    if Rc::strong_count(shared) > 1 { meter::copy(parts) } else { Ok(()) }
}

impl std::ops::Sub for Item {
    type Output = ValR<Self>;

    fn sub(self, right: Self) -> ValR<Self> {
        match (self.0, right.0) {
            (left @ Val::Num(_), right @ Val::Num(_)) => (left - right).map(Self).map_err(fail),
            (left @ Val::Arr(_), right @ Val::Arr(_)) => {
                meter::weigh(&left)?;
                meter::weigh(&right)?;
                (left - right).map(Self).map_err(fail)
            }
            (left, right) => Err(operands(&left, &right, "cannot be subtracted")),
        }
    }
}

impl std::ops::Mul for Item {
    type Output = ValR<Self>;

    fn mul(self, right: Self) -> ValR<Self> {
        match (self.0, right.0) {
            (left @ Val::Num(_), right @ Val::Num(_))
            | (left @ Val::Obj(_), right @ Val::Obj(_)) => (left * right).map(Self).map_err(fail),
            (Val::TStr(part), Val::Num(times)) | (Val::Num(times), Val::TStr(part)) => {
                Ok(Self(match times_of(&times) {
                    Some(times) => Val::utf8_str(part.repeat(times)),
                    None => Val::Null,
                }))
            }
            (left, right) => Err(operands(&left, &right, "cannot be multiplied")),
        }
    }
}

/// How often a text is repeated: `None` stands for the `null` that jq gives for negative counts.
pub(super) fn times_of(times: &Num) -> Option<usize> {
    let times = float(times);
    if times.is_nan() || times < 0.0 {
        return None;
    }
    // Whole repetitions only; the size was checked before.
    Some(saturating(times.trunc()).max(0).unsigned_abs())
}

impl std::ops::Div for Item {
    type Output = ValR<Self>;

    fn div(self, right: Self) -> ValR<Self> {
        match (self.0, right.0) {
            (left @ Val::Num(_), right @ Val::Num(_)) => {
                if is_zero(&right) {
                    let what = "cannot be divided because the divisor is zero";
                    return Err(operands(&left, &right, what));
                }
                if let (Val::Num(Num::Int(left)), Val::Num(Num::Int(right))) = (&left, &right)
                    && left.checked_rem(*right) == Some(0)
                    && let Some(quotient) = left.checked_div(*right)
                {
                    return Ok(Self::from(quotient));
                }
                (left / right).map(Self).map_err(fail)
            }
            (Val::TStr(text), Val::TStr(by)) => Ok(Self(split(&text, &by)?)),
            (left, right) => Err(operands(&left, &right, "cannot be divided")),
        }
    }
}

/// The parts of a text between separators; its characters, when the separator is empty.
fn split(text: &[u8], by: &[u8]) -> Result<Val, Limit> {
    /// Each piece is a value of its own, far larger than a short text.
    const FUEL_PER_PIECE: u64 = 1;
    meter::text(text.len())?;
    let (text, by) = (String::from_utf8_lossy(text), String::from_utf8_lossy(by));
    let mut pieces = Vec::new();
    let mut add = |piece: &str| {
        if meter::too_many(pieces.len() + 1) {
            return Err(meter::end(Limit::Size));
        }
        pieces.push(Val::utf8_str(piece.to_owned()));
        meter::spend(FUEL_PER_PIECE)
    };
    if by.is_empty() {
        text.chars().try_for_each(|char| add(char.encode_utf8(&mut [0; 4])))?;
    } else if !text.is_empty() {
        text.split(by.as_ref()).try_for_each(add)?;
    }
    Ok(pieces.into_iter().collect())
}

impl std::ops::Rem for Item {
    type Output = ValR<Self>;

    /// On integers: both sides lose their fractions first, and the sign is the left side's.
    fn rem(self, right: Self) -> ValR<Self> {
        let (Val::Num(x), Val::Num(y)) = (&self.0, &right.0) else {
            return Err(operands(&self.0, &right.0, "cannot be divided"));
        };
        if float(x).is_nan() || float(y).is_nan() {
            return Ok(Self::from(f64::NAN));
        }
        match integer(x).checked_rem(integer(y)) {
            Some(rest) => Ok(Self::from(rest)),
            None if integer(y) == 0 => {
                let what = "cannot be divided (remainder) because the divisor is zero";
                Err(operands(&self.0, &right.0, what))
            }
            // Only `MIN % -1` is left.
            None => Ok(Self::from(0_isize)),
        }
    }
}

impl std::ops::Neg for Item {
    type Output = ValR<Self>;

    fn neg(self) -> ValR<Self> {
        match self.0 {
            value @ Val::Num(_) => (-value).map(Self).map_err(fail),
            value => Err(fail(format_args!("{} cannot be negated", text::shown(&value)))),
        }
    }
}

fn is_zero(value: &Val) -> bool {
    matches!(value, Val::Num(number) if float(number).abs() <= 0.0)
}

/// A number as a double.
pub(super) fn float(number: &Num) -> f64 {
    jaq_std::ValT::as_f64(&Val::Num(number.clone())).unwrap_or(f64::NAN)
}

/// The integer part, at the ends of what fits.
pub(super) fn integer(number: &Num) -> isize {
    number.as_isize().unwrap_or_else(|| saturating(float(number).trunc()))
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is wanted")]
fn saturating(number: f64) -> isize {
    number as isize
}

/// The position an index means in an array: `Err` is past the end, `None` before the beginning.
fn position(index: &Num, length: usize) -> Option<Result<usize, usize>> {
    let index = match index.as_isize() {
        Some(index) => index,
        None => saturating(float(index).trunc()),
    };
    let index = match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => length.checked_sub(index.unsigned_abs())?,
    };
    Some(if index < length { Ok(index) } else { Err(index) })
}

/// The ends of a slice of something of this length.
fn bounds(range: &Range<&Val>, length: usize) -> Result<std::ops::Range<usize>, Error<Item>> {
    let end = |end: Option<&Val>, otherwise: usize, round: fn(f64) -> f64| match end {
        None | Some(Val::Null) => Ok(otherwise),
        Some(Val::Num(number)) => {
            let number = number.as_isize().unwrap_or_else(|| saturating(round(float(number))));
            Ok(match usize::try_from(number) {
                Ok(number) => number.min(length),
                Err(_) => length.saturating_sub(number.unsigned_abs()),
            })
        }
        Some(_) => Err(fail("Start and end indices of an array slice must be numbers")),
    };
    let start = end(range.start, 0, f64::floor)?;
    let end = end(range.end, length, f64::ceil)?;
    Ok(start..end.max(start))
}

/// The slice an object stands for as an index, as paths have it.
fn slice_of(index: &Map) -> Range<&Val> {
    index.get(&Val::utf8_str("start"))..index.get(&Val::utf8_str("end"))
}

fn slice(value: &Val, range: &Range<&Val>) -> Result<Val, Error<Item>> {
    match value {
        Val::Null => Ok(Val::Null),
        Val::Arr(items) => {
            let bounds = bounds(range, items.len())?;
            meter::list(bounds.len())?;
            Ok(items.get(bounds).unwrap_or_default().iter().cloned().collect())
        }
        Val::TStr(bytes) => {
            meter::text(bytes.len())?;
            let text = String::from_utf8_lossy(bytes);
            // Places are of characters, which in most texts are bytes.
            let plain = text.is_ascii();
            if !plain {
                meter::text(bytes.len())?;
            }
            let length = if plain { text.len() } else { text.chars().count() };
            let bounds = bounds(range, length)?;
            let byte = |at: usize| {
                if plain {
                    return at;
                }
                text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte)
            };
            let part = text.get(byte(bounds.start)..byte(bounds.end)).unwrap_or_default();
            Ok(Val::utf8_str(part.to_owned()))
        }
        Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::Obj(_) => {
            Err(fail(format_args!("Cannot index {} with object", text::name(value))))
        }
    }
}

/// The places where `part` begins in `items`.
pub(super) fn occurrences(items: &[Val], part: &[Val]) -> Result<Val, Error<Item>> {
    const COMPARED_PER_FUEL: u64 = 16;
    if part.is_empty() {
        return Ok(Val::Null);
    }
    let weight = part.iter().map(meter::weight).fold(0, u64::saturating_add);
    let compared = weight.saturating_mul(meter::wide(items.len()));
    meter::spend(compared / COMPARED_PER_FUEL)?;
    let windows = items.windows(part.len()).enumerate();
    Ok(windows.filter(|(_, window)| *window == part).map(|(at, _)| Val::from(at)).collect())
}

fn cannot_index(value: &Val, index: &Val) -> Error<Item> {
    fail(format_args!("Cannot index {} with {}", text::name(value), text::shown(index)))
}

/// `value[index]`
pub(super) fn index(value: &Val, index: &Val) -> Result<Val, Error<Item>> {
    match (value, index) {
        (Val::Null, Val::Null | Val::Num(_) | Val::TStr(_) | Val::Obj(_)) => Ok(Val::Null),
        (Val::Obj(fields), Val::TStr(key)) => {
            meter::pass(key.len())?;
            Ok(fields.get(index).cloned().unwrap_or_default())
        }
        (Val::Arr(items), Val::Num(number)) => {
            if float(number).is_nan() {
                return Ok(Val::Null);
            }
            let found = position(number, items.len()).and_then(Result::ok);
            Ok(found.and_then(|at| items.get(at)).cloned().unwrap_or_default())
        }
        (Val::Arr(_) | Val::TStr(_), Val::Obj(ends)) => slice(value, &slice_of(ends)),
        (Val::Arr(items), Val::Arr(part)) => occurrences(items, part),
        _ => Err(cannot_index(value, index)),
    }
}

/// What an update does where the path cannot go: an error, unless the path ends in `?`.
fn cannot<'a>(opt: Opt, value: Val, error: Error<Item>) -> ValX<'a, Item> {
    match opt {
        Opt::Optional => Ok(Item(value)),
        Opt::Essential => Err(error.into()),
    }
}

impl ValT for Item {
    fn from_num(number: &str) -> ValR<Self> {
        Val::from_num(number).map(Self).map_err(fail)
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(fields: I) -> ValR<Self> {
        let field = |(key, value): (Self, Self)| match key.0 {
            key @ Val::TStr(_) => Ok((key, value.0)),
            key => {
                Err(fail(format_args!("Object keys must be strings, not {}", text::shown(&key))))
            }
        };
        Ok(Self(Val::obj(fields.into_iter().map(field).collect::<Result<Map, _>>()?)))
    }

    fn key_values(self) -> Box<dyn Iterator<Item = Result<(Self, Self), Error<Self>>>> {
        match self.0 {
            Val::Arr(items) => Box::new((0..items.len()).map(move |at| {
                Ok((Self::from(at), Self(items.get(at).cloned().unwrap_or_default())))
            })),
            Val::Obj(fields) => Box::new((0..fields.len()).filter_map(move |at| {
                let (key, value) = fields.get_index(at)?;
                Some(Ok((Self(key.clone()), Self(value.clone()))))
            })),
            value => box_once(Err(cannot_iterate(&value))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        match self.0 {
            Val::Arr(items) => Box::new(
                (0..items.len())
                    .map(move |at| Ok(Self(items.get(at).cloned().unwrap_or_default()))),
            ),
            Val::Obj(fields) => Box::new((0..fields.len()).filter_map(move |at| {
                fields.get_index(at).map(|(_, value)| Ok(Self(value.clone())))
            })),
            value => box_once(Err(cannot_iterate(&value))),
        }
    }

    fn index(self, key: &Self) -> ValR<Self> {
        index(&self.0, &key.0).map(Self)
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        slice(&self.0, &(range.start.map(|item| &item.0)..range.end.map(|item| &item.0))).map(Self)
    }

    /// Each value becomes the first output; none removes it.
    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self.0 {
            Val::Arr(items) => {
                let items = Rc::unwrap_or_clone(items).into_iter();
                items.filter_map(|item| f(Self(item)).next()).collect()
            }
            Val::Obj(fields) => {
                let fields = Rc::unwrap_or_clone(fields).into_iter().filter_map(|(key, value)| {
                    f(Self(value)).next().map(|value| Ok((key, value?.0)))
                });
                Ok(Self(Val::obj(fields.collect::<Result<Map, jaq_core::Exn<'_, Self>>>()?)))
            }
            value => {
                let error = cannot_iterate(&value);
                cannot(opt, value, error)
            }
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (self.0, &index.0) {
            (Val::Null, Val::TStr(_)) => map_field(Rc::default(), &index.0, f),
            (Val::Obj(fields), Val::TStr(_)) => map_field(fields, &index.0, f),
            (Val::Null, Val::Num(number)) => map_at(Rc::default(), number, f),
            (Val::Arr(items), Val::Num(number)) => map_at(items, number, f),
            (value @ (Val::Null | Val::Arr(_)), Val::Obj(ends)) => {
                map_slice(value, &slice_of(ends), opt, f)
            }
            (value, index) => {
                let error = cannot_index(&value, index);
                cannot(opt, value, error)
            }
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let range = range.start.map(|item| &item.0)..range.end.map(|item| &item.0);
        map_slice(self.0, &range, opt, f)
    }

    fn as_bool(&self) -> bool {
        !matches!(self.0, Val::Null | Val::Bool(false))
    }

    fn into_string(self) -> Self {
        match self.0 {
            text @ (Val::TStr(_) | Val::BStr(_)) => Self(text),
            value => Self::from(text::json(&value)),
        }
    }
}

fn cannot_iterate(value: &Val) -> Error<Item> {
    fail(format_args!("Cannot iterate over {}", text::shown(value)))
}

/// Updates a field, which need not exist yet.
fn map_field<'a, I: Iterator<Item = ValX<'a, Item>>>(
    mut fields: Rc<Map>,
    key: &Val,
    f: impl Fn(Item) -> I,
) -> ValX<'a, Item> {
    if let Val::TStr(key) = key {
        meter::pass(key.len())?;
    }
    pay_for_copy(&fields, fields.len())?;
    let all = Rc::make_mut(&mut fields);
    // Taken out, so that what is built on the old value need not copy it.
    let old = all.get_mut(key).map(std::mem::take);
    let existed = old.is_some();
    match f(Item(old.unwrap_or_default())).next().transpose()? {
        Some(new) => drop(all.insert(key.clone(), new.0)),
        None if existed => {
            let place = all.get_index_of(key).unwrap_or_default();
            // An entry is a key, a value and where it is found.
            meter::shift((all.len() - place).saturating_mul(4))?;
            drop(all.shift_remove(key));
        }
        None => {}
    }
    Ok(Item(Val::Obj(fields)))
}

/// Updates an item, which need not exist yet: what lies between is filled with nulls.
fn map_at<'a, I: Iterator<Item = ValX<'a, Item>>>(
    mut items: Rc<Vec<Val>>,
    index: &Num,
    f: impl Fn(Item) -> I,
) -> ValX<'a, Item> {
    if float(index).is_nan() {
        return Err(fail("Cannot set array element at NaN index").into());
    }
    pay_for_copy(&items, items.len())?;
    let all = Rc::make_mut(&mut items);
    let at = match position(index, all.len()) {
        None => return Err(fail("Out of bounds negative array index").into()),
        Some(Ok(at) | Err(at)) => at,
    };
    let old = all.get_mut(at).map(std::mem::take).unwrap_or_default();
    match f(Item(old)).next().transpose()? {
        Some(new) => {
            if at >= all.len() {
                if meter::too_many(at) {
                    return Err(fail("Array index too large").into());
                }
                meter::list(at - all.len())?;
                all.resize(at + 1, Val::Null);
            }
            if let Some(place) = all.get_mut(at) {
                *place = new.0;
            }
        }
        None if at < all.len() => {
            meter::shift(all.len() - at)?;
            drop(all.remove(at));
        }
        None => {}
    }
    Ok(Item(Val::Arr(items)))
}

fn map_slice<'a, I: Iterator<Item = ValX<'a, Item>>>(
    value: Val,
    range: &Range<&Val>,
    opt: Opt,
    f: impl Fn(Item) -> I,
) -> ValX<'a, Item> {
    let (mut items, old) = match value {
        Val::Null => (Rc::default(), Val::Null),
        Val::Arr(items) => {
            let old = slice(&Val::Arr(Rc::clone(&items)), range);
            match old {
                Ok(old) => (items, old),
                Err(error) => return cannot(opt, Val::Arr(items), error),
            }
        }
        value => {
            let error = fail(format_args!("Cannot update a slice of {}", text::shown(&value)));
            return cannot(opt, value, error);
        }
    };
    let bounds = bounds(range, items.len())?;
    let new = match f(Item(old)).next().transpose()?.map(|new| new.0) {
        Some(Val::Arr(new)) => new,
        Some(_) => {
            return Err(fail("A slice of an array can only be assigned another array").into());
        }
        None => Rc::default(),
    };
    pay_for_copy(&items, items.len())?;
    meter::shift(items.len() - bounds.start.min(items.len()))?;
    meter::list(new.len())?;
    if meter::too_many(items.len() + new.len() - bounds.len()) {
        return Err(meter::end(Limit::Size).into());
    }
    drop(Rc::make_mut(&mut items).splice(bounds, new.iter().cloned()));
    Ok(Item(Val::Arr(items)))
}

/// Removes the places of paths; those that do not exist are left alone.
pub(super) fn delete_paths(value: Val, paths: &[Val]) -> Result<Val, Error<Item>> {
    let mut paths: Vec<&[Val]> = paths
        .iter()
        .map(|path| match path {
            Val::Arr(path) => Ok(path.as_slice()),
            other => {
                Err(fail(format_args!("Path must be specified as an array, not {}", kind(other))))
            }
        })
        .collect::<Result<_, _>>()?;
    // From the end, so that no deletion moves what a later one names.
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().rev().try_fold(value, delete)
}

fn delete(value: Val, path: &[Val]) -> Result<Val, Error<Item>> {
    let Some((first, rest)) = path.split_first() else { return Ok(Val::Null) };
    if matches!(value, Val::Null) {
        return Ok(value);
    }
    let old = index(&value, first)?;
    if !rest.is_empty() && matches!(old, Val::Null) {
        return Ok(value);
    }
    // Held here, it would be copied by the deletion in it.
    drop(old);
    let missing = match (&value, first) {
        (Val::Obj(fields), key) => !fields.contains_key(key),
        (Val::Arr(items), Val::Num(number)) => {
            !matches!(position(number, items.len()), Some(Ok(_)))
        }
        (Val::Arr(_), Val::Obj(_)) => false,
        (value, key) => {
            return Err(fail(format_args!(
                "Cannot delete field at {} index of {}",
                text::name(key),
                text::name(value)
            )));
        }
    };
    if missing {
        return Ok(value);
    }
    let error = Cell::new(None);
    let updated = Item(value).map_index(&Item(first.clone()), Opt::Essential, |old| {
        let new = if rest.is_empty() { Ok(None) } else { delete(old.0, rest).map(Some) };
        match new {
            Ok(new) => new.map(|new| Ok(Item(new))).into_iter(),
            Err(failed) => {
                error.set(Some(failed));
                None.into_iter()
            }
        }
    });
    match (error.take(), updated) {
        (Some(error), _) => Err(error),
        (None, updated) => {
            let updated = updated.map_err(|exception| {
                exception.get_err().unwrap_or_else(|_| fail("the deletion was stopped"))
            });
            updated.map(|updated| updated.0)
        }
    }
}

impl jaq_std::ValT for Item {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self.0 {
            Val::Arr(items) => Ok(Rc::unwrap_or_clone(items).into_iter().map(Self).collect()),
            value => Err(Self(value)),
        }
    }

    fn is_int(&self) -> bool {
        jaq_std::ValT::is_int(&self.0)
    }

    fn as_isize(&self) -> Option<isize> {
        jaq_std::ValT::as_isize(&self.0)
    }

    fn as_f64(&self) -> Option<f64> {
        jaq_std::ValT::as_f64(&self.0)
    }

    fn is_utf8_str(&self) -> bool {
        jaq_std::ValT::is_utf8_str(&self.0)
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        jaq_std::ValT::as_bytes(&self.0)
    }

    fn as_sub_str(&self, sub: &[u8]) -> Self {
        Self(jaq_std::ValT::as_sub_str(&self.0, sub))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self(jaq_std::ValT::from_utf8_bytes(bytes))
    }
}
