//! The first line as a URI template, the rest as the value of each of its fields: a URI or an error.
//! A value must never change the shape of the URI.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use tenure_definition::uri::UriTemplate;

/// The characters that shape a URI; a value brings none of them.
const SHAPE: [char; 8] = ['/', '?', '#', '&', '=', ':', '@', ' '];

fn shape(uri: &str) -> Vec<char> {
    uri.chars().filter(|c| SHAPE.contains(c)).collect()
}

fuzz_target!(|text: String| {
    let (text, value) = text.split_once('\n').unwrap_or((&text, "a/b?c=d#e ü"));
    let template = match UriTemplate::parse(text) {
        Ok(template) => template,
        Err(fault) => {
            assert!(text.get(fault.range).is_some(), "a fault has a place in the text");
            return;
        }
    };
    let filled = |value: &str| {
        let fields = template.variables().map(|name| (name.to_owned(), Value::from(value)));
        template.expand(&Value::Object(Map::from_iter(fields)))
    };
    // A text always has a place, except where it makes a segment that leads elsewhere.
    let (uri, empty) = match (filled(value), filled("")) {
        (Ok(uri), Ok(empty)) => (uri, empty),
        (Err(detail), _) | (_, Err(detail)) => {
            assert!(detail.contains("leads to another path"), "{detail}");
            return;
        }
    };
    assert!(uri.is_ascii() && !uri.contains(['{', '}']), "everything else is encoded");
    assert_eq!(shape(&uri), shape(&empty), "the value stays inside its place");
    assert!(uri.starts_with(template.beginning()), "the beginning stays");
    if let Some(constant) = template.constant() {
        assert_eq!(uri, constant, "nothing to fill in");
    }
});
