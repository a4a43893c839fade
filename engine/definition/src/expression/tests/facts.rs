//! What is read off an expression without evaluating it.

use super::super::{Expression, Outputs, Read, Root, Segment};

fn compiled(source: &str) -> Expression {
    Expression::compile(source, &["context", "input"]).unwrap()
}

#[test]
fn outputs_are_counted_without_false_alarms() {
    let check = |source: &str, expected| {
        assert_eq!(compiled(source).outputs(), expected, "{source}");
    };
    for source in [
        ".a.b",
        "[.[]]",
        "{a: .x, b: [.y[]]}",
        "first(.[])",
        "[.[] | select(.a)]",
        "any(.[]; . > 1)",
        "reduce .[] as $x (0; . + $x)",
        ".a // 1",
        "empty // 1",
        "if .a then 1 else 2 end",
        "map(.[])",
        "sort_by(.a, .b)",
        "\"\\(.a) and \\(.b)\"",
        ".a[1:3]",
        "$context + {last: .}",
        "try error(\"x\") catch .",
        ".a |= . + 1",
        "limit(1; 1, 2)",
        "test(\"x\")",
        "error(\"x\")",
        "add(.[].x)",
        "IN(\"a\", \"b\")",
        "path(.a)",
    ] {
        let outputs = compiled(source).outputs();
        let expected = match source {
            "first(.[])" => Outputs::MaybeNone,
            _ => Outputs::One,
        };
        assert_eq!(outputs, expected, "{source}");
    }
    for source in [
        ".[]",
        ".a, .b",
        "..",
        "range(3)",
        ".[] | select(.a)",
        "{a: .[]}",
        "\"\\(.[])\"",
        "recurse",
        ".a[] + 1",
        "splits(\",\")",
        "(1, 2) as $x | $x",
        "foreach .[] as $x (0; . + $x)",
        "if .a then 1, 2 else 3 end",
        ".a // (1, 2)",
        "limit(2; .[])",
        "{a: 1}[]",
        "$context[]",
        ".a[(1, 2)]",
        "paths",
        ". as {a: $x, (\"b\", \"c\"): $y} | $y",
    ] {
        check(source, Outputs::Many);
    }
    for source in ["select(.a)", ".a?", "try .a", "values", "if .a then 1 else empty end"] {
        check(source, Outputs::MaybeNone);
    }
    for source in ["empty", "1 | empty", "[.[]] | empty", "empty, empty", "{a: empty}"] {
        check(source, Outputs::None);
    }
}

#[test]
fn reads_name_the_places_an_expression_may_see() {
    let check = |source: &str, expected: &[&str]| {
        let shown = |read: &Read| {
            let root = match &read.root {
                Root::Input => String::new(),
                Root::Variable(name) => format!("${name}"),
            };
            let path = read.path.iter().map(|segment| match segment {
                Segment::Field(name) => format!(".{name}"),
                Segment::Any => ".*".to_owned(),
            });
            let path: String = path.collect();
            if root.is_empty() && path.is_empty() { ".".to_owned() } else { root + &path }
        };
        let reads = compiled(source).reads();
        assert_eq!(reads.iter().map(shown).collect::<Vec<_>>(), expected, "{source}");
    };
    check("1", &[]);
    check(".", &["."]);
    check(".a.b", &[".a.b"]);
    check(".a | .b", &[".a.b"]);
    check(".a[0].b", &[".a.*.b"]);
    check(".[\"a\"]", &[".a"]);
    check("$context.a + .b", &[".b", "$context.a"]);
    check("{a, b: .c, $input}", &[".a", ".c", "$input"]);
    check(".a as $x | $x.b + .c", &[".a.b", ".c"]);
    check(". as {a: $x, b: [$y]} | $x + $y", &[".a", ".b.*"]);
    check("[.items[] | {sku, n: .price.amount}]", &[".items.*.price.amount", ".items.*.sku"]);
    check(".items | map(.price) | add", &[".items.*.price"]);
    check("map(select(.open) | .id)", &[".*.id", ".*.open"]);
    check("if .a then .b else .c end", &[".a", ".b", ".c"]);
    check("if .a then .b end", &["."]);
    check("first(.a[] | select(.x == $input.y)) | .z", &[".a.*.x", ".a.*.z", "$input.y"]);
    check("reduce .a[] as $x (0; . + $x.n)", &[".a.*.n"]);
    check(".a // .b", &[".a", ".b"]);
    check(".a = .b", &["."]);
    check(". + {a: $context.b}", &[".", "$context.b"]);
    check("\"\\(.a) of \\($context.b.c)\"", &[".a", "$context.b.c"]);
    check("keys", &["."]);
    check(".a | keys", &[".a"]);
    check(".a | to_entries", &[".a"]);
    check("any(.a[]; .b > 1)", &[".a.*.b"]);
    check("has(\"a\")", &[".a"]);
    check(".[.a]", &[".a", ".*"]);
    check(".a[1:] | map(.b)", &[".a.*.b"]);
    check("(.a as $x | 1) + .b", &[".b"]);
    check("try .a catch .b", &[".a"]);
}
