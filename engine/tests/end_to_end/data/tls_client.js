// Node's clients through an intercepting proxy; prints what they saw as JSON.
//
// usage: node tls_client.js PROXY_PORT HOST:PORT
//
// What it trusts is what NODE_EXTRA_CA_CERTS adds. Without packages: CONNECT by hand, then Node's own
// TLS, https and http2.
"use strict";

const http = require("node:http");
const http2 = require("node:http2");
const https = require("node:https");
const tls = require("node:tls");

const [proxyPort, origin] = process.argv.slice(2);
const host = origin.split(":")[0];

/** A TLS connection to the origin in a tunnel of the proxy. */
function connect(protocols) {
  return new Promise((resolve, reject) => {
    const proxy = { host: "127.0.0.1", port: proxyPort };
    const request = http.request({ ...proxy, method: "CONNECT", path: origin, headers: { Host: origin } });
    request.on("error", reject);
    request.on("connect", (answer, tunnel) => {
      if (answer.statusCode !== 200) {
        reject(new Error(`CONNECT: ${answer.statusCode}`));
        return;
      }
      const secured = tls.connect({ socket: tunnel, servername: host, ALPNProtocols: protocols });
      secured.once("error", reject);
      secured.once("secureConnect", () => resolve(secured));
    });
    request.end();
  });
}

/** One stream: its status and how many bytes came. */
function fetch2(session, headers, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined });
    let status = 0;
    let bytes = 0;
    stream.on("response", (head) => { status = head[":status"]; });
    stream.on("data", (piece) => { bytes += piece.length; });
    stream.on("end", () => resolve([status, bytes]));
    stream.on("error", reject);
    if (body !== undefined) {
      stream.end(body);
    }
  });
}

async function overHttp2() {
  const connection = await connect(["h2"]);
  const session = http2.connect(`https://${origin}`, { createConnection: () => connection });
  const numbers = [...Array(100).keys()];
  const many = await Promise.all(numbers.map((index) => fetch2(session, { ":path": `/page.html?${index}` })));
  const large = await fetch2(session, { ":path": "/large" });
  const posted = await fetch2(session, { ":path": "/upload", ":method": "POST" }, Buffer.alloc(1_000_000));
  const denied = await fetch2(session, { ":path": "/secret" });
  const seen = {
    protocol: connection.alpnProtocol,
    issuer: connection.getPeerCertificate().issuer.CN,
    bytes: many.reduce((sum, [, bytes]) => sum + bytes, 0),
    large: large[1],
    posted: posted[0],
    denied: denied[0],
  };
  session.close();
  return seen;
}

async function overHttp1() {
  const connection = await connect(["http/1.1"]);
  return new Promise((resolve, reject) => {
    const request = https.request(`https://${origin}/page.html`, { createConnection: () => connection });
    request.on("error", reject);
    request.on("response", (answer) => {
      let bytes = 0;
      answer.on("data", (piece) => { bytes += piece.length; });
      answer.on("end", () => resolve([answer.statusCode, answer.httpVersion, bytes]));
    });
    request.end();
  });
}

async function main() {
  const seen = { h2: await overHttp2(), h1: await overHttp1() };
  process.stdout.write(JSON.stringify(seen));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
