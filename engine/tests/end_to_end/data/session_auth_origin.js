// An origin of HTTP/2 and HTTP/1.1 that authenticates connections of the latter, as NTLM does.
// Arguments: certificate, key. Prints its port; each response tells the version and what is known.
const fs = require('fs');
const http2 = require('http2');

const [certificate, key] = process.argv.slice(2);
const server = http2.createSecureServer({
  allowHTTP1: true,
  cert: fs.readFileSync(certificate),
  key: fs.readFileSync(key),
});

server.on('request', (request, response) => {
  const socket = request.socket;
  const message = (request.headers.authorization || '').split(' ')[1] || '';
  const isHttp1 = request.httpVersion === '1.1';
  if (isHttp1 && message.startsWith('TlRMTVNTUAAB')) socket.challenged = true;
  if (isHttp1 && message.startsWith('TlRMTVNTUAAD')) socket.known = socket.challenged;
  const known = isHttp1 && socket.known;
  const fields = known ? {} : {
    'www-authenticate': isHttp1 && socket.challenged ? 'NTLM TlRMTVNTUAACAAAA' : 'NTLM',
  };
  response.writeHead(known ? 200 : 401, fields);
  response.end(`${request.httpVersion} ${known ? 'known' : ''}`);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
