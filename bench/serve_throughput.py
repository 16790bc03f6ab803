"""Asks a running server the same questions one after the other and by several clients at once, in turns, and compares:
  serve_throughput.py URL [--clients 8] [--rounds 3] [--program ID | --chat] [--questions SET.jsonl --limit N]
A client that is done takes the next question, until there are none. Prints JSON: tokens a second of both ways and their ratio, by
round, from the start to the last answer and, for all clients, while none of them was without a question; the longest and shortest
answer's time with all clients; how many answers were the same. Needs Python 3 alone."""

import argparse
import concurrent.futures
import json
import time
import urllib.request

QUESTIONS = [
    "Which of these would a magnet pick up? (A) a paper cup (B) a rubber band (C) a wooden pencil (D) a steel nail",
    "When is your shadow outdoors the shortest? (A) at sunrise (B) around noon (C) at sunset (D) at midnight",
    "Which body part lets a fish breathe under water? (A) gills (B) fins (C) scales (D) lungs",
    "What does a bean seed need most in order to sprout? (A) darkness (B) wind (C) water and warmth (D) loud music",
    "Which organ pumps blood through the body? (A) the liver (B) the stomach (C) the brain (D) the heart",
    "In which season do many trees lose their leaves? (A) spring (B) summer (C) autumn (D) winter",
    "What happens to an ice cube on a warm table? (A) It grows. (B) It burns. (C) It melts. (D) It turns to stone.",
    "Who bakes fresh bread early in the morning? (A) a baker (B) a pilot (C) a barber (D) a librarian",
]


def load(path, limit):
    """@return questions of a set in litestage's own form, GSM8K's or OpenBookQA's, options within their text"""
    with open(path, encoding="utf-8") as lines:
        questions = [json.loads(line) for line in lines if line.strip()][:limit]
    for question in questions:
        if isinstance(question["question"], dict):  # OpenBookQA
            question.update(options=[choice["text"] for choice in question["question"]["choices"]],
                            question=question["question"]["stem"])
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [question["question"] + "".join(f" ({letter}) {text}" for letter, text in zip(letters, question.get("options", [])))
            for question in questions]


def chat(url, question):
    body = json.dumps({"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 64}).encode()
    start = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(url + "/v1/chat/completions", body), timeout=600) as response:
        answer = json.load(response)
    text = answer["choices"][0]["message"]["content"]
    return {"seconds": time.monotonic() - start, "tokens": answer["usage"]["completion_tokens"], "answer": text, "texts": [text]}


def ask(url, program, question):
    if program is None:
        return chat(url, question)
    body = json.dumps({"question": question, "program": program}).encode()
    start = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(url + "/v1/stages", body), timeout=600) as response:
        answer = json.load(response)["answers"][0]
    tokens = sum(stage["tokens"] for stage in answer["stages"])
    return {"seconds": time.monotonic() - start, "tokens": tokens, "answer": answer["answer"],
            "texts": [stage["text"] for stage in answer["stages"]]}


def ask_all(options, questions, clients):
    """@return tokens a second in all, tokens a second while every client had a question, and the answers in the questions' order"""
    start = time.monotonic()

    def timed(question):
        begin = time.monotonic()
        answer = ask(options.url, options.program, question)
        return {**answer, "begin": begin - start, "end": time.monotonic() - start}

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(timed, questions))
    whole = sum(answer["tokens"] for answer in answers) / (time.monotonic() - start)
    busy = max(answer["begin"] for answer in answers)  # then the last question was taken
    share = sum(answer["tokens"] * min(1, max(0, busy - answer["begin"]) / (answer["end"] - answer["begin"])) for answer in answers)
    return whole, share / busy if busy > 0 else whole, answers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default="recall-analyze-answer")
    parser.add_argument("--chat", action="store_true", help="plain chats of 64 tokens at most in place of stages")
    parser.add_argument("--questions", help="a set in place of the eight questions in this file")
    parser.add_argument("--limit", type=int, default=24, help="of the set")
    options = parser.parse_args()
    if options.chat:
        options.program = None
    questions = load(options.questions, options.limit) if options.questions else QUESTIONS
    ask(options.url, options.program, questions[0])  # warms up
    rounds = []
    same_answers = same_texts = count = 0
    times = []
    for _ in range(options.rounds):
        alone_rate, _, alone = ask_all(options, questions, 1)
        together_rate, busy_rate, together = ask_all(options, questions, options.clients)
        rounds.append((alone_rate, together_rate, busy_rate))
        times += [answer["seconds"] for answer in together]
        for one, other in zip(alone, together):
            count += 1
            same_answers += one["answer"] == other["answer"]
            same_texts += one["texts"] == other["texts"]
    print(json.dumps({
        "clients": options.clients, "questions": len(questions),
        "tokens_per_second_alone": [round(alone, 1) for alone, _, _ in rounds],
        "tokens_per_second_together": [round(together, 1) for _, together, _ in rounds],
        "tokens_per_second_all_busy": [round(busy, 1) for _, _, busy in rounds],
        "ratio": [round(together / alone, 2) for alone, together, _ in rounds],
        "ratio_all_busy": [round(busy / alone, 2) for alone, _, busy in rounds], "shortest_seconds": round(min(times), 2),
        "longest_seconds": round(max(times), 2), "answers": count, "same_answers": same_answers, "same_texts": same_texts}, indent=1))


if __name__ == "__main__":
    main()
