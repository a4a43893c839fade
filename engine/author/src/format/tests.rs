//! What is formatted how.

use super::*;

fn formatted(text: &str) -> Result<String, Error> {
    format(&Source { name: "t.yaml".to_owned(), text: text.to_owned() })
}

fn check(text: &str, expected: &str) {
    let once = formatted(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(once, expected, "{text}");
    assert_eq!(formatted(&once).unwrap(), once, "a second time changes nothing");
}

#[test]
fn levels_are_two_blanks_and_lists_are_indented() {
    check(
        "a:\n    b:\n    - 1\n    -   c: 2\n        d: 3\n",
        "a:\n  b:\n    - 1\n    - c: 2\n      d: 3\n",
    );
    check("a: 1   \n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n");
    check("a:   1\nb:\n  c\n", "a: 1\nb: c\n");
    check("a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n");
    check("- - 1\n  - 2\n", "-\n  - 1\n  - 2\n");
    check("a:\nb: ~\n", "a:\nb: ~\n");
}

#[test]
fn keys_stand_in_reading_order_and_take_their_comments_along() {
    check(
        "# The file.\n\n# The tasks.\ndo:\n- a:\n    # kept\n    then: end # why\n    # set it\n    set: {b: 1}\n    if: .x\ndocument:\n  version: '1.0.0'\n  name: n\n",
        "# The file.\n\n# The tasks.\ndocument:\n  name: n\n  version: '1.0.0'\ndo:\n  - a:\n      if: .x\n      # set it\n      set: {b: 1}\n      # kept\n      then: end # why\n",
    );
    // What the author set keeps its order.
    check(
        "do:\n  - a:\n      set:\n        z: 1\n        a: 2\n",
        "do:\n  - a:\n      set:\n        z: 1\n        a: 2\n",
    );
}

#[test]
fn comments_stay_where_they_belong() {
    check(
        "a: # about a\n  b: 1 # one\n  # end of a\n# about c\nc: 2\n# the end\n",
        "a: # about a\n  b: 1 # one\n  # end of a\n# about c\nc: 2\n# the end\n",
    );
    check(
        "a:\n  - 1\n  # between\n  - 2\n  # last\nb: 1\n",
        "a:\n  - 1\n  # between\n  - 2\n  # last\nb: 1\n",
    );
    check("a:\n  -   # first\n    b: 1\n", "a:\n  # first\n  - b: 1\n");
    check("a: [1, # one\n  2]\n", "a: [1, # one\n  2]\n");
    check("a: 'x # no comment'\n", "a: 'x # no comment'\n");
}

#[test]
fn texts_over_several_lines_move_as_a_whole() {
    check(
        "a:\n      b: |\n            x\n              y\n\n            z\n      c: 1\n",
        "a:\n  b: |\n    x\n      y\n\n    z\n  c: 1\n",
    );
    check("a: >-\n   x\n   y\n", "a: >-\n  x\n  y\n");
    check("a: |+\n  x\n\nb: 1\n", "a: |+\n  x\n\nb: 1\n");
    check("a: |2\n    x\n   y\n", "a: |2\n    x\n   y\n");
    check("a: x\n     y\n", "a: x\n  y\n");
    check(
        "a: \"x\n     y\"\nb: \"plain\"\nc: \"it's\"\n",
        "a: \"x\n  y\"\nb: 'plain'\nc: \"it's\"\n",
    );
}

#[test]
fn anchors_stay_before_their_aliases() {
    check(
        "do:\n  - a:\n      then: &x end\n      set: {b: 1}\noutput:\n  as: *x\n",
        "do:\n  - a:\n      then: &x end\n      set: {b: 1}\noutput:\n  as: *x\n",
    );
}

#[test]
fn what_cannot_be_read_is_left_alone() {
    assert!(matches!(formatted("a: [1"), Err(Error::Unreadable(_))));
    assert!(matches!(formatted("a: 1\na: 2\n"), Err(Error::Unreadable(_))));
}

#[test]
fn a_diff_shows_what_would_change() {
    assert_eq!(diff("f", "a\n", "a\n"), "");
    let shown = diff("f", "a:   1\n", "a: 1\n");
    assert!(shown.contains("-a:   1\n+a: 1\n"), "{shown}");
}
