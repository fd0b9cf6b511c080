// Handshakes of NTLM in the streams of one HTTP/2 connection, all at once, and a stranger on another.
// Arguments: proxy (host:port), authority to trust, host:port, first and second message. Prints what
// came of them.
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const tls = require('tls');

const [proxy, authority, target, negotiate, authenticate] = process.argv.slice(2);

function connect() {
  const [host, port] = proxy.split(':');
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method: 'CONNECT', path: target });
    request.on('error', reject);
    request.on('connect', (_, socket) => {
      const secured = tls.connect({
        socket,
        servername: target.split(':')[0],
        ca: fs.readFileSync(authority),
        ALPNProtocols: ['h2'],
      });
      resolve(http2.connect(`https://${target}`, { createConnection: () => secured }));
    });
    request.end();
  });
}

function ask(session, credentials) {
  const fields = credentials ? { authorization: `NTLM ${credentials}` } : {};
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/', ...fields });
    let status;
    let body = '';
    stream.on('response', (head) => { status = head[':status']; });
    stream.on('data', (data) => { body += data; });
    stream.on('end', () => resolve(`${status} ${body}`));
    stream.on('error', reject);
  });
}

async function logIn(session) {
  const first = await ask(session, negotiate);
  return first === '401 ' ? ask(session, authenticate) : `first ${first}`;
}

async function main() {
  const session = await connect();
  await ask(session);
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => logIn(session)));
  const other = await connect();
  const stranger = await ask(other);
  console.log(JSON.stringify({ outcomes, stranger }));
  session.destroy();
  other.destroy();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
