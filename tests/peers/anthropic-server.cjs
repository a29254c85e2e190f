// An Anthropic server in front of chat completions: node anthropic-server.cjs PORT UPSTREAM KEY
"use strict";
const { createRequire } = require("node:module");
// The package stands where this is started, not where this file is.
const Server = createRequire(`${process.cwd()}/`)("@musistudio/llms").default;

const [port, upstream, key] = process.argv.slice(2);
const provider = {
  name: "upstream",
  api_base_url: `${upstream}/v1/chat/completions`,
  api_key: key,
  models: ["stub-model"],
  transformer: { use: ["streamoptions"] },
};
const initialConfig = { PORT: port, HOST: "127.0.0.1", providers: [provider] };
const options = { useJsonFile: false, useEnvFile: false, useEnvironmentVariables: false, logger: false };
new Server({ ...options, initialConfig }).start();
