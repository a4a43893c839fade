//! Small definitions and their drawings.

use tenure_adapter::Catalog;
use tenure_definition::{Source, compile};

use super::*;

const HEAD: &str = "document: {dsl: '1.0.3', namespace: shop, name: small, version: '1.0.0'}\n";

fn graph(body: &str) -> Graph {
    let source = Source { name: "t.yaml".to_owned(), text: format!("{HEAD}{body}") };
    let compiled = compile(&source, &Catalog::default());
    let (plan, _) = compiled.unwrap_or_else(|found| panic!("{}", found.render(false)));
    Graph::of(&plan)
}

const SMALL: &str = "\
do:
  - look:
      set: {a: 1}
  - choose:
      switch:
        - again: {when: .a == 2, then: look}
        - stop: {when: .a == 3, then: end}
  - guarded:
      try:
        - pause: {wait: PT1S}
      catch:
        retry: {delay: PT1S, limit: {attempt: {count: 2}}}
        do:
          - note: {set: {failed: true}, then: exit}
          - more: {set: {b: 1}}
";

/// One line an arc.
fn arcs(graph: &Graph) -> Vec<String> {
    graph
        .arcs
        .iter()
        .map(|arc| {
            let (from, to) = (&graph.node(arc.from).name, &graph.node(arc.to).name);
            format!("{from} -{}-> {to} {}", arc.kind.word(), arc.label).trim_end().to_owned()
        })
        .collect()
}

#[test]
fn arcs_say_why_they_are_taken() {
    assert_eq!(
        arcs(&graph(SMALL)),
        [
            "start -start-> look",
            "look -next-> choose",
            "choose -case-> look again",
            "choose -case-> guarded else",
            "choose -case-> end stop",
            "guarded -next-> end",
            "guarded -body-> pause",
            "guarded -retry-> pause retry, at most 2",
            "guarded -catch-> note any error",
            "note -exit-> exit",
            "more -next-> exit",
        ]
    );
}

#[test]
fn the_list_shows_what_does_not_simply_go_on() {
    let text = graph(SMALL).render(Format::Text, &Highlight::default());
    assert_eq!(
        text,
        "\
small:1.0.0  shop
├─ look        set a
├─ choose      switch  again → look  else → guarded  stop → end
└─ guarded     try  ↻ retry, at most 2
   ├─ pause    wait PT1S
   └─ catch    any error
      ├─ note  set failed  → exit
      └─ more  set b
"
    );
}

