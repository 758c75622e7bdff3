// Socket.IO on `ws`, WebSocket only, its first requests forgotten as its page on memory advises.

import { createServer } from "node:http";
import { Server } from "socket.io";
import { answer, serve } from "./event.mjs";

const server = createServer();
const io = new Server(server, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });

io.engine.on("connection", (raw) => {
  raw.request = null;
});
io.on("connection", (socket) => {
  socket.on("command", (command, acknowledge) => acknowledge(answer(command)));
});

serve(server, (message) => io.emit("event", message));
