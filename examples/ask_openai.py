"""Asks a running server through the openai package, as any program for OpenAI's API does:
ask_openai.py [URL]"""

import os
import sys

from openai import OpenAI

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
client = OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("LITESTAGE_API_KEY", "none"))
# Programs of stages are models, too: the first one offered, or recall-analyze-answer@plan for one under a plan.
program = next(model.id for model in client.models.list() if model.litestage["kind"] == "program")
answer = client.chat.completions.create(
    model=program, messages=[{"role": "user", "content": "Which is heavier? (A) iron (B) wool"}], stream=True)
for chunk in answer:
    if not chunk.choices:
        continue
    delta = chunk.choices[0].delta
    print(getattr(delta, "reasoning_content", None) or delta.content or "", end="", flush=True)
print()
