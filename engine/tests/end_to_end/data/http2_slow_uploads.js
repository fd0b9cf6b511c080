// Uploads over HTTP/2 that say nothing of their length, to an origin of HTTP/1.1, through the proxy; prints the
// status of each as JSON.
//
// usage: node http2_slow_uploads.js PROXY_PORT HOST CERTIFICATE KEY
//
// The client trusts what NODE_EXTRA_CA_CERTS adds.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const http2 = require("node:http2");
const https = require("node:https");
const tls = require("node:tls");

const [proxyPort, host, certificate, key] = process.argv.slice(2);

function listen() {
  const files = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
  const server = https.createServer(files, (request, response) => {
    request.resume();
    request.on("end", () => response.end("ok"));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

function connect(origin) {
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

// Twenty bytes with so many milliseconds before each.
function upload(session, type, pause) {
  return new Promise((resolve) => {
    const stream = session.request({ ":method": "POST", ":path": "/", "content-type": type });
    stream.on("response", (head) => resolve(head[":status"]));
    stream.on("error", (error) => resolve(error.message));
    let left = 20;
    const next = () => {
      if (stream.destroyed || stream.closed) {
        return;
      }
      if (left === 0) {
        stream.end();
        return;
      }
      left -= 1;
      stream.write("x");
      setTimeout(next, pause);
    };
    next();
  });
}

(async () => {
  const server = await listen();
  const origin = `${host}:${server.address().port}`;
  const connection = await connect(origin);
  const session = http2.connect(`https://${origin}`, { createConnection: () => connection });
  const [trickle, grpc, whole] = await Promise.all([
    upload(session, "text/plain", 200),
    upload(session, "application/grpc", 200),
    upload(session, "text/plain", 0),
  ]);
  console.log(JSON.stringify({ trickle, grpc, whole }));
  process.exit(0);
})();
