"use strict";

/** What went wrong with a request, in the server's words. */
class RequestFault extends Error {
  constructor(status, error) {
    super(error?.message ?? `the server answered with status ${status}`);
    this.status = status;
  }
}

const headersWith = (key) => ({
  "Content-Type": "application/json",
  ...(key ? { Authorization: `Bearer ${key}` } : {}),
});

const refuseFault = async (response) => {
  if (response.ok) return;
  const body = await response.json().catch(() => null);
  throw new RequestFault(response.status, body?.error);
};

/** What the server offers: GET /v1/models. */
const readOffers = async (key) => {
  const response = await fetch("v1/models", { headers: headersWith(key) });
  await refuseFault(response);
  return (await response.json()).data;
};

/** One server-sent event: its name and its data, read as JSON where it is JSON. */
const parseEvent = (block) => {
  const event = { name: "", data: "" };
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event.name = line.slice(7);
    if (line.startsWith("data: ")) event.data += line.slice(6);
  }
  return event;
};

/** Asks a question in stages and hands over each event as it comes. */
const askInStages = async (body, key, signal, onEvent) => {
  const response = await fetch("v1/stages", {
    method: "POST", headers: headersWith(key), body: JSON.stringify({ ...body, stream: true }), signal,
  });
  await refuseFault(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new RequestFault(response.status, { message: "the stream ended before the answer" });
    waiting += value;
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const { name, data } = parseEvent(block);
      if (data === "[DONE]") return;
      if (data === "") continue;
      const json = JSON.parse(data);
      if (json.error) throw new RequestFault(response.status, json.error);
      onEvent(name, json);
    }
  }
};
