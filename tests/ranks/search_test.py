"""A search by several processes keeps in its memo what one process keeps; after one of them is killed it goes on.
  search_test.py MPIEXEC PROGRAM TINY_MODEL SOURCE WORK
TINY_MODEL writes a tiny random model: what is searched, asked and kept does not depend on how well it answers."""

import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time

from launch import kill_one_rank, many, succeed

mpiexec, program, tiny_model, source, work = sys.argv[1:]
work = pathlib.Path(work)
RANKS = 3
QUESTIONS = 15
PROGRAM = """
name = "two-steps"
format = "plain"
[[stage]]
name = "recall"
max_tokens = 40
prompt = "What is known about this? {{question}}"
[[stage]]
name = "answer"
output = "choice"
prompt = "{{question}}\\n{{options}}\\n{{stage.recall}}\\nWhich option is right? Reply with its letter alone."
"""


def task(verb):
    # In floats and by one kernel, batches of any size round alike: which ones a pool makes depends on the clock.
    return [program, verb, "-m", str(work / "tiny.gguf"), "-t", "1", "-c", "1024", "-fa", "off", "-ctk", "f32", "-ctv", "f32", "--program",
            str(work / "two-steps.toml"), "--questions", f"{source}/questions/demo.jsonl"]


def command(plan):
    return [*task("search"), "--limit", str(QUESTIONS), "--method", "paper", "--max-skipped", "1", "--max-loss", "100",
            "--no-exit", "--timed-questions", "0", "--parallel", "2", "--importance", str(work / "importance.json"), "--json",
            "-o", str(plan)]


def kept(memo):
    """Keys of the stages in a memo."""
    if not memo.exists():
        return set()
    try:
        with sqlite3.connect(f"file:{memo}?mode=ro", uri=True) as database:
            return {key for (key,) in database.execute("SELECT key FROM outcomes")}
    except sqlite3.OperationalError:  # it is being made
        return set()


def full(plan):
    """How the full model answered: what candidates there are besides depends on the clock."""
    search = json.loads(plan.with_suffix(".search.json").read_text(encoding="utf-8"))["full"]
    return search["questions"], search["correct"], search["written"]


def main():
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "two-steps.toml").write_text(PROGRAM, encoding="utf-8")
    succeed([tiny_model, str(work / "tiny.gguf")])
    succeed([*task("profile"), "--limit", "2", "--damage-tokens", "0", "--timing-seconds", "1", "-o", str(work / "importance.json")])
    alone = work / "alone.json"
    succeed(command(alone))
    least = 2 * QUESTIONS  # stages of the full model
    assert len(kept(alone.with_suffix(".memo"))) >= least

    together = work / "together.json"
    run = succeed(many(mpiexec, command(together), RANKS))
    assert json.loads(run.stdout)["stages"], "only the first rank prints the plan"
    assert len(kept(together.with_suffix(".memo"))) >= least
    assert full(together) == full(alone), (full(together), full(alone))

    killed = work / "killed.json"
    memo = killed.with_suffix(".memo")
    started = subprocess.Popen(many(mpiexec, command(killed), RANKS), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(kept(memo)) < 5:
        assert started.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    kill_one_rank(started)
    assert started.wait(60) != 0
    before = kept(memo)
    assert not killed.exists() and len(before) < least, len(before)
    succeed(many(mpiexec, command(killed), 2))
    assert kept(memo) > before and full(killed) == full(alone), (full(killed), full(alone))

    # The plan was tuned on these questions, which is said once, by whichever program evaluates it.
    warned = succeed(many(mpiexec, [
        program, "eval", "-m", str(work / "tiny.gguf"), "-t", "1", "-c", "1024", "--tasks",
        f"demo:{source}/questions/demo.jsonl", "--program", f"demo={work / 'two-steps.toml'}", "--limit", "3", "--policy", "full",
        "--policy", f"litestage:{together}", "-o", str(work / "tuned.jsonl")], RANKS))
    assert warned.stderr.count("warning: 3 of the 3 questions") == 1, warned.stderr

    other = [word if word != str(QUESTIONS) else "$LIMIT" for word in command(work / "other.json")]
    script = f"LIMIT=$((15 - ${{OMPI_COMM_WORLD_RANK:-$PMI_RANK}})); exec {' '.join(other)}"
    differs = subprocess.run(many(mpiexec, ["sh", "-c", script], 2), capture_output=True, text=True, check=False, timeout=120)
    assert differs.returncode == 2 and "question set differs" in differs.stderr, differs
    print("searches by several processes: fine")


if __name__ == "__main__":
    main()
