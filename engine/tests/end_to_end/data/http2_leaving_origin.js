// An origin of HTTP/2 that does not process everything it is sent, as Node's servers say it.
//
// usage: node http2_leaving_origin.js KEY CERTIFICATE
//
// Prints `port N`, and `served REQUEST VERSION` for each request that it has served to its end. Paths:
//   /ten        each connection takes ten streams, then GOAWAY without an error
//   /angry      the same, with GOAWAY ENHANCE_YOUR_CALM
//   /refused    every second stream is refused (REFUSED_STREAM)
//   /http1      RST_STREAM with HTTP_1_1_REQUIRED, served over HTTP/1.1
//   /http1-all  GOAWAY with HTTP_1_1_REQUIRED and the end of the connection, served over HTTP/1.1
//   /large      GOAWAY once 300 KB of the content have come
"use strict";

const fs = require("node:fs");
const http2 = require("node:http2");

const [key, cert] = process.argv.slice(2).map((path) => fs.readFileSync(path));
const { constants } = http2;
const server = http2.createSecureServer({
  key,
  cert,
  allowHTTP1: true,
  settings: { initialWindowSize: 1 << 20 },
});
const refused = new Set();

function served(request, version) {
  console.log(`served ${request} ${version}`);
}

/** Answers once all content has come. */
function serve(stream, url) {
  let bytes = 0;
  stream.on("data", (piece) => { bytes += piece.length; });
  stream.on("error", () => {});
  stream.on("end", () => {
    if (!stream.destroyed) {
      served(url, "2");
      stream.respond({ ":status": 200 });
      stream.end(String(bytes));
    }
  });
}

/** Takes ten streams on a connection and is done with it then. */
function ten(session, stream, url, code) {
  session.taken = (session.taken || 0) + 1;
  if (session.taken > 10) {
    stream.on("error", () => {});
    return;
  }
  serve(stream, url);
  if (session.taken === 10) {
    session.goaway(code, stream.id);
    setTimeout(() => session.destroy(), 500);
  }
}

server.on("session", (session) => {
  session.setLocalWindowSize(1 << 20);
  session.on("error", () => {});
});

server.on("stream", (stream, headers) => {
  const url = headers[":path"];
  const path = url.split("?")[0];
  const session = stream.session;
  switch (path) {
    case "/ten":
      ten(session, stream, url, constants.NGHTTP2_NO_ERROR);
      break;
    case "/angry":
      ten(session, stream, url, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      break;
    case "/refused":
      if (refused.has(headers[":method"] + url)) {
        serve(stream, url);
      } else {
        refused.add(headers[":method"] + url);
        stream.on("error", () => {});
        stream.close(constants.NGHTTP2_REFUSED_STREAM);
      }
      break;
    case "/http1":
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED);
      break;
    case "/http1-all":
      stream.on("error", () => {});
      session.goaway(constants.NGHTTP2_HTTP_1_1_REQUIRED);
      setTimeout(() => session.destroy(), 20);
      break;
    case "/large": {
      let bytes = 0;
      stream.on("error", () => {});
      stream.on("data", (piece) => {
        bytes += piece.length;
        if (bytes > 300_000 && !session.left) {
          session.left = true;
          session.goaway(constants.NGHTTP2_NO_ERROR, stream.id - 2);
        }
      });
      break;
    }
    default:
      serve(stream, url);
  }
});

// Requests of HTTP/1.1; those of HTTP/2 come here as well.
server.on("request", (request, response) => {
  if (request.httpVersion !== "1.1") {
    return;
  }
  let bytes = 0;
  request.on("data", (piece) => { bytes += piece.length; });
  request.on("end", () => {
    served(`${request.method} ${request.url}`, "1.1");
    response.end(String(bytes));
  });
});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
