//! Drawings of whole definitions.

use std::collections::BTreeSet;
use std::path::Path;

use tenure_author::graph::{Format, Graph, Highlight};
use tenure_definition::Plan;

use crate::kit::{catalog, ours, plan, upstream};

fn plans() -> Vec<(String, Plan)> {
    let catalog = catalog();
    ours()
        .into_iter()
        .chain(upstream())
        .filter_map(|found| Some((found.name.clone(), plan(&found, &catalog)?)))
        .collect()
}

/// Every picture is written below the target folder, to be looked at.
#[test]
fn every_definition_can_be_drawn() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("graphs");
    std::fs::create_dir_all(&folder).unwrap();
    let plans = plans();
    for (name, plan) in &plans {
        let graph = Graph::of(plan);
        for (format, extension) in [
            (Format::Svg, "svg"),
            (Format::Mermaid, "mmd"),
            (Format::Dot, "dot"),
            (Format::Text, "txt"),
        ] {
            let text = graph.render(format, &Highlight::default());
            assert_eq!(text, Graph::of(plan).render(format, &Highlight::default()), "{name}");
            std::fs::write(folder.join(format!("{name}.{extension}")), text).unwrap();
        }
    }
}

/// The drawing has the arcs of the plan, and no others between tasks.
#[test]
fn a_drawing_leads_where_the_plan_leads() {
    for (name, plan) in plans() {
        let graph = Graph::of(&plan);
        let drawn: BTreeSet<(String, String)> = graph
            .arcs
            .iter()
            .map(|arc| (&graph.nodes[arc.from], &graph.nodes[arc.to]))
            .filter(|(from, to)| from.kind.is_task() && to.kind.is_task())
            .map(|(from, to)| (from.pointer.clone(), to.pointer.clone()))
            .collect();
        let meant: BTreeSet<(String, String)> = plan
            .flow
            .edge_indices()
            .map(|edge| plan.flow.edge_endpoints(edge).unwrap())
            .map(|(from, to)| {
                (plan.tasks[from.index()].pointer.clone(), plan.tasks[to.index()].pointer.clone())
            })
            .collect();
        assert_eq!(drawn, meant, "{name}");
    }
}

/// What begins and ends a drawing in `workflows/README.md`.
fn marks(name: &str) -> (String, &'static str) {
    (format!("<!-- drawing: {name} -->\n```mermaid\n"), "```\n")
}

/// The pages of `workflows/` show each process as it is. With `TENURE_UPDATE=1` they are written.
#[test]
fn the_drawings_of_our_definitions_are_current() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows/DRAWINGS.md");
    let before = std::fs::read_to_string(&page).unwrap();
    let mut text = before.clone();
    let catalog = catalog();
    for found in ours() {
        let drawn = Graph::of(&plan(&found, &catalog).unwrap());
        let drawn = drawn.render(Format::Mermaid, &Highlight::default());
        let (open, close) = marks(&found.name);
        let (head, rest) = text.split_once(&open).unwrap_or_else(|| {
            panic!("workflows/DRAWINGS.md has no drawing of {}: add {open}{close}", found.name)
        });
        let (_, tail) = rest.split_once(close).unwrap();
        text = format!("{head}{open}{drawn}{close}{tail}");
    }
    if std::env::var_os("TENURE_UPDATE").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    assert!(
        text == before || std::env::var_os("TENURE_UPDATE").is_some(),
        "workflows/DRAWINGS.md shows other drawings than the definitions make: \
         play this test with TENURE_UPDATE=1"
    );
}
