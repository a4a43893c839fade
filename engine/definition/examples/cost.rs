//! What compiling costs as definitions grow: the milliseconds must grow like the text, not faster.

#![expect(clippy::print_stdout, reason = "an example that measures shows what it found")]
#![expect(clippy::disallowed_methods, reason = "the room is pure, a measurement is not")]

use std::fmt::Write as _;
use std::time::Instant;

use tenure_adapter::Catalog;
use tenure_definition::{Source, compile};

const HEAD: &str = "document: {dsl: '1.0.3', namespace: test, name: cost, version: '1.0.0'}\ndo:\n";

/// A definition with one line for each number below `count`.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(HEAD.to_owned(), |mut text, n| {
        writeln!(text, "  - {}", line(n)).expect("writing to a string cannot fail");
        text
    })
}

/// Writes the task of this number.
type Writes = fn(usize) -> String;

fn main() {
    let catalog = Catalog::new([]);
    let rows: [(&str, Writes); 4] = [
        ("set", |n| format!("t{n}: {{ set: {{ n: {n} }} }}")),
        ("set with an expression", |n| format!("t{n}: {{ set: {{ n: '${{ .n + {n} }}' }} }}")),
        ("switch back", |n| {
            format!("t{n}: {{ switch: [ {{ a: {{ when: .n > {n}, then: t0 }} }} ] }}")
        }),
        ("export", |n| {
            format!("t{n}: {{ set: {{ n: 1 }}, export: {{ as: '$context + {{k{n}: .n}}' }} }}")
        }),
    ];
    for (name, line) in rows {
        for count in [20, 500, 1_000, 4_000] {
            let source = Source { name: "cost.yaml".to_owned(), text: lines(count, line) };
            let start = Instant::now();
            let compiled = compile(&source, &catalog);
            let took = start.elapsed();
            let found = match compiled {
                Ok((_, found)) => format!("{} warnings", found.items.len()),
                Err(found) => format!("{:?}", found.items.first().map(|item| item.code)),
            };
            println!("{:>9.2} ms  {count:>5} x {name}: {found}", took.as_secs_f64() * 1e3);
        }
    }
}
