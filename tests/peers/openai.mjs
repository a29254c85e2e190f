// The official OpenAI client against the server at the first argument; what it made of it, as JSON.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(-2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const model = "stub-model";
const ask = (content) => [{ role: "user", content }];
const schema = { type: "object", properties: { city: { type: "string" } } };
const weather = { name: "get_weather", description: "The weather.", parameters: schema };
const chatTools = [{ type: "function", function: weather }];
const tools = [{ type: "function", ...weather, strict: false }];

async function failure(run) {
  try {
    await run();
  } catch (error) {
    const { status = null, code = null, type = null, requestID = null } = error;
    const retryAfter = error.headers?.get("retry-after") ?? null;
    const api = error instanceof OpenAI.APIError;
    return { class: error.constructor.name, api, status, code, type, requestID, retryAfter };
  }
  return null;
}

// The client's own accumulator: it throws where a stream does not fit its idea of one.
async function chat(content) {
  const stream_options = { include_usage: true };
  const stream = client.chat.completions.stream({ model, messages: ask(content), tools: chatTools, stream_options });
  const deltas = [];
  stream.on("content", (delta) => deltas.push(delta));
  const completion = await stream.finalChatCompletion();
  const { message, finish_reason } = completion.choices[0];
  const calls = message.tool_calls ?? [];
  return { deltas, text: message.content, calls, finish: finish_reason, usage: completion.usage };
}

async function chatRound() {
  const called = await client.chat.completions.create({ model, messages: ask("tool"), tools: chatTools });
  const { message } = called.choices[0];
  const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "sunny" };
  const messages = [...ask("tool"), message, result];
  const answer = await client.chat.completions.create({ model, messages, tools: chatTools });
  return { called: message, text: answer.choices[0].message.content, usage: answer.usage };
}

async function responses(input) {
  const stream = client.responses.stream({ model, input, tools });
  const kinds = [];
  const deltas = [];
  stream.on("event", ({ type }) => kinds.push(type));
  stream.on("response.output_text.delta", ({ delta }) => deltas.push(delta));
  const { output, output_text, status, usage, error } = await stream.finalResponse();
  return { kinds, deltas, text: output_text, output, status, usage, error };
}

async function responsesRound() {
  const called = await client.responses.create({ model, input: "tool", tools });
  const call = called.output.find(({ type }) => type === "function_call");
  const result = { type: "function_call_output", call_id: call.call_id, output: "sunny" };
  const input = [...ask("tool"), ...called.output, result];
  const answer = await client.responses.create({ model, input, tools });
  return { call, text: answer.output_text };
}

async function models() {
  const found = [];
  for await (const entry of client.models.list()) found.push(entry.id);
  return found;
}

const report = {
  models: await models(),
  chat: { text: await chat("hello"), tool: await chat("tool"), tools: await chat("tools"), round: await chatRound() },
  responses: {
    text: await responses("hello"),
    tool: await responses("tool"),
    think: await responses("think"),
    round: await responsesRound(),
  },
  failures: {},
};
for (const prompt of ["401", "404", "429", "529", "context"]) {
  report.failures[prompt] = {
    chat: await failure(() => client.chat.completions.create({ model, messages: ask(prompt) })),
    responses: await failure(() => client.responses.create({ model, input: prompt })),
  };
}
// Here the client throws, there it hands out a response that failed.
report.failures.break = { chat: await failure(() => chat("break")), responses: await responses("break") };
process.stdout.write(JSON.stringify(report));
