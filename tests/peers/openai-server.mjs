// The gateway, which takes its upstream from each request's headers; arguments: port, and two that it does not need.
import net from "node:net";

// It would listen on every interface of the machine.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const then = rest.filter((one) => typeof one === "function");
  return listen.call(this, { port: Number(port.port ?? port), host: "127.0.0.1" }, ...then);
};
const [port] = process.argv.slice(-3);
process.argv = [process.argv[0], "start-server", `--port=${port}`, "--headless"];
await import(`${process.cwd()}/node_modules/@portkey-ai/gateway/build/start-server.js`);
