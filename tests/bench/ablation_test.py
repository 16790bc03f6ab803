"""bench/ablation.py on a made-up program whose times are known, and on the real one with a tiny model.
  ablation_test.py ABLATION LITESTAGE TINY_MODEL_PROGRAM WORK"""

import json
import pathlib
import shutil
import subprocess
import sys

from three_stages import PROGRAM

ablation, litestage, tiny_model, work = sys.argv[1:]
work = pathlib.Path(work)

# Every run takes 100 ms a question, 200 without KV and 50 with branches merged; the first question, which warms up, for ever. It
# keeps a list of its calls, and fails where `broken` names their number.
MADE_UP = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words = sys.argv[1:]
if words[0] == "models":
    print(json.dumps({"models": [{"name": "known", "path": str(here / "known.gguf")}]}))
elif words[0] == "doctor":
    print(json.dumps({"cpu": "a CPU"}))
else:
    calls = here / "calls"
    with open(calls, "a") as file:
        file.write(json.dumps(words) + "\\n")
    broken = here / "broken"
    if broken.exists() and len(calls.read_text().splitlines()) == int(broken.read_text()):
        sys.exit("litestage: error: it broke")
    ms = 200 if "none" in words else 50 if "--merge-branches" in words else 100
    for i in range(int(words[words.index("--limit") + 1])):
        total = 1e9 if i == 0 else ms * i
        stage = {"prompt_tokens": 30, "reused_tokens": 20, "tokens": 5, "prefill_ms": total / 4, "decode_ms": total / 2}
        print(json.dumps({"answer": "B" if ms == 50 and i == 1 else "A", "correct": i != 2, "total_ms": total, "stages": [stage]}))
"""


def run(program, *words):
    return subprocess.run([sys.executable, ablation, str(program), *map(str, words)], capture_output=True, text=True, check=False)


def rows(output):
    """@return the cells of each setting's line"""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines()]
    return {cells[0]: cells[1:] for cells in lines[2:]}


def expect_refused(result, part):
    assert result.returncode == 2 and result.stdout == "", result
    assert part in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr, result.stderr


def made_up_program():
    program = work / "made_up"
    program.write_text(MADE_UP, encoding="utf-8")
    program.chmod(0o755)
    (work / "set.jsonl").write_text("{}\n", encoding="utf-8")
    (work / "known.gguf").touch()
    return program


def names_of_calls():
    kept = json.loads((work / "kept.json").read_text(encoding="utf-8"))
    names = {json.dumps(flags): name for name, flags in kept["begun"]["settings"].items()}
    calls = [json.loads(line) for line in (work / "calls").read_text().splitlines()]
    # Behind the twelve words about model and questions.
    return [names[json.dumps(words[12:])] for words in calls]


def known_times(program):
    command = [program, "-m", "known", "--file", work / "set.jsonl", "--limit", 3, "--rounds", 2, "--json", work / "kept.json"]
    (work / "broken").write_text("5")
    expect_refused(run(*command), "it broke")
    expect_refused(run(*command[:-1], work / "none" / "kept.json"), "cannot be written to")
    assert len(json.loads((work / "kept.json").read_text())["runs"]) == 4
    (work / "broken").unlink()
    (work / "calls").unlink()
    result = run(*command)
    assert result.returncode == 0, result.stderr
    assert "no preview" in result.stderr, result.stderr
    found = rows(result.stdout)
    assert found["base"] == ["10, 5", "50", "100", "200", "1", "2", "3"], found
    assert found["no KV kept"] == ["10, 5", "100", "200", "400", "0.50 [0.50, 0.50]", "2", "3"], found
    assert found["branches merged"] == ["10, 5", "25", "50", "100", "2.00 [2.00, 2.00]", "2", "2"], found
    assert "head in two passes" not in found
    # It went on behind the runs that were kept; the second round is reversed.
    order = list(found)
    assert names_of_calls() == order[4:] + order[::-1], names_of_calls()

    assert rows(run(*command).stdout) == found
    assert len(names_of_calls()) == 2 * len(order) - 4, "nothing is run again"
    expect_refused(run(*command, "--limit", 2), "kept.json was begun with another limit")
    (work / "kept.json").write_text("[]")
    expect_refused(run(*command), "kept.json is no file of this program")


def preview_and_plan(program):
    (work / "known.head.gguf").touch()
    (work / "plan.json").write_text(json.dumps({"program": {"name": "three"}}))
    (work / "calls").unlink()
    result = run(program, "-m", "known", "--file", work / "set.jsonl", "--limit", 3, "--rounds", 1, "--plan", work / "plan.json")
    assert result.returncode == 0 and result.stderr.count("\n") == len(rows(result.stdout)), result.stderr
    calls = dict(zip(rows(result.stdout), (json.loads(line) for line in (work / "calls").read_text().splitlines())))
    assert all(words[-2:] == ["--program", "three"] for words in calls.values()), calls
    assert "auto" in calls["head in two passes"] and "full" in calls["base"]
    masks, whole, rules = (calls["the plan's " + name] for name in ("masks", "masks, KV of other FFNs used", "exit rules"))
    assert "--no-exit" in masks and "exact" in masks and "--no-exit" in whole and "whole" in whole
    assert "--no-exit" not in rules and rules[rules.index("--mask") + 1] == "none"
    (work / "plan.json").write_text("{}")
    expect_refused(run(program, "-m", "known", "--file", work / "set.jsonl", "--plan", work / "plan.json"), "plan.json is no plan")


def real_program():
    subprocess.run([tiny_model, work / "tiny.gguf"], check=True)
    (work / "three.toml").write_text(PROGRAM, encoding="utf-8")
    asked = [{"question": f"Which is number {i}?", "options": ["a brick", "a leaf", "snow"], "answer": "A"} for i in range(3)]
    (work / "real.jsonl").write_text("".join(json.dumps(question) + "\n" for question in asked), encoding="utf-8")
    result = run(litestage, "-m", work / "tiny.gguf", "--file", work / "real.jsonl", "--program", work / "three.toml", "--limit", 2,
                 "--rounds", 1, "-t", 1, "--json", work / "real.json")
    assert result.returncode == 0, result.stderr
    found = rows(result.stdout)
    read = {name: int(cells[0].split(",")[0]) for name, cells in found.items()}
    assert len(found) == 8 and found["base"][-1] == "2", found
    assert read["no KV kept"] > read["base"], read
    runs = json.loads((work / "real.json").read_text())["runs"]
    assert [len(one["questions"]) for one in runs] == [2] * 8, runs
    expect_refused(run(litestage, "-m", work / "missing.gguf", "--file", work / "real.jsonl"), "missing.gguf")


def main():
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    program = made_up_program()
    known_times(program)
    preview_and_plan(program)
    real_program()


if __name__ == "__main__":
    main()
