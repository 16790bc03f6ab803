"""A program of three stages that a tiny model answers in no time, with branches and early answers."""

PROGRAM = """
format = "plain"
[early_answer]
prompt = "\\nAnswer:"
[[stage]]
name = "recall"
prompt = "{{question}}\\n{{options}}\\nRecall:"
max_tokens = 6
[[stage]]
name = "analyze"
for_each = "option"
prompt = "\\nOption ({{option.letter}}):"
max_tokens = 5
[[stage]]
name = "answer"
prompt = "\\n{{stage.analyze}}\\nAnswer:"
output = "choice"
"""
