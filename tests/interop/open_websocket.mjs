// examples/websocket without its layer, to show what checks are worth: open_websocket.mjs SERVER TOKEN
//
// Forwards every request to SERVER. A WebSocket is opened with TOKEN, whatever the client has sent.
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'

const [server, token] = process.argv.slice(2)
const { hostname, port } = new URL(server)

const proxy = http.createServer((request, response) => {
  const { method, headers, url: path } = request
  request.pipe(http.request({ hostname, port, method, headers, path }, answer => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  }))
})
proxy.on('upgrade', (request, client) => {
  const { 'sec-websocket-protocol': protocols, ...others } = request.headers
  const headers = {
    ...others,
    'sec-websocket-protocol': protocols.split(', ').filter(protocol => !protocol.startsWith('base64url.')).join(),
    authorization: `Bearer ${token}`,
  }
  const fields = Object.entries(headers).filter(([, value]) => value).map(([name, value]) => `${name}: ${value}\r\n`)
  const upstream = net.connect(port, hostname)
  upstream.write(`GET ${request.url} HTTP/1.1\r\n${fields.join('')}\r\n`)
  upstream.pipe(client).pipe(upstream)
  for (const socket of [client, upstream]) socket.on('error', () => socket.destroy())
})
proxy.listen(0, '127.0.0.1')
await once(proxy, 'listening')
console.log(`listening on http://127.0.0.1:${proxy.address().port}`)
