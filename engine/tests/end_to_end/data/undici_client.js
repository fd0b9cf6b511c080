// undici's ProxyAgent through an intercepting proxy; prints what it saw as JSON.
//
// usage: node undici_client.js PROXY_URL ORIGIN_URL
//
// What it trusts is what NODE_EXTRA_CA_CERTS adds.
"use strict";

const diagnostics = require("node:diagnostics_channel");
const { ProxyAgent, fetch, request } = require("undici");

const [uri, origin] = process.argv.slice(2);

/** The protocol of each connection inside TLS, and whether its certificate was believed. */
const agreed = [];
diagnostics.channel("undici:client:connected").subscribe(({ connectParams, socket }) => {
  if (connectParams.protocol === "https:") {
    agreed.push([socket.alpnProtocol, socket.authorized]);
  }
});

/** One request: its status and how many bytes came. */
async function ask(dispatcher, path, options) {
  const answer = await request(origin + path, { dispatcher, ...options });
  let bytes = 0;
  for await (const piece of answer.body) {
    bytes += piece.length;
  }
  return [answer.statusCode, bytes];
}

async function over(allowH2) {
  const dispatcher = new ProxyAgent({ uri, allowH2, requestTls: { allowH2 } });
  const numbers = [...Array(50).keys()];
  const many = await Promise.all(numbers.map((index) => ask(dispatcher, `/page.html?${index}`)));
  const seen = {
    bytes: many.reduce((sum, [, bytes]) => sum + bytes, 0),
    large: (await ask(dispatcher, "/large"))[1],
    posted: (await ask(dispatcher, "/upload", { method: "POST", body: Buffer.alloc(1_000_000) }))[0],
    denied: (await ask(dispatcher, "/secret"))[0],
    fetched: (await (await fetch(`${origin}/page.html`, { dispatcher })).text()).length,
    agreed: [...new Set(agreed.splice(0).map((pair) => pair.join()))],
  };
  await dispatcher.close();
  return seen;
}

async function main() {
  process.stdout.write(JSON.stringify({ h1: await over(false), h2: await over(true) }));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
