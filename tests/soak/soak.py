"""Sends a server many requests at a time, good, broken, huge, slow and abandoned ones, and sees to it that the good ones are
answered, the others refused, nobody left hanging, and the server's memory stays flat:
  soak.py URL --pid PROCESS [--requests N] [--clients N] [--model ID] [--program ID] [--no-memory]
Exit code 0 when all of that holds. Needs Python 3 alone."""

import argparse
import concurrent.futures
import json
import random
import socket
import sys
import threading
import time
import urllib.parse

PATIENCE = 60  # seconds until an answer counts as hung
ALLOWED_GROWTH = 0.05
MOST_WORDS = 120  # of a text to be scored


class Fault(Exception):
    """What should not have happened."""


class Client:
    """One connection a request, so that requests can be broken in ways that HTTP libraries forbid."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)

    def connect(self):
        return socket.create_connection(self.address, timeout=PATIENCE)

    def head(self, method, path, length, extra=""):
        return (f"{method} {path} HTTP/1.1\r\nHost: {self.address[0]}:{self.address[1]}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {length}\r\n{extra}\r\n").encode()

    def ask(self, method, path, body=b"", extra=""):
        with self.connect() as connection:
            connection.sendall(self.head(method, path, len(body), extra) + body)
            return read_answer(connection)


def read_all(connection):
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass  # the server cut off a client that it did not want to hear out
    return b"".join(pieces)


def read_answer(connection):
    """Status and body of an answer that ends with its connection."""
    data = read_all(connection)
    if not data:
        return 0, b""
    head, _, body = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        joined = b""
        while body:
            size, _, rest = body.partition(b"\r\n")
            length = int(size, 16)
            joined += rest[:length]
            body = rest[length + 2:]
        body = joined
    return int(head.split()[1]), body


def expect(status, allowed, what):
    if status not in allowed:
        raise Fault(f"{what}: status {status}, not one of {sorted(allowed)}")


class Soak:
    def __init__(self, options):
        self.client = Client(options.url)
        self.model = options.model
        self.program = options.program
        self.refused = 0
        self.lock = threading.Lock()

    def good(self, path, request):
        """Asks until the queue has room. A stream's body ends with [DONE]."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, body = self.client.ask("POST", path, json.dumps(request).encode())
            if status != 503:
                expect(status, {200}, path)
                return body
            with self.lock:
                self.refused += 1
            time.sleep(0.2)
        raise Fault(f"{path}: no room for {PATIENCE} s")

    # Good ones.

    def chat(self, chance):
        body = json.loads(self.good("/v1/chat/completions", {
            "model": self.model, "max_tokens": chance.randint(1, 24), "seed": chance.randint(0, 999),
            "messages": [{"role": "user", "content": "Tell me of " + "iron " * chance.randint(1, 60)}]}))
        if "content" not in body["choices"][0]["message"]:
            raise Fault("a chat without content")

    def stages(self, chance):
        mode = chance.choice(["full", "full", "stream"])
        body = self.good("/v1/stages", {"question": f"Which is heavier, {chance.random()}? (A) iron (B) wool",
                                        "program": self.program, "stream": mode == "stream", "confidence": True})
        if mode == "stream":
            if not body.endswith(b"data: [DONE]\n\n"):
                raise Fault("a stream without its end")
        elif not json.loads(body)["answers"][0]["stages"]:
            raise Fault("an answer without stages")

    def score(self, chance):
        self.score_words(chance.randint(1, MOST_WORDS))

    def score_words(self, words):
        body = json.loads(self.good("/v1/completions", {
            "model": self.model, "prompt": "wool " * words, "echo": True, "logprobs": 1, "max_tokens": 1}))
        logprobs = body["choices"][0]["logprobs"]
        if len(logprobs["tokens"]) != len(logprobs["token_logprobs"]):
            raise Fault("tokens and logprobs differ in number")

    def tokenize(self, chance):
        if not json.loads(self.good("/tokenize", {"content": "x" * chance.randint(1, 400)}))["tokens"]:
            raise Fault("no tokens")

    def patient(self, chance):
        """Slow, and within the limits."""
        body = json.dumps({"content": "slowly"}).encode()
        with self.client.connect() as connection:
            data = self.client.head("POST", "/tokenize", len(body)) + body
            for begin in range(0, len(data), 40):
                connection.sendall(data[begin:begin + 40])
                time.sleep(chance.uniform(0, 0.05))
            expect(read_answer(connection)[0], {200}, "a slow request")

    # Bad ones.

    def broken(self, chance):
        body = chance.choice([b"{", b"[]", b"null", b'{"messages": 1}', b"\xff\xfe", b'{"question": ""}'])
        path = chance.choice(["/v1/chat/completions", "/v1/stages", "/v1/completions", "/tokenize"])
        expect(self.client.ask("POST", path, body)[0], {400}, f"{body!r} to {path}")

    def lost(self, chance):
        method, path, status = chance.choice([("GET", "/nowhere", 404), ("PUT", "/v1/models", 405), ("GET", "/v1/models/none", 404)])
        expect(self.client.ask(method, path)[0], {status}, f"{method} {path}")

    def garbage(self, chance):
        with self.client.connect() as connection:
            connection.sendall(bytes(chance.randrange(256) for _ in range(200)) + b"\r\n\r\n")
            expect(read_answer(connection)[0], {0, 400, 431}, "bytes that are no HTTP")

    def huge(self, chance):
        if chance.random() < 0.5:
            expect(self.client.ask("GET", "/health", extra=f"X-Long: {'x' * 40_000}\r\n")[0], {0, 431}, "a huge head")
            return
        with self.client.connect() as connection:
            connection.sendall(self.client.head("POST", "/tokenize", 1 << 40))
            expect(read_answer(connection)[0], {413}, "a huge body")

    def stuck(self, chance):
        """Sends a part and no more: it must be cut off."""
        with self.client.connect() as connection:
            connection.sendall(self.client.head("POST", "/tokenize", 100)[:chance.randint(1, 150)])
            expect(read_answer(connection)[0], {0, 408}, "a request that never comes")

    def abandoned(self, chance):
        body = json.dumps({"model": self.model, "max_tokens": 200, "stream": True,
                           "messages": [{"role": "user", "content": "Go on and on."}]}).encode()
        with self.client.connect() as connection:
            connection.sendall(self.client.head("POST", "/v1/chat/completions", len(body)) + body)
            connection.recv(chance.randint(1, 2000))

    def one(self, number):
        chance = random.Random(number)
        kinds = [self.chat, self.stages, self.score, self.tokenize, self.patient,
                 self.broken, self.lost, self.garbage, self.huge, self.abandoned]
        # Waiting for a client that is stuck takes the server's whole patience: fewer of those.
        kind = self.stuck if number % 50 == 0 else kinds[number % len(kinds)]
        kind(chance)
        return kind.__name__


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def run_all(soak, numbers, clients):
    """@return how often each kind was asked, and what went wrong"""
    waiting = list(reversed(numbers))
    asked, faults = {}, []
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not waiting:
                    return
                number = waiting.pop()
            try:
                kind = soak.one(number)
                with lock:
                    asked[kind] = asked.get(kind, 0) + 1
            except (Fault, OSError, ValueError, KeyError) as fault:
                with lock:
                    faults.append(f"request {number}: {type(fault).__name__}: {fault}")

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return asked, faults


