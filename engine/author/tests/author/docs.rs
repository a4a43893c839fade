//! Every example of the manual is a whole definition that compiles without a word.

use std::path::{Path, PathBuf};

use tenure_definition::{Source, compile};

use crate::kit::catalog;

/// What stands after `yaml` where an example shows a mistake, or is warned of: the finding's code.
const FINDINGS: [&str; 2] = ["mistake:", "warned:"];

/// An example with where it is from, and the one finding it is meant to have.
struct Example {
    at: String,
    text: String,
    mistake: Option<String>,
}

/// The pages of the manual about the language.
fn pages() -> Vec<PathBuf> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let inside = std::fs::read_dir(docs.join("language")).unwrap();
    let mut pages: Vec<PathBuf> = inside.map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages.extend([docs.join("language.md"), docs.join("effects.md"), docs.join("api.md")]);
    pages
}

fn finding(word: &str) -> Option<&str> {
    FINDINGS.iter().find_map(|mark| word.strip_prefix(mark))
}

fn examples(page: &Path) -> Vec<Example> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut found: Vec<Example> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            open = !open && kind.starts_with("yaml");
            if open {
                let mistake = kind.split_whitespace().find_map(finding);
                let at = format!("{}:{}", page.file_name().unwrap().display(), number + 2);
                found.push(Example {
                    at,
                    text: String::new(),
                    mistake: mistake.map(str::to_owned),
                });
            }
        } else if open && let Some(example) = found.last_mut() {
            example.text.push_str(line);
            example.text.push('\n');
        }
    }
    found
}

#[test]
fn every_example_of_the_manual_compiles() {
    let catalog = catalog();
    let mut wrong = String::new();
    let mut seen = 0;
    for example in pages().iter().flat_map(|page| examples(page)) {
        seen += 1;
        let source = Source { name: example.at.clone(), text: example.text.clone() };
        let found = match compile(&source, &catalog) {
            Ok((_, warnings)) => warnings,
            Err(errors) => errors,
        };
        let codes: Vec<&str> = found.items.iter().map(|item| item.code).collect();
        let meant: Vec<&str> = example.mistake.as_deref().into_iter().collect();
        if codes != meant {
            wrong.push_str(&format!("{}: {codes:?}\n{}\n", example.at, found.render(false)));
        }
    }
    assert!(seen >= 20, "only {seen} examples found: the reader is broken");
    assert!(wrong.is_empty(), "{wrong}");
}
