//! The results as JUnit XML, which every CI reads.

use super::result::Played;
use super::suite::Summary;

/// The XML document: one suite per definition, one case per scenario.
#[must_use]
pub fn junit(summary: &Summary) -> String {
    let mut suites: Vec<(&str, Vec<&Played>)> = Vec::new();
    for played in &summary.played {
        match suites.iter_mut().find(|(name, _)| *name == played.definition) {
            Some((_, cases)) => cases.push(played),
            None => suites.push((&played.definition, vec![played])),
        }
    }
    let failed = summary.played.iter().filter(|played| !played.passed()).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites tests=\"{}\" failures=\"{failed}\" errors=\"{}\" time=\"{:.3}\">\n",
        summary.played.len() + summary.broken.len(),
        summary.broken.len(),
        summary.took.as_secs_f64()
    ));
    for (name, cases) in suites {
        let failed = cases.iter().filter(|played| !played.passed()).count();
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">\n",
            escape(name),
            cases.len()
        ));
        cases.iter().for_each(|played| case(played, &mut out));
        out.push_str("  </testsuite>\n");
    }
    if !summary.broken.is_empty() {
        let count = summary.broken.len();
        out.push_str(&format!(
            "  <testsuite name=\"unreadable\" tests=\"{count}\" errors=\"{count}\">\n"
        ));
        for found in &summary.broken {
            out.push_str(&format!(
                "    <testcase name=\"{}\"><error message=\"not readable\">{}</error></testcase>\n",
                escape(&found.source.name),
                escape(&found.render(false))
            ));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(played: &Played, out: &mut String) {
    out.push_str(&format!(
        "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" time=\"{:.3}\"",
        escape(&played.title),
        escape(&played.definition),
        escape(&played.file),
        played.took.as_secs_f64()
    ));
    let Some(first) = played.failures.first() else {
        out.push_str("/>\n");
        return;
    };
    out.push_str(&format!(
        "><failure message=\"{}\">{}</failure></testcase>\n",
        escape(first.message.lines().next().unwrap_or_default()),
        escape(&super::show::failure(played))
    ));
}

/// Text that XML takes; what it cannot hold at all becomes `?`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || c == '\u{FFFE}' || c == '\u{FFFF}' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped() {
        assert_eq!(escape("<a b=\"1\">&\u{1b}\n"), "&lt;a b=&quot;1&quot;&gt;&amp;?\n");
    }
}
