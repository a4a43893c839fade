"""Asks the real jq (PyPI `jq`) about the cases of this folder.

Reads lines {"jq": text, "in": value} and prints {"out": value} (the first output, null for none)
or {"error": true} for each. `ask.py --write cases.jsonl` puts the answers into the file of cases.
"""

import json
import sys

import jq


def ask(case):
    try:
        outputs = iter(jq.compile(case["jq"]).input_text(json.dumps(case["in"])))
        return {"out": next(outputs, None)}
    except (ValueError, StopIteration):
        return {"error": True}


def write(path):
    """Puts the answers into the file of cases, whose inputs are named before they are used."""
    inputs, lines = {}, []
    for line in open(path, encoding="utf-8"):
        case = json.loads(line)
        if "input" in case:
            inputs[case["input"]] = case["value"]
        if "jq" in case:
            kept = {key: case[key] for key in case if key not in ("out", "error")}
            case = {**kept, **ask({"jq": case["jq"], "in": inputs[case["on"]]})}
        lines.append(json.dumps(case, ensure_ascii=False))
    open(path, "w", encoding="utf-8").write("\n".join(lines) + "\n")


def main():
    if sys.argv[1:2] == ["--version"]:
        return
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2])
        return
    for line in sys.stdin:
        print(json.dumps(ask(json.loads(line)), ensure_ascii=False))


if __name__ == "__main__":
    main()
