//! Links, anchors and code blocks of our documentation.

use regex::Regex;

/// A link of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Line, from 1.
    pub line: usize,
    /// As written between the parentheses, without a title.
    pub target: String,
}

/// All inline links and images outside of code.
///
/// # Panics
/// Never: the patterns are constant.
#[must_use]
pub fn links(text: &str) -> Vec<Link> {
    let link = Regex::new(r#"\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)"#).expect("a valid pattern");
    prose(text)
        .flat_map(|(number, line)| {
            link.captures_iter(&line)
                .map(|captures| Link { line: number, target: captures[1].to_owned() })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The anchors that headings of a document make, as GitHub makes them.
///
/// # Panics
/// Never: the patterns are constant.
#[must_use]
pub fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, line) in lines_outside_fences(text) {
        let Some(heading) = line.strip_prefix('#') else { continue };
        let title = heading.trim_start_matches('#');
        if !title.starts_with(' ') {
            continue;
        }
        let slug = slug(title.trim());
        let repeated = found.iter().filter(|f| **f == slug || is_numbered(f, &slug)).count();
        found.push(if repeated == 0 { slug } else { format!("{slug}-{repeated}") });
    }
    found
}

fn is_numbered(anchor: &str, slug: &str) -> bool {
    anchor
        .strip_prefix(slug)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

fn slug(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// A fenced block of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Line of its first line, from 1.
    pub line: usize,
    /// Without the indentation of its fence.
    pub text: String,
}

/// The fenced blocks of one language, in order.
#[must_use]
pub fn blocks(text: &str, language: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(usize, bool, Block)> = None;
    for (line, raw) in (1..).zip(text.lines()) {
        let indent = raw.len() - raw.trim_start().len();
        let fence = raw.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => {
                let is_wanted = info.split_whitespace().next() == Some(language);
                open = Some((indent, is_wanted, Block { line: line + 1, text: String::new() }));
            }
            (Some((_, is_wanted, block)), Some(_)) => {
                if *is_wanted {
                    found.push(block.clone());
                }
                open = None;
            }
            (Some((outer, _, block)), None) => {
                block.text.push_str(raw.get(indent.min(*outer)..).unwrap_or_default());
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// Lines with inline code taken out.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let code = Regex::new("`[^`]*`").expect("a valid pattern");
    lines_outside_fences(text)
        .map(move |(number, line)| (number, code.replace_all(line, "").into_owned()))
}

fn lines_outside_fences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_do_not_count() {
        let text =
            "[a](b.md) `[c](d.md)` ![e](<f g.png>)\n```\n[h](i.md)\n```\n[j](k.md#l \"title\")\n";
        let targets: Vec<String> = links(text).into_iter().map(|l| l.target).collect();
        assert_eq!(targets, ["b.md", "k.md#l"]);
    }

    #[test]
    fn blocks_are_told_by_their_language() {
        let text = "```yaml\na: 1\n```\n- x\n  ```yaml more\n  b:\n    c\n  ```\n```sh\nd\n```\n";
        let found: Vec<_> = blocks(text, "yaml").into_iter().map(|b| (b.line, b.text)).collect();
        assert_eq!(found, [(2, "a: 1\n".to_owned()), (6, "b:\n  c\n".to_owned())]);
    }

    #[test]
    fn anchors_are_made_as_on_github() {
        let text = "# The *way* of one step\n## Why?\n## Why?\n```\n# no\n```\n#no\n";
        assert_eq!(anchors(text), ["the-way-of-one-step", "why", "why-1"]);
    }
}
