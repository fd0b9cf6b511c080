// Node through proxies that ask who it is; prints what it saw as JSON.
//
// Arguments: URL of a proxy with credentials, the same without, host:port of an origin, port of an https
// listener, value of Proxy-Authorization.

const http2 = require("http2");
const { ProxyAgent, fetch } = require("undici");

const [withCredentials, without, origin, listener, authorization] = process.argv.slice(2);

async function fetched(proxy) {
  const dispatcher = new ProxyAgent({ uri: proxy, proxyTunnel: true });
  try {
    const response = await fetch(`http://${origin}/`, { dispatcher });
    return response.status;
  } catch (error) {
    return String(error.cause ?? error);
  }
}

function stream(session, headers, send) {
  return new Promise((resolve) => {
    const request = session.request(headers, { endStream: !send });
    let answer = {};
    let text = "";
    request.setEncoding("utf8");
    request.on("response", (fields) => {
      answer = { status: fields[":status"], challenge: fields["proxy-authenticate"] ?? null };
      if (send && answer.status === 200) request.write(send);
    });
    request.on("data", (more) => {
      text += more;
      if (send && text.includes("ok")) request.end();
    });
    request.on("close", () => resolve({ ...answer, text: answer.status === 200 ? text : "" }));
    request.on("error", () => {});
  });
}

async function overHttp2() {
  const session = http2.connect(`https://127.0.0.1:${listener}`, { rejectUnauthorized: false });
  const get = { ":method": "GET", ":scheme": "http", ":authority": origin, ":path": "/" };
  const connect = { ":method": "CONNECT", ":authority": origin };
  const said = { "proxy-authorization": authorization };
  const inside = `GET / HTTP/1.1\r\nHost: ${origin}\r\n\r\n`;
  const seen = {
    unasked: await stream(session, get),
    asked: await stream(session, { ...get, ...said }),
    refused: await stream(session, connect, inside),
    tunnel: await stream(session, { ...connect, ...said }, inside),
  };
  session.close();
  return seen;
}

(async () => {
  const seen = { with: await fetched(withCredentials), without: await fetched(without) };
  seen.http2 = await overHttp2();
  console.log(JSON.stringify(seen));
  process.exit(0);
})();
