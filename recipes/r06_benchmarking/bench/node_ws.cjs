// The same room on Node's `ws`, a second yardstick. Run by running.py:
// node node_ws.cjs NONCE OPTIONS
const { WebSocketServer, OPEN } = require("ws");

const [nonce, options] = process.argv.slice(2);
const compress = JSON.parse(options).ws_per_message_deflate ?? true;
const quiet = Boolean(process.env.BENCHMARK_QUIET);
const room = new Set();
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: compress ? { threshold: 0 } : false,
});

function tell(sender, message, exclude) {
  if (quiet && sender === "system") return;
  const text = JSON.stringify({ sender, message });
  for (const each of room) {
    if (each !== exclude && each.readyState === OPEN) each.send(text);
  }
}

server.on("headers", (headers) => headers.push(`X-Benchmark: ${nonce}`));
server.on("connection", (socket, request) => {
  const name = decodeURIComponent(request.url.split("/").pop());
  room.add(socket);
  tell("system", `${name} joined the chat`, socket);
  socket.on("message", (data) => {
    tell(name, data.toString(), socket);
    socket.send(JSON.stringify({ sender: "You", message: data.toString() }));
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    room.delete(socket);
    tell("system", `${name} left the chat`, socket);
  });
});
server.on("listening", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
