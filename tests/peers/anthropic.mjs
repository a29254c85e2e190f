// The official Anthropic client against the server at the first argument; what it made of it, as JSON.
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, apiKey] = process.argv.slice(-2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const about = { model: "stub-model", max_tokens: 50 };
const ask = (content) => [{ role: "user", content }];
const input_schema = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ name: "get_weather", description: "The weather.", input_schema }];

async function failure(run) {
  try {
    await run();
  } catch (error) {
    const { status = null, requestID = null } = error;
    const retryAfter = error.headers?.get("retry-after") ?? null;
    const type = error.error?.error?.type ?? null;
    const api = error instanceof Anthropic.APIError;
    return { class: error.constructor.name, api, status, type, requestID, retryAfter };
  }
  return null;
}

// The client's own accumulator: it throws where a stream does not fit its idea of one.
async function message(content) {
  const stream = client.messages.stream({ ...about, messages: ask(content), tools });
  const deltas = [];
  stream.on("text", (delta) => deltas.push(delta));
  const { content: blocks, stop_reason, usage } = await stream.finalMessage();
  return { deltas, blocks, stop: stop_reason, usage };
}

async function round() {
  const called = await client.messages.create({ ...about, messages: ask("tool"), tools });
  const call = called.content.find(({ type }) => type === "tool_use");
  const result = { type: "tool_result", tool_use_id: call.id, content: "sunny" };
  const said = { role: "assistant", content: called.content };
  const messages = [...ask("tool"), said, { role: "user", content: [result] }];
  const answer = await client.messages.create({ ...about, messages, tools });
  return { call, text: answer.content[0].text, usage: answer.usage };
}

async function models() {
  const found = [];
  for await (const entry of client.models.list()) found.push(entry.id);
  return found;
}

const report = {
  models: await models(),
  text: await message("hello"),
  tool: await message("tool"),
  tools: await message("tools"),
  think: await message("think"),
  length: await message("length"),
  round: await round(),
  failures: {},
};
for (const prompt of ["401", "404", "429", "529"]) {
  report.failures[prompt] = await failure(() => client.messages.create({ ...about, messages: ask(prompt) }));
}
report.failures.break = await failure(() => message("break"));
process.stdout.write(JSON.stringify(report));
