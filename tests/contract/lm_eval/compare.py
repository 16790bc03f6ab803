"""Compares what lm-evaluation-harness made of a server with a direct computation:
  compare.py SAMPLES_JSONL SCORE_PROGRAM MODEL
SAMPLES_JSONL is what lm_eval --log_samples wrote. Exit code 0 when both choose the same options and so have the same accuracy."""

import json
import subprocess
import sys


def main():
    samples, program, model = sys.argv[1:]
    documents = [json.loads(line) for line in open(samples, encoding="utf-8")]
    requests = []
    for document in documents:
        arguments = document["arguments"]
        if isinstance(arguments, dict):
            arguments = [[part["arg_0"], part["arg_1"]] for _, part in sorted(arguments.items())]
        requests += [{"context": context, "following": following} for context, following in arguments]
    given = "".join(json.dumps(request) + "\n" for request in requests)
    scores = iter([float(line) for line in subprocess.run([program, model], input=given, text=True, check=True,
                                                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.split()])
    largest, same, served_right, direct_right = 0.0, 0, 0, 0
    for document in documents:
        served = [float(response[0]) for response in document["filtered_resps"]]
        direct = [next(scores) for _ in served]
        largest = max(largest, *(abs(a - b) for a, b in zip(served, direct)))
        served_choice, direct_choice = served.index(max(served)), direct.index(max(direct))
        same += served_choice == direct_choice
        served_right += served_choice == int(document["target"])
        direct_right += direct_choice == int(document["target"])
    print(json.dumps({"questions": len(documents), "same_choice": same, "served_right": served_right, "direct_right": direct_right,
                      "largest_difference_nats": round(largest, 4)}))
    return 0 if served_right == direct_right else 1


if __name__ == "__main__":
    sys.exit(main())
