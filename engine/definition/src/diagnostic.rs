//! What is wrong with a definition: one sentence, the place, and what to write instead.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::source::{Lines, Source, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The definition does not register.
    Error,
    /// It registers, but probably does not do what was meant.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, kebab-case (`unknown-field`); documented in docs/language/diagnostics.md.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The words under the marked place.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The place.
    pub span: Span,
    /// JSON pointer of the place, as far as known.
    pub pointer: String,
}

/// All findings of one text, in order of their place.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    /// The text.
    pub source: Source,
    /// The findings.
    pub items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Whether the definition must not register.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// The findings for a terminal, in the manner of rustc: file, line, column, the marked text
    /// and the help. Empty when there are none.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let theme =
            if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
        let source = NamedSource::new(&self.source.name, self.source.text.clone());
        let mut text = String::new();
        for item in &self.items {
            let is_short = self.line(item.span.offset).len() <= LINE_SHOWN_MAX;
            let source = is_short.then_some(&source);
            let shown = handler.render_report(&mut text, &Shown { item, source });
            shown.expect("writing to a string cannot fail");
            text.push('\n');
        }
        text
    }

    /// The line that a byte of the text is in.
    fn line(&self, offset: usize) -> &str {
        let (before, after) = self.source.text.split_at_checked(offset).unwrap_or_default();
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let end = offset + after.find('\n').unwrap_or(after.len());
        self.source.text.get(begin..end).unwrap_or_default()
    }

    /// The findings for programs: an array of objects with `code`, `severity`, `message`,
    /// `label`, `help`, `file`, `line`, `column`, `end_line`, `end_column` and `pointer`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let lines = Lines::new(&self.source.text);
        let one = |item: &Diagnostic| {
            let end = lines.span(item.span.end(), item.span.end());
            json!({
                "code": item.code,
                "severity": item.severity,
                "message": item.message,
                "label": item.label,
                "help": item.help,
                "file": self.source.name,
                "line": item.span.line,
                "column": item.span.column,
                "end_line": end.line,
                "end_column": end.column,
                "pointer": item.pointer,
            })
        };
        self.items.iter().map(one).collect()
    }
}

/// One finding as miette wants it.
struct Shown<'d> {
    item: &'d Diagnostic,
    /// Where the line can be shown.
    source: Option<&'d NamedSource<String>>,
}

/// Longest line that is shown, in bytes: whoever writes a whole definition in one line is told the
/// column, and 200 findings do not show it 200 times.
const LINE_SHOWN_MAX: usize = 500;

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.item, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.item.message)?;
        if self.source.is_some() {
            return Ok(());
        }
        let Span { line, column, .. } = self.item.span;
        write!(f, " (line {line}, column {column})")
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.item.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.item.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.item.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source?;
        let label = (!self.item.label.is_empty()).then(|| self.item.label.clone());
        let marked = LabeledSpan::new(label, self.item.span.offset, self.item.span.length);
        Some(Box::new(std::iter::once(marked)))
    }
}

/// Collects findings while a text is read, parsed and compiled.
#[derive(Debug, Default)]
pub(crate) struct Report {
    items: Vec<Diagnostic>,
    /// There was an error, kept or not.
    failed: bool,
    /// A warning was left out.
    full: bool,
    /// What would be an error is a warning.
    demoting: bool,
}

/// Longest sentence, in bytes: messages quote the author's text, which may be of any length.
const SENTENCE_MAX: usize = 1_000;

/// Cuts a sentence that is too long.
fn clip(text: &mut String) {
    if text.len() > SENTENCE_MAX {
        let end = (0..=SENTENCE_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

/// More findings of one severity help nobody, and a hostile text must not make a huge answer. Each
/// severity has its own room: warnings never hide an error.
const FINDINGS_MAX: usize = 200;

impl Report {
    pub(crate) fn add(&mut self, mut item: Diagnostic) {
        clip(&mut item.message);
        clip(&mut item.label);
        item.help.iter_mut().for_each(clip);
        self.failed |= item.severity == Severity::Error;
        // One definition of `use` may be compiled at each place that names it. Places are compared first: a
        // hostile text has thousands of findings in the same words.
        if self.items.iter().any(|known| known.span == item.span && *known == item) {
            return;
        }
        if self.items.iter().filter(|known| known.severity == item.severity).count() < FINDINGS_MAX
        {
            self.items.push(item);
        } else {
            self.full |= item.severity == Severity::Warning;
        }
    }

    /// From now on errors are noted as warnings: what follows must not refuse the definition.
    pub(crate) fn demote(&mut self) {
        self.demoting = true;
    }

    /// Whether warnings were left out because there are too many.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) fn error(
        &mut self,
        code: &'static str,
        at: &Place,
        message: impl Into<String>,
    ) -> Finding<'_> {
        let severity = if self.demoting { Severity::Warning } else { Severity::Error };
        self.finding(code, severity, at, message.into())
    }

    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        at: &Place,
        message: impl Into<String>,
    ) -> Finding<'_> {
        self.finding(code, Severity::Warning, at, message.into())
    }

    fn finding(
        &mut self,
        code: &'static str,
        severity: Severity,
        at: &Place,
        message: String,
    ) -> Finding<'_> {
        let item = Diagnostic {
            code,
            severity,
            message,
            label: String::new(),
            help: None,
            span: at.span,
            pointer: at.pointer.clone(),
        };
        Finding { report: self, item: Some(item) }
    }

    /// Whether there was an error, also one beyond those that are kept.
    pub(crate) fn has_errors(&self) -> bool {
        self.failed
    }

    /// Whether there is such a finding at this place.
    pub(crate) fn has(&self, code: &str, pointer: &str) -> bool {
        self.items.iter().any(|item| item.code == code && item.pointer == pointer)
    }

    /// The number of findings.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Keeps the findings that `keep` wants.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.items.retain(keep);
    }

    pub(crate) fn finish(mut self, source: &Source) -> Diagnostics {
        self.items.sort_by_key(|item| (item.span.offset, item.severity));
        Diagnostics { source: source.clone(), items: self.items }
    }
}

