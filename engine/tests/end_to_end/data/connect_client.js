// Node's CONNECT as its documentation has it, without a Host of its own; prints what came as JSON.
//
// usage: node connect_client.js PROXY_PORT HOST:PORT
"use strict";

const http = require("node:http");

const [port, path] = process.argv.slice(2);
const connect = http.request({ host: "127.0.0.1", port, method: "CONNECT", path });
connect.on("connect", (answer, socket, head) => {
  if (answer.statusCode !== 200) {
    process.stdout.write(JSON.stringify([answer.statusCode]));
    socket.destroy();
    return;
  }
  const inside = http.request({ createConnection: () => socket, headers: { Host: path }, path: "/bytes/1234" });
  inside.on("response", (response) => {
    let bytes = 0;
    response.on("data", (piece) => { bytes += piece.length; });
    response.on("end", () => {
      process.stdout.write(JSON.stringify([answer.statusCode, response.statusCode, bytes, head.length]));
      socket.destroy();
    });
  });
  inside.end();
});
connect.end();
