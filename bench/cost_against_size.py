"""What a question costs by its size: 2 to 8 options, prompts of 100 to 4,000 tokens, texts of 16 to 512 tokens.
  cost_against_size.py LITESTAGE -m MODEL [-t THREADS] [--rounds 4] [--svg FILE]
Two options are the fewest: a question with a single one leaves nothing to choose and is refused, by every program.
Every size is asked in every round, in an order that changes; the first round warms up and is not counted. Prints a Markdown table
(medians, with the lowest and highest total) and draws a chart. Needs Python 3 alone."""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import tempfile

OPTIONS = [2, 3, 4, 5, 6, 7, 8]
PROMPTS = [100, 250, 500, 1000, 2000, 4000]
TEXTS = [16, 32, 64, 128, 256, 512]
THINGS = ["a steel nail", "a paper cup", "a rubber band", "a wooden pencil", "a glass jar", "a silk scarf", "a clay pot", "a cork"]
SENTENCE = "The ferry left the harbour at dawn, and the wind from the north was cold and steady. "  # 19 tokens or so
PROGRAM = """
name = "{name}"
format = "plain"
[[stage]]
name = "write"
prompt = "{{{{question}}}}\\nOnce upon a time"
max_tokens = {tokens}
"""


def questions(folder):
    """Every size as a question; what it is called tells the size."""
    asked = []
    for count in OPTIONS:
        asked.append({"id": f"options-{count}", "question": "Which of these would a magnet pick up?", "options": THINGS[:count],
                      "answer": "A", "program": "recall-analyze-answer"})
    for name, tokens in [("short", 16)] + [(f"text{tokens}", tokens) for tokens in TEXTS]:
        (folder / f"{name}.toml").write_text(PROGRAM.format(name=name, tokens=tokens), encoding="utf-8")
    for tokens in PROMPTS:
        text = SENTENCE * round(tokens / 19)
        asked.append({"id": f"prompt-{tokens}", "question": text, "answer": "x", "program": str(folder / "short.toml")})
    for tokens in TEXTS:
        asked.append({"id": f"text-{tokens}", "question": "Tell the story of a lighthouse, with many details, and do not end it.",
                      "answer": "x", "program": str(folder / f"text{tokens}.toml")})
    return asked


def measure(options):
    """@return for each size the rounds' (tokens read, ms of reading, tokens written, ms of writing, ms in all)"""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        asked = questions(folder)
        order = random.Random(1)
        lines = []
        for turn in range(options.rounds + 1):
            order.shuffle(asked)
            lines += [json.dumps({**question, "id": f"{question['id']}#{turn}"}) for question in asked]
        (folder / "sizes.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        run = subprocess.run([options.litestage, "run", "-m", options.model, "-t", str(options.threads), "-c", "8192", "--file",
                              str(folder / "sizes.jsonl"), "--json"], stdout=subprocess.PIPE, text=True, check=True)
    measured = {}
    for line in run.stdout.splitlines():
        record = json.loads(line)
        size, turn = record["id"].split("#")
        if turn == "0":
            continue
        stages = record["stages"]
        measured.setdefault(size, []).append((
            sum(stage["prompt_tokens"] - stage["reused_tokens"] for stage in stages), sum(stage["prefill_ms"] for stage in stages),
            sum(stage["tokens"] for stage in stages), sum(stage["decode_ms"] for stage in stages), record["total_ms"]))
    return measured


def medians(rounds):
    return [statistics.median(column) for column in zip(*rounds)]


def table(measured):
    print("| size | tokens read | ms | ms a token | tokens written | ms | ms a token | in all, ms [lowest, highest] |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for kind, sizes in (("options", OPTIONS), ("prompt", PROMPTS), ("text", TEXTS)):
        for size in sizes:
            rounds = measured[f"{kind}-{size}"]
            read, read_ms, written, write_ms, total = medians(rounds)
            totals = [one[4] for one in rounds]
            print(f"| {kind} {size} | {read:.0f} | {read_ms:.0f} | {read_ms / max(1, read):.2f} | {written:.0f} | {write_ms:.0f} | "
                  f"{write_ms / max(1, written):.2f} | {total:.0f} [{min(totals):.0f}, {max(totals):.0f}] |")


def panel(title, points, left):
    """One chart of the row: milliseconds of reading (lower part of each bar) and writing by size."""
    width, height, bottom = 240, 150, 190
    most = max(read + write for _, read, write in points)
    step = width / len(points)
    parts = [f'<text x="{left}" y="20" font-weight="600">{title}</text>']
    for i, (label, read, write) in enumerate(points):
        x = left + i * step + step * 0.15
        low, high = height * read / most, height * write / most
        parts.append(f'<rect class="read" x="{x:.1f}" y="{bottom - low:.1f}" width="{step * 0.7:.1f}" height="{low:.1f}"/>')
        parts.append(f'<rect class="write" x="{x:.1f}" y="{bottom - low - high:.1f}" width="{step * 0.7:.1f}" height="{high:.1f}"/>')
        middle = x + step * 0.35
        parts.append(f'<text class="small" x="{middle:.1f}" y="{bottom + 14}" text-anchor="middle">{label}</text>')
        parts.append(f'<text class="small" x="{middle:.1f}" y="{bottom - low - high - 4:.1f}" text-anchor="middle">'
                     f'{(read + write) / 1000:.1f} s</text>')
    return "\n".join(parts)


def chart(measured):
    panels = []
    for i, (kind, title, sizes) in enumerate((("options", "Options", OPTIONS), ("prompt", "Tokens of the prompt", PROMPTS),
                                              ("text", "Tokens of the text, at most", TEXTS))):
        points = []
        for size in sizes:
            _, read_ms, _, write_ms, _ = medians(measured[f"{kind}-{size}"])
            points.append((size, read_ms, write_ms))
        panels.append(panel(title, points, 20 + i * 270))
    style = ("svg { background: #fff; color-scheme: light dark } text { font: 13px sans-serif; fill: #222 } .small { font-size: 10px } "
             ".read { fill: #4a78b5 } .write { fill: #d08a3e } "
             "@media (prefers-color-scheme: dark) { svg { background: #161616 } text { fill: #ddd } }")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 830 240" role="img"><title>Seconds of a question by its size</title>'
            f"<style>{style}</style>\n" + "\n".join(panels) +
            '\n<rect class="read" x="20" y="218" width="12" height="12"/><text class="small" x="37" y="228">reading</text>'
            '<rect class="write" x="100" y="218" width="12" height="12"/><text class="small" x="117" y="228">writing</text>\n</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("litestage")
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("-t", "--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--svg", help="where the chart goes")
    options = parser.parse_args()
    measured = measure(options)
    table(measured)
    if options.svg:
        pathlib.Path(options.svg).write_text(chart(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