def fill(soak, clients):
    """The largest requests from all clients at once, of one kind and mixed: when they come by chance depends on the clock, and
    the server keeps buffers and heaps of the size that they need."""
    def largest(number):
        chance = random.Random(number)
        soak.score_words(MOST_WORDS)
        soak.stages(chance)
        soak.abandoned(chance)

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for ask in (lambda _: soak.score_words(MOST_WORDS), largest):
            list(pool.map(ask, range(4 * clients)))


def wait_until_idle(client):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        text = client.ask("GET", "/metrics")[1].decode()
        counts = [line for line in text.splitlines() if line.startswith("litestage_requests{")]
        if counts and all(float(line.split()[-1]) == 0 for line in counts):
            return
        time.sleep(0.1)
    raise Fault("requests are still being worked on although nobody waits for them")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--model", default="")
    parser.add_argument("--program", default="recall-analyze-answer")
    parser.add_argument("--no-memory", action="store_true", help="do not judge the memory")
    options = parser.parse_args()
    soak = Soak(options)
    start = time.monotonic()
    # Buffers, caches and the heap have their sizes after as many requests as are then judged.
    fill(soak, options.clients)
    asked, faults = run_all(soak, list(range(options.requests)), options.clients)
    wait_until_idle(soak.client)
    before = resident_kib(options.pid)
    more_asked, more_faults = run_all(soak, list(range(options.requests, 2 * options.requests)), options.clients)
    wait_until_idle(soak.client)
    after = resident_kib(options.pid)
    faults += more_faults
    for kind, count in more_asked.items():
        asked[kind] = asked.get(kind, 0) + count
    if not options.no_memory and after > before * (1 + ALLOWED_GROWTH):
        faults.append(f"memory grew from {before} to {after} KiB")
    print(json.dumps({"requests": sum(asked.values()), "kinds": asked, "told to come later": soak.refused,
                      "seconds": round(time.monotonic() - start, 1), "kib_before": before, "kib_after": after}, indent=1))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
