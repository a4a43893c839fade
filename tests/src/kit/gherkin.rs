//! The part of Gherkin that a conformance kit uses: features, scenarios, steps and doc strings.
//!
//! What is not understood is an error with its line. Nothing is passed over: a scenario that ran
//! with a step fewer would prove less than it says.

use std::fmt;

/// Keywords that change what a scenario means, and that no kit uses so far.
const NOT_UNDERSTOOD: [&str; 6] =
    ["Background:", "Scenario Outline:", "Scenario Template:", "Examples:", "Scenarios:", "Rule:"];
/// Words a step begins with.
const STEP: [&str; 6] = ["Given ", "When ", "Then ", "And ", "But ", "* "];
/// Both delimiters of a doc string.
const FENCES: [&str; 2] = ["\"\"\"", "```"];

/// A file of scenarios.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// In order.
    pub scenarios: Vec<Scenario>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Line of its name, from 1.
    pub line: usize,
    /// In order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Line, from 1.
    pub line: usize,
    /// Without its keyword.
    pub text: String,
    /// The doc string below it.
    pub doc: Option<String>,
}

/// Why a text is no feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Line, from 1.
    pub line: usize,
    /// What is there instead.
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Wrong {}

/// Reads a feature.
///
/// # Errors
/// The first line that is not understood.
pub fn parse(text: &str) -> Result<Feature, Wrong> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let mut feature: Option<Feature> = None;
    while let Some((line, raw)) = lines.next() {
        let trimmed = raw.trim();
        let wrong = |what: &str| Wrong { line, what: format!("{what}: {trimmed}") };
        if trimmed.is_empty() || trimmed.starts_with(['#', '@']) {
            continue;
        }
        if let Some(keyword) = NOT_UNDERSTOOD.iter().find(|word| trimmed.starts_with(**word)) {
            return Err(wrong(&format!("`{keyword}` is not understood by this runner")));
        }
        if let Some(name) = trimmed.strip_prefix("Feature:") {
            if feature.is_some() {
                return Err(wrong("a second feature in one file"));
            }
            feature = Some(Feature { name: name.trim().to_owned(), scenarios: Vec::new() });
            continue;
        }
        let Some(feature) = &mut feature else { return Err(wrong("text before `Feature:`")) };
        let name = trimmed.strip_prefix("Scenario:").or_else(|| trimmed.strip_prefix("Example:"));
        if let Some(name) = name {
            let scenario = Scenario { name: name.trim().to_owned(), line, steps: Vec::new() };
            feature.scenarios.push(scenario);
            continue;
        }
        // Free text describes what it stands under, until the first step.
        let Some(scenario) = feature.scenarios.last_mut() else { continue };
        if let Some(fence) = FENCES.iter().find(|fence| trimmed.starts_with(**fence)) {
            let doc = doc_string(raw, fence, &mut lines)
                .ok_or_else(|| wrong("a doc string that is never closed"))?;
            match scenario.steps.last_mut() {
                Some(step) if step.doc.is_none() => step.doc = Some(doc),
                Some(_) | None => return Err(wrong("a doc string without a step of its own")),
            }
        } else if let Some(text) = STEP.iter().find_map(|word| trimmed.strip_prefix(word)) {
            scenario.steps.push(Step { line, text: text.trim().to_owned(), doc: None });
        } else if !scenario.steps.is_empty() {
            return Err(wrong("not a step"));
        }
    }
    feature.ok_or(Wrong { line: 1, what: "no `Feature:`".to_owned() })
}

/// The lines up to the closing fence, without the indentation of the opening one. What stands
/// behind the opening fence is the media type; the steps say themselves what they want.
fn doc_string<'t>(
    opening: &str,
    fence: &str,
    lines: &mut impl Iterator<Item = (usize, &'t str)>,
) -> Option<String> {
    let indent = opening.len() - opening.trim_start().len();
    let mut doc = String::new();
    for (_, line) in lines {
        if line.trim() == fence {
            return Some(doc);
        }
        let blanks = line.len() - line.trim_start().len();
        doc.push_str(line.get(indent.min(blanks)..).unwrap_or_default());
        doc.push('\n');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_read_with_its_doc_strings() {
        let text = "Feature: One\n  As a reader\n\n  # A comment\n  @tag\n  Scenario: First\n    \
                    Given a thing:\n    \"\"\"yaml\n    a:\n      b: 1 # kept\n\n    \"\"\"\n    \
                    When it runs\n  Scenario: Second\n    with words\n    * it is";
        let feature = parse(text).unwrap();
        assert_eq!(feature.name, "One");
        let [first, second] = feature.scenarios.as_slice() else { panic!("{feature:?}") };
        assert_eq!((first.name.as_str(), first.line), ("First", 6));
        let [given, when] = first.steps.as_slice() else { panic!("{first:?}") };
        assert_eq!(given.text, "a thing:");
        assert_eq!(given.doc.as_deref(), Some("a:\n  b: 1 # kept\n\n"));
        assert_eq!((when.text.as_str(), &when.doc), ("it runs", &None));
        assert_eq!(second.steps.len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        let check = |text: &str, line: usize, part: &str| {
            let wrong = parse(text).unwrap_err();
            assert_eq!(wrong.line, line, "{wrong}");
            assert!(wrong.what.contains(part), "{wrong}");
        };
        check("", 1, "no `Feature:`");
        check("Scenario: x", 1, "before `Feature:`");
        check("Feature: a\nFeature: b", 2, "second feature");
        check("Feature: a\nBackground:\n", 2, "Background");
        check("Feature: a\nScenario Outline: b\n", 2, "Outline");
        check("Feature: a\nScenario: b\nGiven c\n| d |", 4, "not a step");
        check("Feature: a\nScenario: b\nGivenness c\nGiven d\nOr e", 5, "not a step");
        check("Feature: a\nScenario: b\nGiven c\n\"\"\"\nd", 4, "never closed");
        check("Feature: a\nScenario: b\n\"\"\"\n\"\"\"", 3, "without a step");
    }
}
