// A server of Anthropic's dialect in front of one of chat completions; arguments: port, upstream's origin, its key.
import { createRequire } from "node:module";

// Its build for `import` does not start: it requires what it may not.
const Server = createRequire(`${process.cwd()}/`)("@musistudio/llms").default;

const [port, upstream, key] = process.argv.slice(-3);
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
