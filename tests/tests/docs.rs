//! The documentation leads where it says: every link of every document, to files and to headings.

use std::path::{Component, Path, PathBuf};

use regex::Regex;
use tenure_tests::{code, markdown, tree};

#[test]
fn links_in_documents_resolve() {
    let documents = tree::files_with_extension("md");
    assert!(documents.len() >= 5, "only {} documents found", documents.len());
    let mut followed = 0_usize;
    let mut broken = Vec::new();
    for document in &documents {
        for link in markdown::links(&tree::read(document)) {
            if link.target.contains("://") || link.target.starts_with("mailto:") {
                continue;
            }
            followed += 1;
            if let Err(why) = follow(document, &link.target) {
                broken.push(format!("{}:{}: {} {why}", document.display(), link.line, link.target));
            }
        }
    }
    assert!(followed >= 10, "only {followed} links found: the reader is broken");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn follow(document: &Path, target: &str) -> Result<(), &'static str> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => document.to_path_buf(),
        _ => normal(&document.parent().unwrap_or(Path::new("")).join(file))
            .ok_or("leads out of the repository")?,
    };
    if !tree::root().join(&path).exists() {
        return Err("does not exist");
    }
    if anchor.is_empty() {
        return Ok(());
    }
    if path.extension().is_none_or(|extension| extension != "md") {
        return Err("has no headings");
    }
    let anchors = markdown::anchors(&tree::read(&path));
    if anchors.iter().any(|known| known == anchor) { Ok(()) } else { Err("has no such heading") }
}

/// Resolves `..` without asking the disk; `None` when it leads above the top.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    Some(clean)
}

/// Diagnostics promise: "code; documented in docs/language/diagnostics.md".
#[test]
fn every_diagnostic_code_is_documented() {
    let language = tree::read(Path::new("docs/language/diagnostics.md"));
    let documented = |code: &str| language.contains(&format!("`{code}`"));
    let mut codes: Vec<String> = Vec::new();
    for path in tree::files_with_extension("rs") {
        let is_test = path
            .components()
            .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
        if !tree::is_below(&path, "engine/definition/src") || is_test {
            continue;
        }
        codes.extend(diagnostic_codes(&path));
    }
    codes.sort();
    codes.dedup();
    assert!(codes.len() > 5, "only {} codes found in engine/definition", codes.len());
    let missing: Vec<&String> = codes.iter().filter(|code| !documented(code)).collect();
    assert!(missing.is_empty(), "docs/language/diagnostics.md does not explain {missing:?}");
}

/// Words that authors write as values of `metadata`: no codes, though they look like some.
const VALUES: [&str; 5] =
    ["at-least-once", "at-most-once", "buffer-one", "cancel-previous", "return-existing"];

/// Codes are the kebab-case texts of two words or more that are no values, and whatever is given to
/// a finding directly.
fn diagnostic_codes(path: &Path) -> Vec<String> {
    let form = Regex::new("^[a-z]+(-[a-z]+)+$").expect("a valid pattern");
    let finding = Regex::new(r#"(?:error|warning)\(\s*"([a-z-]+)""#).expect("a valid pattern");
    let literals = code::literals(&code::parse(path), false);
    let texts = literals
        .into_iter()
        .map(|literal| literal.text)
        .filter(|text| form.is_match(text) && !VALUES.contains(&text.as_str()));
    let text = tree::read(path);
    let text = text.split("#[cfg(test)]").next().unwrap_or("");
    let given = finding.captures_iter(text).map(|captures| captures[1].to_owned());
    texts.chain(given).collect()
}

#[test]
fn the_readme_names_exactly_the_two_commands() {
    let readme = tree::read(Path::new("README.md"));
    let commands: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("make "))
        .map(|rest| rest.split_whitespace().next().unwrap_or(""))
        .collect();
    assert_eq!(commands, ["dev", "test"], "README.md shows exactly `make dev` and `make test`");
    let makefile = tree::read(Path::new("Makefile"));
    for command in commands {
        assert!(
            makefile.lines().any(|line| line.starts_with(&format!("{command}:"))),
            "the Makefile has no target {command}"
        );
    }
}

#[test]
fn every_word_of_the_glossary_is_used() {
    let architecture = tree::read(Path::new("ARCHITECTURE.md"));
    for word in
        ["definition", "plan", "instance", "checkpoint", "journal", "effect", "incident", "bucket"]
    {
        assert!(
            architecture.contains(&format!("| {word}")),
            "ARCHITECTURE.md: the glossary has no row for {word}"
        );
    }
}
