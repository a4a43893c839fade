//! Documents that try to fill the memory, the stack or the day of whoever registers them.

const HEAD: &str = "document: {dsl: '1.0.3', namespace: test, name: hostile, version: '1.0.0'}\n";

/// Every document, by what it tries.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    const DEEP: usize = 100_000;
    let maps = format!("{}1{}", "{a: ".repeat(DEEP), "}".repeat(DEEP));
    vec![
        ("billion laughs", laughs()),
        ("an alias of itself", value("&x [*x]")),
        ("lists 100,000 deep", value(&"[".repeat(DEEP))),
        ("maps 100,000 deep", value(&maps)),
        ("dashes 100,000 deep", value(&"- ".repeat(DEEP))),
        ("tasks 10,000 deep", deep_tasks(10_000)),
        ("tasks 40 deep", deep_tasks(40)),
        ("a text of 64 MiB", value(&"x".repeat(64 << 20))),
        ("a text of 1 GiB, as an expression", expression("\\\"x\\\" * 1073741824")),
        ("a key of 500 KiB", value(&format!("{{{}: 1}}", "k".repeat(500 << 10)))),
        ("one key 20,000 times", value(&format!("{{{}}}", "k: 1, ".repeat(20_000)))),
        ("100,000 digits", value(&"9".repeat(100_000))),
        ("10,000 tasks", format!("{HEAD}do:\n{}", "  - t: {set: {n: 1}}\n".repeat(10_000))),
        ("a tag that makes objects", value("!!python/object:os.system x")),
        ("an expression of 100 KiB", expression(&vec!["."; 50_000].join("|"))),
        ("an expression 10,000 deep", expression(&"(".repeat(10_000))),
        ("halt", expression("halt")),
        ("env", expression("env")),
        ("$ENV", expression("$ENV")),
        ("input", expression("input")),
        ("now", expression("now")),
    ]
}

/// Each of 30 lists has ten times the one before.
fn laughs() -> String {
    let more = |n: usize| {
        let before = vec![format!("*l{}", n - 1); 10].join(", ");
        format!("        l{n}: &l{n} [{before}]\n")
    };
    let lists: String = (1..=30).map(more).collect();
    format!("{HEAD}do:\n  - a:\n      set:\n        l0: &l0 ha\n{lists}")
}

/// A definition that sets a YAML value.
fn value(yaml: &str) -> String {
    format!("{HEAD}do:\n  - a:\n      set:\n        n: {yaml}\n")
}

fn expression(jq: &str) -> String {
    value(&format!("\"${{ {jq} }}\""))
}

fn deep_tasks(levels: usize) -> String {
    let (open, close) = ("{do: [{t: ".repeat(levels), "}]}".repeat(levels));
    format!("{HEAD}do: [{{a: {open}{{set: {{n: 1}}}}{close}}}]\n")
}
