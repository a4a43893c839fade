//! Just enough reading of SQL to hold the rules of the schema. Our migrations are plain: one clause
//! a line, lowercase, no dollar-quoted bodies (which are forbidden anyway).

use regex::Regex;

/// A table as a migration creates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Names of its columns, in order.
    pub columns: Vec<String>,
    /// Columns of the primary key, in order; empty without one.
    pub primary_key: Vec<String>,
    /// Unique keys and foreign keys: what it is, and its columns.
    pub keys: Vec<(String, Vec<String>)>,
    /// Whether it is `partition of` another table, whose keys it has.
    pub is_partition: bool,
}

/// The text without comments, with string literals and quoted names emptied, in lowercase.
///
/// # Panics
/// Never: the patterns are constant.
#[must_use]
pub fn bare(text: &str) -> String {
    let comments = Regex::new(r"(?s)--[^\n]*|/\*.*?\*/").expect("a valid pattern");
    let strings = Regex::new(r"'(?:[^']|'')*'").expect("a valid pattern");
    let names = Regex::new(r#""[^"]*""#).expect("a valid pattern");
    let text = comments.replace_all(text, "");
    let text = strings.replace_all(&text, "''");
    names.replace_all(&text, "\"\"").to_lowercase()
}

/// The statements of a text, without comments.
#[must_use]
pub fn statements(text: &str) -> Vec<String> {
    bare(text).split(';').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect()
}

/// The tables a text creates.
///
/// # Panics
/// Never: the patterns are constant.
#[must_use]
pub fn tables(text: &str) -> Vec<Table> {
    let create = Regex::new(r"(?s)^create\s+table\s+(?:if\s+not\s+exists\s+)?([\w.]+)\s*(.*)$")
        .expect("a valid pattern");
    statements(text)
        .iter()
        .filter_map(|statement| {
            let captures = create.captures(statement)?;
            let rest = captures.get(2).map_or("", |m| m.as_str());
            Some(table(&captures[1], rest))
        })
        .collect()
}

/// Unique indexes: name of the table and the indexed columns or expressions.
///
/// # Panics
/// Never: the patterns are constant.
#[must_use]
pub fn unique_indexes(text: &str) -> Vec<(String, Vec<String>)> {
    let create = Regex::new(
        r"(?s)^create\s+unique\s+index\s+[\w\s]*?\bon\s+([\w.]+)\s*(?:using\s+\w+\s*)?(\(.*)$",
    )
    .expect("a valid pattern");
    statements(text)
        .iter()
        .filter_map(|statement| {
            let captures = create.captures(statement)?;
            Some((captures[1].to_owned(), columns(&captures[2])))
        })
        .collect()
}

fn table(name: &str, rest: &str) -> Table {
    let mut table = Table {
        name: name.to_owned(),
        columns: Vec::new(),
        primary_key: Vec::new(),
        keys: Vec::new(),
        is_partition: rest.trim_start().starts_with("partition"),
    };
    if table.is_partition {
        return table;
    }
    for part in parts(rest) {
        let words: Vec<&str> = part.split_whitespace().collect();
        let clause = match words.as_slice() {
            ["constraint", _, kind, ..] => *kind,
            [first, ..] => first,
            [] => continue,
        };
        if clause.starts_with("primary") {
            table.primary_key = columns(&part);
        } else if clause.starts_with("unique") || clause.starts_with("foreign") {
            table.keys.push((clause.to_owned(), columns(&part)));
        } else if !clause.starts_with("check") && !clause.starts_with("exclude") {
            column(&mut table, &words, &part);
        }
    }
    table
}

fn column(table: &mut Table, words: &[&str], part: &str) {
    let Some(name) = words.first() else { return };
    table.columns.push((*name).to_owned());
    let own = || vec![(*name).to_owned()];
    if part.contains("primary key") {
        table.primary_key = own();
    }
    if words.contains(&"unique") {
        table.keys.push(("unique".to_owned(), own()));
    }
    if words.contains(&"references") {
        table.keys.push(("foreign".to_owned(), own()));
    }
}

/// The comma-separated parts of the first parenthesis.
fn parts(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut current = String::new();
    let mut found = Vec::new();
    for c in text.chars() {
        match c {
            '(' => {
                depth += 1;
                if depth == 1 {
                    continue;
                }
            }
            ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            ',' if depth == 1 => {
                found.push(std::mem::take(&mut current).trim().to_owned());
                continue;
            }
            _ => {}
        }
        if depth >= 1 {
            current.push(c);
        }
    }
    found.push(current.trim().to_owned());
    found.retain(|part| !part.is_empty());
    found
}

/// The first word of every part of the first parenthesis.
fn columns(text: &str) -> Vec<String> {
    parts(text)
        .iter()
        .filter_map(|part| part.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_with_their_keys() {
        let text = "
            -- a comment with create table x (y);
            create table timer (
                bucket int not null,
                due timestamptz not null check (due > 'epoch'),
                id bigint unique,
                primary key (bucket, id),
                constraint f foreign key (bucket, id) references instance (bucket, id)
            ) with (fillfactor = 50);
            create table node (id uuid primary key, name text default 'a, b');
            create table journal_1 partition of journal for values from (1) to (2);";
        let found = tables(text);
        assert_eq!(found[0].columns, ["bucket", "due", "id"]);
        assert_eq!(found[0].primary_key, ["bucket", "id"]);
        assert_eq!(
            found[0].keys,
            [
                ("unique".to_owned(), vec!["id".to_owned()]),
                ("foreign".to_owned(), vec!["bucket".to_owned(), "id".to_owned()])
            ]
        );
        assert_eq!(
            (found[1].name.as_str(), &found[1].primary_key[..]),
            ("node", &["id".to_owned()][..])
        );
        assert!(found[2].is_partition);
    }

    #[test]
    fn unique_indexes_are_read() {
        let text = "create unique index a_key on a (bucket, lower(b)) where c is null; create index i on a (b);";
        assert_eq!(
            unique_indexes(text),
            [("a".to_owned(), vec!["bucket".to_owned(), "lower(b)".to_owned()])]
        );
    }
}
