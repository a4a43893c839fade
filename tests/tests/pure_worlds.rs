//! `step` is pure: 2,000 random worlds, each walked twice, once with the state serialized between
//! all steps. Both walks must decide the same, to the last command.

use tenure_definition::{Source, compile};
use tenure_tests::random::Random;
use tenure_tests::world::{World, catalog, definition};

/// Worlds walked; the issue asks for this many.
const WORLDS: u64 = 2_000;

/// Expressions need a deep stack, like the runtime's own step threads.
const STACK_BYTES: usize = 64 << 20;

/// Worlds that share a definition and differ in what happens.
const WALKS_OF_A_DEFINITION: u64 = 5;

fn walk(number: u64) -> Vec<(usize, bool)> {
    let mut random = Random::new(number);
    let text = definition(&mut random).to_string();
    let source = Source { name: format!("definition-{number}.json"), text };
    let compiled = compile(&source, &catalog()).map_err(|found| found.render(false));
    let (plan, _) = compiled.expect("a generated definition compiles");
    let walks = (0..WALKS_OF_A_DEFINITION).map(|turn| {
        let mut events = Random::new(number * WALKS_OF_A_DEFINITION + turn);
        let mut plain = World::new(&plan, false);
        plain.run(&mut events.clone());
        let mut serialized = World::new(&plan, true);
        serialized.run(&mut events);
        let same = plain.transitions == serialized.transitions;
        assert!(same, "definition {number}, walk {turn}: the state does not survive its own text");
        (plain.transitions.len(), plain.instance.is_terminal())
    });
    walks.collect()
}

#[test]
fn two_thousand_random_worlds_decide_the_same_when_serialized_between_all_steps() {
    let threads: Vec<_> = (0..2)
        .map(|half| {
            std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    (0..WORLDS / WALKS_OF_A_DEFINITION)
                        .filter(|number| number % 2 == half)
                        .flat_map(walk)
                        .collect::<Vec<_>>()
                })
                .expect("a thread")
        })
        .collect();
    let walks: Vec<_> =
        threads.into_iter().flat_map(|thread| thread.join().expect("no world panics")).collect();
    let steps: usize = walks.iter().map(|(steps, _)| steps).sum();
    let ended = walks.iter().filter(|(_, ended)| *ended).count();
    println!("{} worlds, {steps} steps, {ended} ended", walks.len());
    assert_eq!(walks.len() as u64, WORLDS);
    // A suite whose worlds never get anywhere would prove nothing.
    assert!(steps as u64 > WORLDS * 8, "the worlds hardly move");
    assert!(ended as u64 > WORLDS / 2, "hardly any world comes to its end");
}
