//! A shape in the words of an author: `{customer: text, seats?: integer}`.

use std::fmt;

use super::{Field, Fields, Items, Numbers, Rest, Shape, Texts};

/// Constants shown one by one before they are only called text or integer.
const SHOWN_MAX: usize = 5;
/// Longest constant text that is shown, in characters.
const WORD_SHOWN_MAX: usize = 32;

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.any {
            return f.write_str(if self.secret { "anything (with a secret)" } else { "anything" });
        }
        let mut ways: Vec<String> = Vec::new();
        if let Some(object) = &self.object {
            ways.push(self::object(object));
        }
        if let Some(items) = &self.array {
            ways.push(array(items));
        }
        texts(&self.texts, self.secret, &mut ways);
        numbers(&self.numbers, &mut ways);
        match (self.truths.yes, self.truths.no) {
            (true, true) => ways.push("boolean".to_owned()),
            (true, false) => ways.push("true".to_owned()),
            (false, true) => ways.push("false".to_owned()),
            (false, false) => {}
        }
        if self.null {
            ways.push("null".to_owned());
        }
        if ways.is_empty() {
            ways.push("nothing".to_owned());
        }
        f.write_str(&ways.join(" | "))
    }
}

impl Shape {
    /// How an object differs from an earlier one, as an author would write it:
    /// `$context + {order: {number: text}}`; `None` when there is no shorter way to say it.
    #[must_use]
    pub fn changes(&self, before: &Self, name: &str) -> Option<String> {
        let (after, old) = (self.object.as_ref()?, before.object.as_ref()?);
        if !self.is_object() || !before.is_object() || after.rest != old.rest {
            return None;
        }
        let kept = |name: &String| after.known.contains_key(name);
        if old.known.is_empty() || !old.known.keys().all(kept) {
            return None;
        }
        let new: Vec<String> = after
            .known
            .iter()
            .filter(|(name, field)| old.known.get(*name) != Some(field))
            .map(|(name, field)| entry(name, field))
            .collect();
        Some(format!("{name} + {{{}}}", new.join(", ")))
    }
}

fn texts(texts: &Texts, secret: bool, ways: &mut Vec<String>) {
    match texts {
        Texts::None => {}
        Texts::All | Texts::These(_) if secret => ways.push("secret".to_owned()),
        Texts::These(words)
            if words.len() <= SHOWN_MAX
                && words.iter().all(|word| word.chars().count() <= WORD_SHOWN_MAX) =>
        {
            ways.extend(words.iter().map(|word| format!("{word:?}")));
        }
        Texts::These(_) | Texts::All => ways.push("text".to_owned()),
    }
}

fn numbers(numbers: &Numbers, ways: &mut Vec<String>) {
    match numbers {
        Numbers::None => {}
        Numbers::These(these) if these.len() <= SHOWN_MAX => {
            ways.extend(these.iter().map(i64::to_string));
        }
        Numbers::These(_) | Numbers::Integers => ways.push("integer".to_owned()),
        Numbers::All => ways.push("number".to_owned()),
    }
}

fn array(items: &Items) -> String {
    let mut shown: Vec<String> = items.fixed.iter().map(Shape::to_string).collect();
    if let Some(more) = &items.more {
        if shown.is_empty() {
            return if more.any { "[...]".to_owned() } else { format!("[{more}, ...]") };
        }
        shown.push(format!("{more}, ..."));
    }
    format!("[{}]", shown.join(", "))
}

fn object(object: &Fields) -> String {
    let mut shown: Vec<String> =
        object.known.iter().map(|(name, field)| entry(name, field)).collect();
    if object.rest != Rest::Closed {
        shown.push("...".to_owned());
    }
    format!("{{{}}}", shown.join(", "))
}

fn entry(name: &str, field: &Field) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty();
    let name = if plain { name.to_owned() } else { format!("{name:?}") };
    format!("{name}{}: {}", if field.required { "" } else { "?" }, field.shape)
}
