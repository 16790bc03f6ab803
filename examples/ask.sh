#!/usr/bin/env bash
# Asks a running server by curl: a chat with the model, a question in stages, and how busy the server is.
#   examples/ask.sh [URL]
set -euo pipefail
url=${1:-http://127.0.0.1:8080}
ask=(curl --silent --show-error --fail-with-body --header "Authorization: Bearer ${LITESTAGE_API_KEY:-none}")

"${ask[@]}" "$url/v1/chat/completions" -d '{"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 20}'
# Events of their own types, as they happen: --no-buffer shows them at once.
"${ask[@]}" --no-buffer "$url/v1/stages" -d '{"question": "Which is heavier? (A) iron (B) wool", "stream": true}'
"${ask[@]}" "$url/metrics" | grep '^litestage_requests{'
