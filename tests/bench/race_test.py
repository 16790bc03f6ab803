"""bench/staged_vs_llamacpp.cpp with a tiny model: what it writes down holds together.
  race_test.py RACE TINY_MODEL_PROGRAM WORK"""

import json
import math
import pathlib
import shutil
import subprocess
import sys

from three_stages import PROGRAM

race, tiny_model, work = sys.argv[1:]
work = pathlib.Path(work)

ASKED = [{"id": name, "question": f"Which is {name}?", "options": ["a brick", "a leaf"], "answer": "A"} for name in ("heavy", "light", "third")]


def run(*words):
    command = [race, "-m", work / "tiny.gguf", "--program", work / "three.toml", "--questions", work / "set.jsonl", "-t", "1", *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def everything_is_written_down():
    # Every early answer is sure enough: what is behind the first stage is left out.
    result = run("--limit", 2, "-r", 2, "--leave-at", 0, "--merge-branches", "--json", "-o", work / "race.json")
    assert result.returncode == 0, result.stderr
    kept = json.loads((work / "race.json").read_text(encoding="utf-8"))
    records = kept.pop("records")
    assert kept == json.loads(result.stdout), result.stdout
    assert kept["questions"] == 2 and kept["repeats"] == 2 and kept["threads"] == 1, kept
    assert kept["machine"] and len(kept["model_hash"]) == 64 and kept["program"].endswith("three.toml"), kept
    racers = {racer["racer"]: racer for racer in kept["racers"]}
    assert list(racers) == ["libllama", "litestage", "litestage+merged", "litestage+early", "litestage+early+merged"], racers
    assert [(record["id"], record["racer"]) for record in records] == [(asked["id"], name) for asked in ASKED[:2] for name in racers]
    for name, racer in racers.items():
        own = [record for record in records if record["racer"] == name]
        assert racer["correct"] == sum(record["correct"] for record in own), name
        assert all(record["gold"] == "A" and record["correct"] == (record["answer"] == "A") for record in own), own
        for figure in ("ms", "read_ms", "write_ms", "read_tokens", "written_tokens"):
            assert math.isclose(racer[figure], sum(record[figure] for record in own) / 2), (name, figure)
        assert racer["peak_bytes"] > 0, name
    assert len({record["question_hash"] for record in records}) == 2, records
    assert racers["libllama"]["speedup"]["value"] == 1 and racers["libllama"]["same_answers"] == 2, racers
    assert racers["litestage"]["same_answers_as_litestage"] == 2, racers
    assert racers["litestage+early"]["written_tokens"] < racers["litestage"]["written_tokens"], racers


def a_table_without_them():
    result = run("--limit", 1)
    assert result.returncode == 0, result.stderr
    lines = [line.split("|")[1].strip() for line in result.stdout.splitlines() if line.startswith("| ")]
    assert lines == ["racer", "libllama", "litestage"], result.stdout


def refused(path, part):
    result = run("--limit", 1, "-o", path)
    assert result.returncode == 2 and result.stdout == "", result
    assert result.stderr.count("\n") == 1 and part in result.stderr, result.stderr


def main():
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    subprocess.run([tiny_model, work / "tiny.gguf"], check=True)
    (work / "three.toml").write_text(PROGRAM, encoding="utf-8")
    (work / "set.jsonl").write_text("".join(json.dumps(question) + "\n" for question in ASKED), encoding="utf-8")
    everything_is_written_down()
    a_table_without_them()
    refused(work / "missing" / "race.json", "cannot be written to")
    refused(work, "is a folder")


if __name__ == "__main__":
    main()
