//! What each expression of the hostile list costs: milliseconds of this thread, and the largest
//! memory of the process meanwhile. Fails when one costs more than 100 ms. Meaningful in a release
//! build: `cargo run --release --example hostile -p tenure-definition`. Expressions given as arguments
//! are measured instead of the list.

#![expect(clippy::print_stdout, reason = "an example that measures shows what it found")]

use std::borrow::Cow;
use std::process::ExitCode;

use serde_json::{Value, json};
use tenure_definition::expression::{Expression, STACK_BYTES, Scope};

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

fn main() -> ExitCode {
    let big = json!({"a": "x".repeat(100_000), "b": (0..5_000).collect::<Vec<_>>()});
    let mut slow = 0;
    let told = hostile::TOLD.iter().map(|(source, _)| *source);
    let short = hostile::HOSTILE.iter().chain(hostile::LARGE).copied().chain(told).map(str::to_owned);
    let all: Vec<String> = short.chain(hostile::long()).collect();
    let given: Vec<String> = std::env::args().skip(1).collect();
    let all = if given.is_empty() { all } else { given };
    for source in &all {
        peak_mib();
        let (result, ms) = run(source.clone(), big.clone());
        let mark = if ms > MS_MAX { "SLOW" } else { "    " };
        slow += usize::from(ms > MS_MAX);
        let end = match result {
            Ok(value) => format!("gave {value}"),
            Err(error) => error,
        };
        let end: String = end.chars().take(SHOWN).collect();
        let source: String = source.chars().take(SHOWN).collect();
        println!("{mark} {ms:>8.1} ms {:>5} MiB  {source}: {end}", peak_mib());
    }
    println!("{} expressions, {slow} over {MS_MAX} ms", all.len());
    if slow == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
