"""An evaluation by several processes writes what one process writes; after one of them is killed it goes on.
  eval_test.py MPIEXEC PROGRAM_WITH_MPI PROGRAM_WITHOUT SOURCE WORK
LITESTAGE_TEST_MODEL is the small model."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from launch import kill_one_rank, many, succeed

mpiexec, with_mpi, without_mpi, source, work = sys.argv[1:]
work = pathlib.Path(work)
RANKS = 3


def command(output, program=with_mpi):
    return [program, "eval", "-m", os.environ["LITESTAGE_TEST_MODEL"], "-t", "1", "-c", "1024", "--tasks",
            f"demo:{source}/questions/demo.jsonl", "--program", "demo=direct", "--limit", "12", "--policy", "full",
            "--policy", "direct", "-o", str(output)]


def records(path):
    """What was answered, by arm and question; each once."""
    answers = {}
    with open(path, encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            if not line.endswith("\n"):
                break
            record = json.loads(line)
            key = (record["arm"], record["id"])
            assert key not in answers, f"{key} was answered twice"
            answers[key] = (record["prediction"], [stage["text"] for stage in record["stages"]])
    return answers


def main():
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    succeed(command(work / "one.jsonl"))
    expected = records(work / "one.jsonl")
    assert len(expected) == 24, len(expected)

    run = succeed(many(mpiexec, command(work / "many.jsonl"), RANKS))
    assert records(work / "many.jsonl") == expected
    alone = succeed(command(work / "one.jsonl"))
    assert len(run.stdout.splitlines()) == len(alone.stdout.splitlines()), "only the first rank shows results:\n" + run.stdout

    killed = subprocess.Popen(many(mpiexec, command(work / "killed.jsonl"), RANKS), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (work / "killed.jsonl").exists() or len(records(work / "killed.jsonl")) < 3:
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    kill_one_rank(killed)
    assert killed.wait(60) != 0
    before = records(work / "killed.jsonl")
    assert 3 <= len(before) < 24, len(before)
    succeed(many(mpiexec, command(work / "killed.jsonl"), 2))
    assert records(work / "killed.jsonl") == expected
    assert all(expected[key] == answer for key, answer in before.items())

    other = subprocess.run(many(mpiexec, command(work / "none.jsonl", without_mpi), RANKS), capture_output=True, text=True, check=False)
    assert other.returncode == 2 and "LITESTAGE_MPI" in other.stderr, other
    assert not (work / "none.jsonl").exists()
    wrong = subprocess.run(many(mpiexec, command(work / "no" / "folder.jsonl"), RANKS), capture_output=True, text=True, check=False, timeout=60)
    assert wrong.returncode == 2 and "folder" in wrong.stderr, wrong
    print("evaluations by several processes: fine")


if __name__ == "__main__":
    main()
