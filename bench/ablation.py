#!/usr/bin/env python3
"""What each option that makes questions faster is worth, alone and together:
  ablation.py LITESTAGE -m MODEL --file SET --limit N --rounds R [--plan PLAN] [--json FILE]
The same questions are asked under one setting after another, every second round in reversed order; the first question of each run
warms up and is not counted. Prints a Markdown table: means over questions and rounds, how many times as fast as the base with the
95 % interval over questions (paired, bootstrap), and how many answers are right and are the base's. With --json every finished run is
kept, and the same command goes on behind them. Needs Python 3 alone."""

import argparse
import hashlib
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys

EXAMPLE = """example:
  bench/ablation.py build/release/litestage -m qwen2.5-coder-0.5b --program recall-analyze-answer \\
      --file openbookqa/dev.jsonl --limit 30 --rounds 3 --json ablation.json"""
BASE = "base"
LEAD = "0.3"  # from which an early answer is taken
RESAMPLES = 10000
SEED = 1


def fail(sentence):
    print(f"ablation.py: error: {sentence}", file=sys.stderr)
    sys.exit(2)


class Litestage:
    """The program, which tells each warning once."""

    def __init__(self, path):
        self.path = path
        self.told = set()

    def run(self, words):
        """@return what it writes to the standard output"""
        try:
            run = subprocess.run([self.path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except OSError as error:
            fail(f"{self.path} cannot be run: {error.strerror}")
        lines = run.stderr.splitlines()
        if run.returncode != 0:
            fail(f"litestage {words[0]} ended with {run.returncode}: {lines[-1] if lines else 'it says nothing'}")
        for line in lines:
            if line not in self.told:
                print(line, file=sys.stderr)
        self.told.update(lines)
        return run.stdout


def model_files(litestage, model):
    """@return the model's file and the preview of its head beside it, where --head auto looks for it; None for what is not there"""
    path = pathlib.Path(model)
    if not path.is_file():
        listed = json.loads(litestage.run(["models", "--json"]))["models"]
        path = next((pathlib.Path(known["path"]) for known in listed if known["name"] == model and known["path"]), None)
        if path is None:
            return None, None
    head = path.with_suffix(".head.gguf")
    return path, head if head.exists() else None


def settings(plan, preview):
    """@return name: flags; the base first"""
    full = ["--kv", "exact", "--head", "full"]
    head = ["--head", "auto" if preview else "full"]
    early = ["--leave-at", LEAD, "--ask-first"]
    made = {
        BASE: full,
        "no KV kept": ["--kv", "none", "--head", "full"],
        "branches in turn": full + ["--branches-in-turn"],
        "no KV kept, branches in turn": ["--kv", "none", "--head", "full", "--branches-in-turn"],
    }
    if preview:  # all that changes no text: the base has KV kept and branches in one batch
        made["head in two passes"] = ["--kv", "exact"] + head
    made.update({
        f"early answers at a lead of {LEAD}, asked first": full + early,
        "two branches": full + ["--most-branches", "2"],
        "branches merged": full + ["--merge-branches"],
    })
    kv = ["--kv", "exact"]
    if plan:
        all_stages = ["--leave-at", "2", "--most-branches", "0", "--plan", plan]
        kv = ["--kv", "whole"]
        made.update({
            "the plan's masks": full + all_stages + ["--no-exit"],
            "the plan's masks, KV of other FFNs used": kv + ["--head", "full"] + all_stages + ["--no-exit"],
            "the plan's exit rules": full + all_stages + ["--mask", "none"],
        })
        kv += ["--plan", plan]
    made["everything together"] = kv + head + early + ["--most-branches", "2", "--merge-branches"]
    return made


def plan_program(path):
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["program"]["name"]
    except (ValueError, KeyError, TypeError):
        fail(f"{path} is no plan")


def question(line):
    """What a record of one question tells."""
    record = json.loads(line)
    stages = record["stages"]
    return {
        "read_tokens": sum(stage["prompt_tokens"] - stage["reused_tokens"] for stage in stages),
        "written_tokens": sum(stage["tokens"] for stage in stages),
        "read_ms": sum(stage["prefill_ms"] for stage in stages),
        "write_ms": sum(stage["decode_ms"] for stage in stages),
        "total_ms": record["total_ms"],
        "answer": record["answer"],
        "correct": record.get("correct"),
    }


def ask(litestage, options, program, flags):
    """@return the questions of one run, without the first"""
    words = ["run", "--json", "-m", options.model, "-t", str(options.threads), "--file", options.file, "--offset", str(options.offset),
             "--limit", str(options.limit + 1), *flags]
    if program:
        words += ["--program", program]
    questions = [question(line) for line in litestage.run(words).splitlines()]
    if len(questions) < 2:
        fail(f"{options.file} has too few questions: the first one only warms up")
    return questions[1:]


def sha256(path):
    """@return of the file; None where there is none"""
    if not path:
        return None
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def begin(options, litestage, program, made, files):
    """All that measurements depend on."""
    return {
        "model": options.model, "model_sha256": sha256(files[0]), "head_sha256": sha256(files[1]),
        "threads": options.threads, "program": program, "offset": options.offset, "limit": options.limit,
        "cpu": json.loads(litestage.run(["doctor", "--json"]))["cpu"], "litestage_sha256": sha256(options.litestage),
        "file_sha256": sha256(options.file), "plan_sha256": sha256(options.plan), "settings": made,
    }


def load(path, begun):
    """@return the runs that a file holds; none where there is no file"""
    if path is None or not path.exists():
        return []
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        other = [key for key in begun if kept["begun"].get(key) != begun[key]]
        runs = kept["runs"]
    except (ValueError, KeyError, TypeError, AttributeError):
        fail(f"{path} is no file of this program; name another one by --json")
    if other:
        fail(f"{path} was begun with another {other[0]}; name another file by --json")
    return runs


def save(path, begun, runs):
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"begun": begun, "runs": runs}, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def measure(options, litestage, program, made, begun):
    """@return for each setting its runs, in the order of the rounds"""
    path = pathlib.Path(options.json) if options.json else None
    runs = load(path, begun)
    known = {(run["round"], run["setting"]) for run in runs}
    for turn in range(options.rounds):
        names = list(made) if turn % 2 == 0 else list(reversed(made))
        for name in names:
            if (turn, name) in known:
                continue
            print(f"round {turn + 1} of {options.rounds}: {name}", file=sys.stderr)
            runs.append({"round": turn, "setting": name, "questions": ask(litestage, options, program, made[name])})
            if path:
                save(path, begun, runs)
    return {name: [run["questions"] for run in sorted(runs, key=lambda run: run["round"]) if run["setting"] == name] for name in made}


def times(runs):
    """@return for each question the mean of its rounds, milliseconds in all"""
    return [statistics.mean(turns) for turns in zip(*([question["total_ms"] for question in run] for run in runs))]


def ratio(base, other):
    """@return how many times as fast the other is, with the 95 % interval over questions"""
    draw = random.Random(SEED)
    pairs = list(zip(base, other))
    drawn = []
    for _ in range(RESAMPLES):
        sample = draw.choices(pairs, k=len(pairs))
        drawn.append(sum(one for one, _ in sample) / sum(two for _, two in sample))
    cuts = statistics.quantiles(drawn, n=40, method="inclusive")  # of 2.5 % each
    return sum(base) / sum(other), cuts[0], cuts[-1]


def row(name, runs, base):
    every = [question for run in runs for question in run]
    read, written, read_ms, write_ms, total = (
        statistics.mean(question[key] for question in every)
        for key in ("read_tokens", "written_tokens", "read_ms", "write_ms", "total_ms"))
    faster = "1" if name == BASE else "{:.2f} [{:.2f}, {:.2f}]".format(*ratio(times(base), times(runs)))
    judged = [question["correct"] for question in runs[0] if question["correct"] is not None]
    right = str(sum(judged)) if judged else "–"
    same = sum(one["answer"] == other["answer"] for one, other in zip(runs[0], base[0]))
    return f"| {name} | {read:.0f}, {written:.0f} | {read_ms:.0f} | {write_ms:.0f} | {total:.0f} | {faster} | {right} | {same} |"


def table(measured):
    base = measured[BASE]
    count = len(base[0])
    lines = [f"| setting | tokens read, written | reading, ms | writing, ms | in all, ms | times as fast as the base [95 %] | right of {count} "
             "| answers as the base |", "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |"]
    return "\n".join(lines + [row(name, runs, base) for name, runs in measured.items()])


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].rstrip(":"), epilog=EXAMPLE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("litestage", help="the program")
    parser.add_argument("-m", "--model", required=True, help="name or path, as litestage takes it")
    parser.add_argument("--file", required=True, help="question set with answers")
    parser.add_argument("--offset", type=int, default=0, help="questions to pass over (0)")
    parser.add_argument("--limit", type=int, default=30, help="questions that count; one more warms up (30)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each setting is run (3)")
    parser.add_argument("--program", help="of all questions; else the plan's, or as each question asks")
    parser.add_argument("--plan", help="measures its masks and its exit rules too, and puts them into everything together")
    parser.add_argument("-t", "--threads", type=int, default=0, help="0: one a physical core (0)")
    parser.add_argument("--json", help="file that keeps every run and is gone on from")
    options = parser.parse_args()
    if options.limit < 1 or options.rounds < 1:
        fail("--limit and --rounds must be at least 1")
    if options.json and not os.access(pathlib.Path(options.json).absolute().parent, os.W_OK | os.X_OK):
        fail(f"the folder of {options.json} cannot be written to")
    for path in filter(None, (options.litestage, options.file, options.plan)):
        if not pathlib.Path(path).is_file():
            fail(f"there is no file {path}")
    return options


def main():
    options = parse()
    litestage = Litestage(os.path.abspath(options.litestage))
    program = options.program or (plan_program(options.plan) if options.plan else None)
    files = model_files(litestage, options.model)
    preview = files[1] is not None
    if not preview:
        print(f"no preview of the head lies beside {options.model}: the head in two passes is left out", file=sys.stderr)
    if not options.plan:
        print("no --plan: masks and exit rules are left out, and with them --kv whole, which differs where masks do", file=sys.stderr)
    made = settings(options.plan, preview)
    print(table(measure(options, litestage, program, made, begin(options, litestage, program, made, files))))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
