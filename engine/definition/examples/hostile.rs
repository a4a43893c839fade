//! What each expression of the hostile list costs, what large legal work does, and what it takes to
//! refuse hostile documents: milliseconds (of the evaluating thread; the best of a few compilations),
//! and the largest memory of the process meanwhile. Fails when one costs more than 100 ms. Meaningful in a release
//! build: `cargo run --release --example hostile -p tenure-definition`. Expressions given as arguments
//! are measured instead of the list.

#![expect(clippy::print_stdout, reason = "an example that measures shows what it found")]
#![expect(clippy::disallowed_methods, reason = "the room is pure, a measurement is not")]

use std::borrow::Cow;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};
use tenure_adapter::Catalog;
use tenure_definition::expression::{Expression, STACK_BYTES, Scope};
use tenure_definition::{Source, compile};

#[path = "hostile/document.rs"]
mod document;
#[path = "../src/expression/tests/hostile.rs"]
mod hostile;

/// What one may cost.
const MS_MAX: f64 = 100.0;
/// Characters shown of an expression and of its end.
const SHOWN: usize = 70;

struct Nothing;

impl Scope for Nothing {
    fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

/// Time this thread was running, which a busy machine does not change; 0 where the system does
/// not tell.
fn running_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok());
    ns.unwrap_or(0.0) / 1e6
}

/// The largest memory since the last call, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    // The number that starts the peak anew. Where that is not allowed, it only grows.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
    kib.unwrap_or(0) / 1024
}

fn run(source: String, input: Value) -> (Result<Value, String>, f64) {
    let run = move || {
        let start = running_ms();
        let result = Expression::new(&source, &[])
            .map_err(|faults| faults.join("; "))
            .and_then(|expression| expression.eval(&input, &Nothing));
        (result, running_ms() - start)
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run);
    thread.expect("a thread").join().expect("no panic")
}

/// How a document ends, and how long that takes: it is read on a thread of its own, so by the clock
/// on the wall, and the best of a few times, because the machine may be busy.
fn read(text: &str) -> (String, f64) {
    const TIMES: usize = 3;
    let catalog = Catalog::new([]);
    let source = Source { name: "hostile.yaml".to_owned(), text: text.to_owned() };
    let mut best = f64::INFINITY;
    let mut end = String::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        let compiled = compile(&source, &catalog);
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
        end = match compiled {
            Ok(_) => "compiled".to_owned(),
            Err(found) => found.items.first().map_or_else(String::new, |item| item.message.clone()),
        };
    }
    (end, best)
}

/// The beginning of a text.
fn brief(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// One line of the table; whether it took too long.
fn tell(ms: f64, what: &str, end: &str) -> bool {
    let slow = ms > MS_MAX;
    let mark = if slow { "SLOW" } else { "    " };
    println!("{mark} {ms:>8.1} ms {:>5} MiB  {}: {}", peak_mib(), brief(what), brief(end));
    slow
}

fn main() -> ExitCode {
    let big = json!({"a": "x".repeat(100_000), "b": (0..5_000).collect::<Vec<_>>()});
    let told = hostile::TOLD.iter().map(|(source, _)| *source);
    let all = hostile::HOSTILE.iter().chain(hostile::LARGE).copied().chain(told);
    let all: Vec<String> = all.map(str::to_owned).chain(hostile::long()).collect();
    let given: Vec<String> = std::env::args().skip(1).collect();
    let documents = if given.is_empty() { document::all() } else { Vec::new() };
    let expressions = if given.is_empty() { all } else { given };
    let mut slow = 0;
    for source in &expressions {
        peak_mib();
        let (result, ms) = run(source.clone(), big.clone());
        let end = result.map_or_else(|error| error, |value| format!("gave {value}"));
        slow += usize::from(tell(ms, source, &end));
    }
    for (name, text) in &documents {
        peak_mib();
        let (end, ms) = read(text);
        slow += usize::from(tell(ms, name, &end));
    }
    let (expressions, documents) = (expressions.len(), documents.len());
    println!("{expressions} expressions, {documents} documents, {slow} over {MS_MAX} ms");
    if slow == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