/// A place a finding can point at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) span: Span,
    pub(crate) pointer: String,
}

/// A finding being described; it is added when it goes out of scope.
pub(crate) struct Finding<'r> {
    report: &'r mut Report,
    item: Option<Diagnostic>,
}

impl Finding<'_> {
    /// The words under the marked place.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        if let Some(item) = &mut self.item {
            item.label = label.into();
        }
        self
    }

    /// What to write instead.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.maybe_help(Some(help.into()))
    }

    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        if let Some(item) = &mut self.item {
            item.help = help;
        }
        self
    }
}

impl Drop for Finding<'_> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.report.add(item);
        }
    }
}

/// `did you mean ...`, when one of the known words is near.
pub(crate) fn did_you_mean<'w>(
    word: &str,
    known: impl IntoIterator<Item = &'w str>,
) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
}

/// The known word with the smallest number of edits, when that number is small for its length.
pub(crate) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    /// Longer words are not compared: the cost is their product.
    const WORD_MAX: usize = 64;
    if word.len() > WORD_MAX {
        return None;
    }
    let allowed = (word.chars().count() / 2).clamp(1, 3);
    let distance = |known: &str| edits(&word.to_lowercase(), &known.to_lowercase());
    known
        .into_iter()
        .filter(|known| known.len() <= WORD_MAX)
        .map(|known| (distance(known), known))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, known)| known)
}

/// Levenshtein distance, one row at a time.
pub(crate) fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, a) in left.chars().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        let mut next = vec![before];
        for (b, up) in right.iter().zip(row.iter().skip(1)) {
            let cost = usize::from(a != *b);
            before = (diagonal + cost).min(before + 1).min(up + 1);
            diagonal = *up;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_alike_are_found() {
        let known = ["retry", "errors", "when", "exceptWhen"];
        let check = |word, expected| assert_eq!(nearest(word, known), expected, "{word}");
        check("retyr", Some("retry"));
        check("error", Some("errors"));
        check("exceptwhen", Some("exceptWhen"));
        check("unrelated", None);
        check(&"x".repeat(10_000), None);
    }

    #[test]
    fn many_warnings_hide_no_error_and_errors_have_a_limit() {
        let source = Source { name: "a.yaml".to_owned(), text: "do:\n".to_owned() };
        let at = Place::default();
        let mut report = Report::default();
        let count = |report: &Report, severity: Severity| {
            report.items.iter().filter(|item| item.severity == severity).count()
        };
        for number in 0..2 * FINDINGS_MAX {
            drop(report.warning("no-delay", &at, number.to_string()));
        }
        assert_eq!((report.len(), report.is_full(), report.has_errors()), (200, true, false));
        for number in 0..2 * FINDINGS_MAX {
            drop(report.error("bad-value", &at, number.to_string()));
            assert!(report.has_errors());
        }
        assert_eq!(count(&report, Severity::Error), FINDINGS_MAX);
        assert_eq!(count(&report, Severity::Warning), FINDINGS_MAX);
        assert!(report.finish(&source).has_errors());
    }

    #[test]
    fn a_finding_in_a_very_long_line_is_told_without_it() {
        let long = "k".repeat(100_000);
        let source = Source { name: "a.yaml".to_owned(), text: format!("do: 1\n{long} 1\nb: 2\n") };
        let mut report = Report::default();
        let at =
            Place { span: Lines::new(&source.text).span(100_007, 100_008), ..Place::default() };
        drop(report.error("bad-value", &at, format!("`{long}` is long")).label(&long).help(&long));
        let text = report.finish(&source).render(false);
        assert!(text.len() < 6_000, "{} bytes", text.len());
        for part in ["line 2, column 100002", "kkk…", "bad-value"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn a_finding_renders_with_place_label_and_help() {
        let source = Source { name: "a.yaml".to_owned(), text: "do:\n  - a:\n".to_owned() };
        let mut report = Report::default();
        let at = Place { span: Lines::new(&source.text).span(8, 9), pointer: "/do/0".to_owned() };
        drop(report.error("empty-task", &at, "a task needs a body").label("here").help("add it"));
        let found = report.finish(&source);
        let text = found.render(false);
        for part in ["a.yaml:2:5", "a task needs a body", "here", "add it", "empty-task"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
        assert!(found.render(true).contains('\u{1b}'));
        assert_eq!(found.to_json()[0]["column"], 5);
        assert!(found.has_errors());
    }
}
