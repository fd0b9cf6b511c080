// Many requests at once over one HTTP/2 connection through the proxy; prints how they ended as JSON.
//
// usage: node http2_requests.js PROXY_PORT HOST:PORT METHOD PATH COUNT BYTES
//
// What it trusts is what NODE_EXTRA_CA_CERTS adds. Each request has its number as the query. The outcome of one is
// `STATUS CONTENT`, or the code of the error.
"use strict";

const http = require("node:http");
const http2 = require("node:http2");
const tls = require("node:tls");

const [proxyPort, origin, method, path, count, size] = process.argv.slice(2);
const host = origin.split(":")[0];

function connect() {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port: proxyPort, method: "CONNECT", path: origin, headers: { Host: origin } });
    request.on("error", reject);
    request.on("connect", (_, tunnel) => {
      const secured = tls.connect({ socket: tunnel, servername: host, ALPNProtocols: ["h2"] });
      secured.once("error", reject);
      secured.once("secureConnect", () => resolve(secured));
    });
    request.end();
  });
}

function one(session, index) {
  return new Promise((resolve) => {
    const body = Buffer.alloc(Number(size), "x");
    const stream = session.request({ ":method": method, ":path": `${path}?${index}` }, { endStream: body.length === 0 });
    let status = 0;
    let content = "";
    stream.on("response", (head) => { status = head[":status"]; });
    stream.on("data", (piece) => { content += piece; });
    stream.on("end", () => { if (stream.rstCode === 0) resolve(status === 200 ? `${status} ${content}` : `${status}`); });
    stream.on("error", (error) => resolve(error.message));
    if (body.length > 0) {
      stream.end(body);
    }
  });
}

(async () => {
  const connection = await connect();
  const session = http2.connect(`https://${origin}`, { createConnection: () => connection });
  const numbers = [...Array(Number(count)).keys()];
  const outcomes = await Promise.all(numbers.map((index) => one(session, index)));
  const counted = {};
  for (const outcome of outcomes) {
    counted[outcome] = (counted[outcome] || 0) + 1;
  }
  console.log(JSON.stringify(counted));
  session.destroy();
})();
