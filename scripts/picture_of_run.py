#!/usr/bin/env python3
"""Draws what `litestage run` shows on a terminal as SVG: docs/run.svg.

    script -qec "build/release/litestage run -m MODEL QUESTION" /dev/null </dev/null | scripts/picture_of_run.py > docs/run.svg
"""
import html
import re
import sys

WIDTH = 100  # characters a line
COLOURS = {"1": "#ffffff", "2": "#8b949e", "31": "#ff7b72", "32": "#7ee787", "36": "#79c0ff"}
CHARACTER, LINE = 8.4, 20


def wrapped(text):
    """Lines of at most WIDTH characters as lists of (colour, text)."""
    lines, column, colour = [[]], 0, "#c9d1d9"
    for part in re.split(r"(\x1b\[\d+m|\n)", text.replace("\r", "")):
        code = re.fullmatch(r"\x1b\[(\d+)m", part)
        if code:
            colour = COLOURS.get(code[1], "#c9d1d9")
        elif part == "\n":
            lines.append([])
            column = 0
        else:
            for word in re.findall(r"\s+|\S+", part):
                if column + len(word) > WIDTH and word.strip():
                    lines.append([("", " " * 13)])
                    column = 13
                lines[-1].append((colour, word))
                column += len(word)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def main():
    lines = wrapped(sys.stdin.read())
    width, height = WIDTH * CHARACTER + 40, len(lines) * LINE + 40
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img" '
          f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">')
    print("<title>litestage run</title>")
    print(f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>')
    for row, line in enumerate(lines):
        spans = "".join(f'<tspan fill="{colour or "#c9d1d9"}">{html.escape(text)}</tspan>' for colour, text in line)
        print(f'<text x="20" y="{row * LINE + 34}" xml:space="preserve">{spans}</text>')
    print("</svg>")


main()
