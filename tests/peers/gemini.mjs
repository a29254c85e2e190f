// The official Gemini client against the server at the first argument; what it made of it, as JSON.
import { ApiError, GoogleGenAI } from "@google/genai";

const [baseUrl, apiKey] = process.argv.slice(-2);
const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
const model = "stub-model";
const ask = (text) => [{ role: "user", parts: [{ text }] }];
const schema = { type: "object", properties: { city: { type: "string" } } };
const weather = { name: "get_weather", description: "The weather.", parametersJsonSchema: schema };
const config = {
  systemInstruction: "Be brief.",
  maxOutputTokens: 50,
  stopSequences: ["END"],
  thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 },
  tools: [{ functionDeclarations: [weather] }],
  toolConfig: { functionCallingConfig: { mode: "AUTO" } },
};

async function failure(run) {
  try {
    await run();
  } catch (error) {
    const { status = null, message } = error;
    return { class: error.constructor.name, api: error instanceof ApiError, status, body: parsed(message) };
  }
  return null;
}

// Its errors carry the service's report as text.
function parsed(message) {
  try {
    return JSON.parse(message);
  } catch {
    return message;
  }
}

// Every event is a response, as the client hands it out.
async function streamed(text) {
  const events = [];
  for await (const event of await client.models.generateContentStream({ model, contents: ask(text), config })) {
    events.push(event);
  }
  return { deltas: events.map(({ text }) => text).filter(Boolean), ...told(events) };
}

function told(events) {
  const { usageMetadata: usage, candidates, responseId: id, modelVersion } = events.at(-1);
  const parts = events.flatMap(({ candidates }) => candidates[0].content.parts);
  const calls = events.flatMap(({ functionCalls }) => functionCalls ?? []);
  return { parts, calls, finish: candidates[0].finishReason, usage, id, modelVersion };
}

async function whole(text) {
  const answer = await client.models.generateContent({ model, contents: ask(text), config });
  return { text: answer.text, ...told([answer]) };
}

async function round() {
  const called = await client.models.generateContent({ model, contents: ask("tool"), config });
  const [{ id, name }] = called.functionCalls;
  const result = { functionResponse: { id, name, response: { output: "sunny" } } };
  const contents = [...ask("tool"), called.candidates[0].content, { role: "user", parts: [result] }];
  const answer = await client.models.generateContent({ model, contents, config });
  return { text: answer.text, usage: answer.usageMetadata };
}

// The client's own chat keeps the history, from the events that it takes for valid.
async function chat() {
  const chat = client.chats.create({ model });
  const texts = [];
  for (const message of ["hello", "think"]) {
    let text = "";
    for await (const event of await chat.sendMessageStream({ message })) text += event.text ?? "";
    texts.push(text);
  }
  return { texts, roles: chat.getHistory().map(({ role }) => role) };
}

// One model on a page: the client asks for the next page itself.
async function models() {
  const found = [];
  for await (const { name, displayName } of await client.models.list({ config: { pageSize: 1 } })) {
    found.push([name, displayName]);
  }
  return found;
}

const report = {
  models: await models(),
  text: await streamed("hello"),
  tool: await streamed("tool"),
  tools: await streamed("tools"),
  think: await streamed("think"),
  length: await streamed("length"),
  whole: await whole("think"),
  round: await round(),
  chat: await chat(),
  failures: {},
};
for (const prompt of ["401", "404", "429", "529"]) {
  report.failures[prompt] = await failure(() => whole(prompt));
}
report.failures.stream = await failure(() => streamed("429"));
report.failures.break = await failure(() => streamed("break"));
process.stdout.write(JSON.stringify(report));
