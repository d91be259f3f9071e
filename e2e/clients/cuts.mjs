// Reads streams by the official packages for JavaScript: `node cuts.mjs BASE KEY API TIMES`. Each is a line: what it said.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [base, apiKey, api, times] = process.argv.slice(2);
const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: base, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Where?" }];

async function chat() {
  const { choices } = await openai.chat.completions.stream({ model: "chat", messages }).finalChatCompletion();
  const [{ message, finish_reason }] = choices;
  return [message.content, message.tool_calls.map((one) => [one.id, one.function.name, JSON.parse(one.function.arguments)]), finish_reason];
}

async function said() {
  const { content, stop_reason } = await anthropic.messages.stream({ model: "messages", max_tokens: 99, messages }).finalMessage();
  const text = content.filter((one) => one.type === "text").map((one) => one.text).join("");
  const calls = content.filter((one) => one.type === "tool_use").map((one) => [one.id, one.name, one.input]);
  return [text, calls, stop_reason];
}

for (let left = Number(times); left > 0; left--) {
  const found = await (api === "chat" ? chat() : said()).catch((error) => ["lost", error.constructor.name]);
  console.log(JSON.stringify(found));
}
