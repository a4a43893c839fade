//! Gateway and network codes to the classes a dunning process decides by. The table is data
//! (`data/declines.json`); a code nobody knows is `soft`.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use tenure_adapter::{DeclineClass, Outcome};

static CLASSES: LazyLock<HashMap<String, DeclineClass>> = LazyLock::new(|| {
    let table: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("../data/declines.json"))
            .expect("the embedded decline table is checked by a test");
    table
        .into_iter()
        .flat_map(|(class, codes)| {
            let class: DeclineClass = serde_json::from_value(class.into())
                .expect("the embedded decline table is checked by a test");
            codes.into_iter().map(move |code| (code.to_lowercase(), class))
        })
        .collect()
});

/// The class of a code; letter case does not matter.
#[must_use]
pub fn class(code: &str) -> DeclineClass {
    CLASSES.get(&code.to_lowercase()).copied().unwrap_or(DeclineClass::Soft)
}

/// The first word of a gateway's sentence that is a code of the table. Only codes written as
/// words count: a bare number in a sentence may be anything.
#[must_use]
pub fn code_in(sentence: &str) -> Option<&str> {
    sentence
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .find(|word| word.contains('_') && CLASSES.contains_key(&word.to_lowercase()))
}

/// The outcome of a decline. A technical failure of the gateway is a decline too: the vendor
/// proves that no money moved, and the definition decides what follows.
pub(crate) fn outcome(code: &str, detail: &str) -> Outcome {
    Outcome::Declined { class: class(code), code: code.to_owned(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: DeclineClass) {
        assert_eq!(class(code), expected, "{code}");
    }

    #[test]
    fn codes_have_their_class() {
        check("stolen_card", DeclineClass::Hard);
        check("R1", DeclineClass::Hard);
        check("r1", DeclineClass::Hard);
        check("expired_card", DeclineClass::NeedsCustomer);
        check("54", DeclineClass::NeedsCustomer);
        check("insufficient_funds", DeclineClass::Soft);
        check("gateway_timeout", DeclineClass::Technical);
        check("never_heard_of", DeclineClass::Soft);
    }

    #[test]
    fn codes_are_found_in_sentences() {
        assert_eq!(
            code_in("Transaction declined: insufficient_funds."),
            Some("insufficient_funds")
        );
        assert_eq!(code_in("Order 51 of account 14 was refused"), None);
    }
}
