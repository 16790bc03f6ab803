"""What make_results.sh does with files of records:
  eval_records.py ship RECORDS SHIPPED.xz          writes what may be shipped: questions that all policies have answered, without their texts
  eval_records.py take SHIPPED.xz RECORDS          puts the shipped records in the place of RECORDS where those are fewer or none
  eval_records.py others FOLDER OWN SHIPPED.xz...  unpacks records of other machines into FOLDER, without questions that stand in OWN or in
                                                   those before them; prints their paths
  eval_records.py count RECORDS...                 prints how many questions they hold"""

import collections
import json
import lzma
import os
import pathlib
import sys


def lines_of(path):
    """@return the header and the records, whole lines alone; none where there is no file"""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def write(path, lines):
    path = pathlib.Path(path)
    part = path.with_name(path.name + ".part")
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    part.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME) if path.suffix == ".xz" else text.encode())
    os.replace(part, path)


def questions_of(lines):
    return {record["question_hash"] for record in lines[1:]}


def ship(records, shipped):
    lines = lines_of(records)
    answers = collections.Counter(record["id"] for record in lines[1:])
    whole = [record for record in lines[1:] if answers[record["id"]] == len(lines[0]["arms"])]
    # The questions are their authors'; what models made of them is not.
    write(shipped, lines[:1] + [{**record, "question": "", "options": {}} for record in whole])


def take(shipped, records):
    there = lines_of(shipped)
    if len(there) > len(lines_of(records)):
        write(records, there)


def others(folder, own, *shipped):
    known = questions_of(lines_of(own))
    for path in shipped:
        lines = lines_of(path)
        new = [record for record in lines[1:] if record["question_hash"] not in known]
        known |= questions_of(lines)
        unpacked = pathlib.Path(folder, pathlib.Path(path).stem)
        write(unpacked, lines[:1] + new)
        print(unpacked)


def count(*records):
    print(sum(len(questions_of(lines_of(path))) for path in records))


if __name__ == "__main__":
    {"ship": ship, "take": take, "others": others, "count": count}[sys.argv[1]](*sys.argv[2:])
