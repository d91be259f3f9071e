// Has conversations by the official packages for JavaScript: `node speak.mjs FILE`. What it says is as of speak.py.
import { readFileSync } from "node:fs";
import Anthropic, { APIError as AnthropicError } from "@anthropic-ai/sdk";
import OpenAI, { APIError as OpenAIError } from "openai";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
let heard = null;
const web = async (...asked) => (heard = await fetch(...asked));
const clients = new Map();

function client(api, key) {
  const name = api + key;
  if (!clients.has(name)) {
    const fields = { apiKey: key, maxRetries: 0, fetch: web };
    clients.set(name, api === "chat" ? new OpenAI({ baseURL: plan.base + "/v1", ...fields }) : new Anthropic({ baseURL: plan.base, ...fields }));
  }
  return clients.get(name);
}

async function chat(key, asked, stream) {
  const { completions } = client("chat", key).chat;
  const answer = stream
    ? await completions.stream({ ...asked, stream_options: { include_usage: true } }).finalChatCompletion()
    : await completions.create(asked);
  const [{ message, finish_reason }] = answer.choices;
  const calls = (message.tool_calls ?? []).map((one) => [one.id, one.function.name, JSON.parse(one.function.arguments)]);
  const tokens = [answer.usage.prompt_tokens, answer.usage.completion_tokens];
  return [message, { finish: finish_reason, text: message.content ?? "", calls, choices: answer.choices.length, tokens }];
}

async function messages(key, asked, stream) {
  const made = client("messages", key).messages;
  const answer = stream ? await made.stream(asked).finalMessage() : await made.create(asked);
  const of = (kind) => answer.content.filter((one) => one.type === kind);
  const said = {
    finish: answer.stop_reason,
    stopped_by: answer.stop_sequence,
    text: of("text").map((one) => one.text).join(""),
    calls: of("tool_use").map((one) => [one.id, one.name, one.input]),
    thinks: of("thinking").some((one) => one.thinking && one.signature),
    tokens: [answer.usage.input_tokens + (answer.usage.cache_read_input_tokens ?? 0), answer.usage.output_tokens],
  };
  return [{ role: "assistant", content: answer.content }, said];
}

async function turn(run, one, history) {
  heard = null;
  const asked = { model: one.model, messages: history, ...run.ask, ...one.ask };
  try {
    if (one.counts) {
      const counted = await client("messages", one.key).messages.countTokens({ model: one.model, messages: history });
      return { counted: counted.input_tokens };
    }
    const [message, said] = await (run.api === "chat" ? chat : messages)(one.key, asked, run.stream);
    history.push(message);
    return said;
  } catch (error) {
    if (!(error instanceof OpenAIError || error instanceof AnthropicError)) throw error;
    const kinds = [];
    for (let kind = error.constructor; kind.name; kind = Object.getPrototypeOf(kind)) kinds.push(kind.name);
    return { error: error.status ?? null, kinds, body: error.error ?? null, message: error.message };
  }
}

function answered(run, one, calls) {
  if ("say" in one) return typeof one.say === "string" ? [{ role: "user", content: one.say }] : one.say;
  const then = one.then ? [one.then] : [];
  if (run.api === "chat") {
    const said = one.results.map((content, at) => ({ role: "tool", tool_call_id: calls[at][0], content }));
    return [...said, ...then.map((text) => ({ role: "user", content: text }))];
  }
  const told = one.results.map((content) => (typeof content === "string" || Array.isArray(content) ? { content } : content));
  const blocks = told.map((fields, at) => ({ type: "tool_result", tool_use_id: calls[at][0], ...fields }));
  return [{ role: "user", content: [...blocks, ...then.map((text) => ({ type: "text", text }))] }];
}

for (const run of plan.runs) {
  const history = [];
  let calls = [];
  for (const one of run.turns) {
    if ((one.results ?? calls).length !== calls.length) break; // the turn before went wrong
    history.push(...answered(run, one, calls));
    const said = await turn(run, one, history);
    if ("error" in said || "counted" in said) history.pop();
    calls = said.calls ?? [];
    said.left_out = heard?.headers.get("x-fairlead-left-out") ?? "";
    said.target = heard?.headers.get("x-fairlead-target") ?? "";
    console.log(JSON.stringify({ run: run.name, ...said }));
  }
}