#[test]
fn mermaid_quotes_every_name() {
    let text = graph(SMALL).render(Format::Mermaid, &Highlight::default());
    assert_eq!(
        text,
        "\
flowchart TD
  n0([\"start\"])
  n1(\"look<br/>a\")
  n2{{\"choose<br/>switch\"}}
  subgraph n3[\"guarded: try\"]
    n3i(( ))
    n4([\"pause<br/>PT1S\"])
    subgraph n3c[\"catch\"]
      n5(\"note<br/>failed\")
      n6(\"more<br/>b\")
      n8((\"exit\"))
    end
  end
  n7([\"end\"])
  n0 --> n1
  n1 --> n2
  n2 -->|\"again\"| n1
  n2 -->|\"else\"| n3
  n2 -->|\"stop\"| n7
  n3 --> n7
  n3i --> n4
  n3i -.->|\"retry, at most 2\"| n4
  n3i -.->|\"catch any error\"| n5
  n5 --> n8
  n6 --> n8
"
    );
    let odd = "do:\n  - 'a\"] --> end; <b>`': {set: {x: 1}}\n";
    let text = graph(odd).render(Format::Mermaid, &Highlight::default());
    assert!(text.contains("n1(\"a#quot;] --#gt; end; #lt;b#gt;#96;<br/>x\")"), "{text}");
}

#[test]
fn graphviz_reads_names_as_texts() {
    let odd = "do:\n  - 'a\"]; b [': {set: {x: 1}}\n";
    let text = graph(odd).render(Format::Dot, &Highlight::default());
    assert!(text.contains("label=\"a\\\"]; b [\\nx\""), "{text}");
}

#[test]
fn the_picture_carries_pointers_and_marks() {
    let highlight = Highlight {
        done: ["/do/0/look", "/do/1/choose"].map(str::to_owned).into(),
        active: ["/do/1/choose", "/do/9/nothing"].map(str::to_owned).into(),
        failed: ["/do/2/guarded/try/0/pause"].map(str::to_owned).into(),
    };
    let graph = graph(SMALL);
    let svg = graph.render(Format::Svg, &highlight);
    for expected in [
        "<g class=\"task set done\" id=\"task-do-0-look\" data-pointer=\"/do/0/look\">",
        "<g class=\"task switch active\" id=\"task-do-1-choose\"",
        "<g class=\"task wait failed\" id=\"task-do-2-guarded-try-0-pause\"",
        "<g class=\"task try box\" id=\"task-do-2-guarded\"",
        "<title>switch choose (/do/1/choose)</title>",
        ">small:1.0.0</text>",
        ">again</text>",
    ] {
        assert!(svg.contains(expected), "{expected} is not in\n{svg}");
    }
    assert_eq!(svg, graph.render(Format::Svg, &highlight), "drawn twice, the same");
}

#[test]
fn no_name_leaves_its_place_in_the_picture() {
    let odd = "do:\n  - '</title><script>alert(1)</script>&\"': {set: {x: 1}}\n";
    let svg = graph(odd).render(Format::Svg, &Highlight::default());
    assert!(!svg.contains("<script"), "{svg}");
    assert!(svg.contains("&lt;/title&gt;&lt;script&gt;"), "{svg}");
}

/// Neighbors do not touch, children are inside their parents, everything is on the paper.
#[test]
fn nothing_overlaps() {
    [SMALL, BESIDE].into_iter().for_each(apart_on_paper);
}

fn apart_on_paper(text: &str) {
    let graph = graph(text);
    let area = layout::drawing(&graph);
    let inside = |a: &layout::Placed, b: &layout::Placed| {
        a.x >= b.x
            && a.y >= b.y
            && a.x + a.width <= b.x + b.width
            && a.y + a.height <= b.y + b.height
    };
    let apart = |a: &layout::Placed, b: &layout::Placed| {
        a.x + a.width <= b.x
            || b.x + b.width <= a.x
            || a.y + a.height <= b.y
            || b.y + b.height <= a.y
    };
    let is_above = |mut node: usize, above: usize| {
        while let Some(parent) = graph.node(node).parent {
            if parent == above {
                return true;
            }
            node = parent;
        }
        false
    };
    for a in &area.boxes {
        assert!(a.x >= 0 && a.y >= 0 && a.x + a.width <= area.width, "{a:?}");
        assert!(a.y + a.height <= area.height, "{a:?}");
        for b in area.boxes.iter().filter(|b| b.node != a.node) {
            if is_above(a.node, b.node) {
                assert!(inside(a, b), "{a:?} is not inside {b:?}");
            } else if !is_above(b.node, a.node) {
                assert!(apart(a, b), "{a:?} lies on {b:?}");
            }
        }
    }
    for (x, y) in area.lines.iter().flat_map(|line| &line.points) {
        assert!((0..=area.width).contains(x) && (0..=area.height).contains(y), "{x} {y}");
    }
}

const BESIDE: &str = "\
use:
  functions:
    twice:
      do:
        - once: {set: {n: 1}}
        - again: {set: {n: 2}}
  extensions:
    - audit:
        extend: wait
        when: .n == 1
        before: [{note: {emit: {event: {with: {type: shop.noted}}}}}]
        after: [{done: {emit: {event: {with: {type: shop.done}}}}}]
do:
  - first: {call: twice}
  - second: {call: twice, metadata: {compensate: [{undo: {set: {n: 0}}}]}}
  - rest: {wait: PT1S}
  - hear:
      listen: {to: {any: [], until: {one: {with: {type: shop.closed}}}}}
      foreach: {item: change, do: [{keep: {set: {n: 3}}}]}
";

/// They were drawn as tasks without arcs, all of one pointer under one id.
#[test]
fn what_lies_around_a_task_has_a_section_of_its_own() {
    let graph = graph(BESIDE);
    assert_eq!(
        graph.render(Format::Text, &Highlight::default()),
        "\
small:1.0.0  shop
├─ first        call twice
│  └─ twice     do
│     ├─ once   set n
│     └─ again  set n
├─ second       call twice
│  ├─ twice     do
│  │  ├─ once   set n
│  │  └─ again  set n
│  └─ undo
│     └─ undo   set n
├─ rest         wait PT1S
│  ├─ before    audit?
│  │  └─ note   emit shop.noted
│  └─ after     audit?
│     └─ done   emit shop.done
└─ hear         listen any event
   └─ keep      set n
"
    );
    let all = arcs(&graph);
    for expected in [
        "second -body-> twice",
        "second -undo-> undo",
        "rest -before-> note audit?",
        "rest -after-> done audit?",
        "hear -loop-> keep each change",
    ] {
        assert!(all.iter().any(|arc| arc == expected), "{expected} is not in {all:?}");
    }
    let svg = graph.render(Format::Svg, &Highlight::default());
    let ids: Vec<&str> =
        svg.split(" id=\"task").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let unique: BTreeSet<&&str> = ids.iter().collect();
    assert!(ids.len() >= 12 && unique.len() == ids.len(), "{ids:?}");
    let mermaid = graph.render(Format::Mermaid, &Highlight::default());
    assert!(mermaid.contains("b0[\"before\"]") && mermaid.contains("u[\"undo\"]"), "{mermaid}");
}
