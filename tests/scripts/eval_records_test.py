"""scripts/eval_records.py: machines that share a task lose no answer, count none twice, and ship no question's text.
  eval_records_test.py EVAL_RECORDS WORK"""

import json
import lzma
import pathlib
import shutil
import subprocess
import sys

script, work = sys.argv[1:]
work = pathlib.Path(work)
HEADER = {"arms": [{"policy": "full"}, {"policy": "direct"}]}


def records(*ids, arms=(0, 1)):
    """Questions that all policies, or some, have answered."""
    return [{"arm": arm, "id": i, "question_hash": f"hash {i}", "question": "Why ä?", "options": {"A": "x"}} for i in ids for arm in arms]


def write(name, lines, torn=""):
    text = "".join(json.dumps(line) + "\n" for line in [HEADER, *lines]) + torn
    path = work / name
    path.write_bytes(lzma.compress(text.encode()) if path.suffix == ".xz" else text.encode())
    return path


def lines_of(path):
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def ids_of(path):
    return [record["id"] for record in lines_of(path)[1:]]


def run(*words):
    return subprocess.run([sys.executable, script, *map(str, words)], capture_output=True, text=True, check=True).stdout.split()


def ships_whole_questions_without_texts():
    own = write("own.jsonl", records("a", "b") + records("c", arms=(0,)), torn='{"arm": 1, "id": "c", "quest')
    shipped = work / "own.jsonl.xz"
    run("ship", own, shipped)
    assert ids_of(shipped) == ["a", "a", "b", "b"], ids_of(shipped)
    assert lines_of(shipped)[0] == HEADER
    assert all(record["question"] == "" and record["options"] == {} for record in lines_of(shipped)[1:])
    assert not list(work.glob("*.part"))


def takes_what_is_more():
    shipped = write("more.jsonl.xz", records("a", "b"))
    for lines, expected in ((records("z"), ["a", "a", "b", "b"]), (records("x", "y", "z"), ["x", "x", "y", "y", "z", "z"])):
        own = write("taken.jsonl", lines)
        run("take", shipped, own)
        assert ids_of(own) == expected, ids_of(own)
    new = work / "new.jsonl"
    run("take", shipped, new)
    assert ids_of(new) == ["a", "a", "b", "b"]
    run("take", work / "none.xz", work / "nothing.jsonl")
    assert not (work / "nothing.jsonl").exists()


def no_question_is_joined_twice():
    own = write("mine.jsonl", records("a", "b"))
    one = write("one.jsonl.xz", records("b", "c") + records("d", arms=(1,)))
    two = write("two.jsonl.xz", records("c", "d", "e"))
    folder = work / "unpacked"
    folder.mkdir()
    paths = [pathlib.Path(path) for path in run("others", folder, own, one, two)]
    assert paths == [folder / "one.jsonl", folder / "two.jsonl"], paths
    assert ids_of(paths[0]) == ["c", "c", "d"] and ids_of(paths[1]) == ["e", "e"]
    assert run("count", *paths) == ["3"]
    assert run("count") == ["0"]
    assert run("others", folder, work / "nobody.jsonl") == []


shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
ships_whole_questions_without_texts()
takes_what_is_more()
no_question_is_joined_twice()
