"""What the openai package makes of a served tiny model."""

import os
import time
import unittest
import urllib.error
import urllib.request

import openai

URL = os.environ["LITESTAGE_URL"]
CLIENT = openai.OpenAI(base_url=URL + "/v1", api_key="secret", max_retries=0, timeout=60)
QUESTION = [{"role": "user", "content": "Which is heavier? (A) iron (B) wool"}]


def wait_until_ready():
    while True:
        try:
            urllib.request.urlopen(URL + "/health", timeout=10)
            return
        except urllib.error.HTTPError as error:
            assert error.code == 503, error
            time.sleep(0.05)


class OpenAiContract(unittest.TestCase):
    def test_models(self):
        self.assertEqual([model.id for model in CLIENT.models.list()], ["tiny", "three"])
        self.assertEqual(CLIENT.models.retrieve("three").id, "three")
        with self.assertRaises(openai.NotFoundError) as caught:
            CLIENT.models.retrieve("four")
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_chat(self):
        answer = CLIENT.chat.completions.create(model="tiny", messages=QUESTION, max_tokens=5, temperature=0)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertLessEqual(answer.usage.completion_tokens, 5)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)

    def test_chat_with_a_program(self):
        answer = CLIENT.chat.completions.create(model="three", messages=QUESTION)
        message = answer.choices[0].message
        self.assertIn(message.content, ("A", "B", ""))
        self.assertTrue(message.reasoning_content.startswith("recall: "))
        self.assertEqual(len(answer.litestage["stages"]), 4)

    def test_stream(self):
        for model in ("tiny", "three"):
            whole = CLIENT.chat.completions.create(model=model, messages=QUESTION, max_tokens=5, temperature=0)
            chunks = list(CLIENT.chat.completions.create(
                model=model, messages=QUESTION, max_tokens=5, temperature=0, stream=True,
                stream_options={"include_usage": True}))
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            self.assertEqual(text, whole.choices[0].message.content)
            self.assertEqual(chunks[-1].choices, [])
            self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)
            self.assertEqual(chunks[-2].choices[0].finish_reason, whole.choices[0].finish_reason)

    def test_chat_logprobs(self):
        answer = CLIENT.chat.completions.create(
            model="tiny", messages=QUESTION, max_tokens=3, temperature=0, logprobs=True, top_logprobs=2)
        for token in answer.choices[0].logprobs.content:
            self.assertEqual(token.logprob, token.top_logprobs[0].logprob)
            self.assertIsInstance(token.bytes, list)

    def test_completions(self):
        answer = CLIENT.completions.create(model="tiny", prompt=["one", "two"], max_tokens=4, temperature=0)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1])
        scored = CLIENT.completions.create(model="tiny", prompt=[5, 6, 7], max_tokens=1, temperature=0, logprobs=1,
                                           echo=True).choices[0].logprobs
        self.assertIsNone(scored.token_logprobs[0])
        self.assertEqual(len(scored.token_logprobs), 4)
        self.assertEqual(len(scored.tokens), len(scored.text_offset))
        self.assertTrue(all(value < 0 for value in scored.token_logprobs[1:]))

    def test_completion_stream(self):
        whole = CLIENT.completions.create(model="tiny", prompt="one", max_tokens=6, temperature=0)
        chunks = list(CLIENT.completions.create(model="tiny", prompt="one", max_tokens=6, temperature=0, stream=True))
        self.assertEqual("".join(chunk.choices[0].text for chunk in chunks), whole.choices[0].text)

    def test_errors(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            CLIENT.chat.completions.create(model="tiny", messages=[{"role": "wizard", "content": "x"}])
        self.assertEqual(caught.exception.param, "messages[0].role")
        with self.assertRaises(openai.BadRequestError) as caught:
            CLIENT.completions.create(model="tiny", prompt="the " * 5000)
        self.assertEqual(caught.exception.code, "context_length_exceeded")
        with self.assertRaises(openai.NotFoundError):
            CLIENT.chat.completions.create(model="four", messages=QUESTION)
        with self.assertRaises(openai.AuthenticationError) as caught:
            openai.OpenAI(base_url=URL + "/v1", api_key="guess", max_retries=0).models.list()
        self.assertEqual(caught.exception.code, "invalid_api_key")


if __name__ == "__main__":
    wait_until_ready()
    unittest.main()
