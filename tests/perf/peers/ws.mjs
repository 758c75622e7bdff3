// Node's `ws`, with its native add-on: the broadcast of its documentation, of a buffer that is made once.

import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { answer, serve } from "./event.mjs";

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(JSON.stringify(answer(JSON.parse(data)))));
});

serve(server, (message) => {
  const data = Buffer.from(JSON.stringify(message));
  sockets.clients.forEach((client) => {
    if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false });
  });
});
