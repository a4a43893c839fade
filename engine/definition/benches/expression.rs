//! What expressions cost: an evaluation on a document of 1 KB, JSON in and out, and compiling.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tenure_adapter::Catalog;
use tenure_definition::expression::{Expression, Scope};
use tenure_definition::{Source, compile};

struct Context(Value);

impl Scope for Context {
    fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
        Some(Cow::Borrowed(&self.0))
    }
}

fn document() -> Value {
    let invoice = |n: u32| {
        json!({"id": format!("inv-{n}"), "amount": 1999 + n, "paid": n.is_multiple_of(2),
               "due": "2026-01-31T00:00:00Z", "lines": [{"sku": "PRO", "n": n}]})
    };
    json!({
        "subscription": {"id": "sub-17", "status": "active", "seats": 3, "trial": false},
        "customer": {"name": "Ada Lovelace", "mail": "ada@example.com", "country": "DE",
                     "address": {"street": "Example Street 1", "city": "Berlin", "zip": "10115"}},
        "invoices": (0..4).map(invoice).collect::<Vec<_>>(),
        "note": "n".repeat(280),
    })
}

fn evaluate(c: &mut Criterion) {
    let input = document();
    assert!((900..1_200).contains(&input.to_string().len()), "about 1 KB");
    let context = Context(json!({"order": {"id": "o-1"}, "total": 12}));
    let rows = [
        ("field", ".subscription.status"),
        ("condition", ".subscription.status == \"active\" and .subscription.seats > 2"),
        (
            "object with a sum",
            "{id: .subscription.id, sum: ([.invoices[].amount] | add), order: $context.order.id}",
        ),
        ("map, select, length", ".invoices | map(select(.paid)) | length"),
        ("interpolation", "\"\\(.customer.name) <\\(.customer.mail)>\""),
        ("context and last", "$context + {last: .subscription}"),
        ("deep assignment", ".subscription.new.path = 1"),
        ("regular expression", ".customer.mail | test(\"^[^@]+@[^@]+$\")"),
        (
            "group and sum",
            ".invoices | group_by(.paid) | map({n: length, sum: (map(.amount) | add)})",
        ),
    ];
    let mut group = c.benchmark_group("evaluate");
    for (name, source) in rows {
        let expression = Expression::new(source, &["context"]).expect("it compiles");
        group.bench_function(name, |b| {
            b.iter(|| expression.eval(black_box(&input), &context).expect("it evaluates"));
        });
    }
    group.finish();
}

fn compile_definitions(c: &mut Criterion) {
    let mut text = String::from(
        "document: {dsl: '1.0.3', namespace: bench, name: sixty, version: '0.1.0'}\ndo:\n",
    );
    for n in 0..20 {
        let task = format!(
            "  - task{n}:\n      if: ${{ .status == \"active\" and .n > {n} }}\n      set:\n        \
             sum: ${{ [.invoices[].amount] | add }}\n        \
             text: ${{ \"\\(.name) <\\(.mail)>\" }}\n"
        );
        text.write_str(&task).expect("writing to a string cannot fail");
    }
    let source = Source { name: "bench.yaml".to_owned(), text };
    let catalog = Catalog::new([]);
    c.bench_function("compile 60 expressions", |b| {
        b.iter(|| compile(black_box(&source), &catalog).map(drop).map_err(drop));
    });
    c.bench_function("compile one expression", |b| {
        b.iter(|| Expression::new(black_box("{id: .id, sum: ([.a[].n] | add)}"), &[]).map(drop));
    });
}

criterion_group!(benches, evaluate, compile_definitions);
criterion_main!(benches);
