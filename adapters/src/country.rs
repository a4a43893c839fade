//! Country names and codes to ISO 3166-1 alpha-2 (rule R1: CRM and marketing take nothing else).

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// A country of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: String,
    /// ISO 3166-1 alpha-3.
    pub alpha3: String,
    /// English short name.
    pub name: String,
    /// Other English names in use.
    also: Vec<String>,
}

static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/countries.json"))
        .expect("the embedded country table is checked by a test")
});

static BY_NAME: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for (index, country) in COUNTRIES.iter().enumerate() {
        let fixed = [&country.code, &country.alpha3, &country.name];
        for name in fixed.into_iter().chain(&country.also) {
            names.insert(folded(name), index);
        }
    }
    names
});

/// Letter case, surrounding space and doubled space do not matter.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// All 249 countries.
#[must_use]
pub fn countries() -> &'static [Country] {
    &COUNTRIES
}

/// The country meant by an alpha-2 or alpha-3 code, an English name, or `UK`.
#[must_use]
pub fn normalize(text: &str) -> Option<&'static Country> {
    BY_NAME.get(&folded(text)).and_then(|index| COUNTRIES.get(*index))
}

/// Whether a text already is an assigned alpha-2 code.
#[must_use]
pub fn is_alpha2(text: &str) -> bool {
    normalize(text).is_some_and(|country| country.code == text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(normalize(text).map(|c| c.code.as_str()), expected, "{text}");
    }

    #[test]
    fn codes_and_names_become_alpha2() {
        check("DE", Some("DE"));
        check("de", Some("DE"));
        check("DEU", Some("DE"));
        check("Germany", Some("DE"));
        check(" united   kingdom ", Some("GB"));
        check("UK", Some("GB"));
        check("NO", Some("NO"));
        check("Côte d'Ivoire", Some("CI"));
        check("Czech Republic", Some("CZ"));
        check("Atlantis", None);
        check("XX", None);
        check("", None);
    }

    #[test]
    fn the_table_is_complete_and_unambiguous() {
        let codes: BTreeSet<_> = countries().iter().map(|c| &c.code).collect();
        let alpha3: BTreeSet<_> = countries().iter().map(|c| &c.alpha3).collect();
        assert_eq!((codes.len(), alpha3.len()), (249, 249));
        for country in countries() {
            for name in
                [&country.code, &country.alpha3, &country.name].iter().copied().chain(&country.also)
            {
                check(name, Some(&country.code));
            }
        }
    }
}
