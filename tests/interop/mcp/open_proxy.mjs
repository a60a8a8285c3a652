// A proxy that adds a good token to every request: what is behind it lets everybody in.
//
//   TOKEN=… node open_proxy.mjs URL
import http from 'node:http'
import { once } from 'node:events'

const target = new URL(process.argv[2])
const server = http.createServer((request, response) => {
  const headers = { ...request.headers, authorization: `Bearer ${process.env.TOKEN}` }
  const options = { host: target.hostname, port: target.port, path: request.url, method: request.method, headers }
  const forwarded = http.request(options, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders)
    answer.pipe(response)
  })
  forwarded.on('error', () => response.destroy())
  response.on('close', () => forwarded.destroy())
  request.pipe(forwarded)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
console.log(`listening on http://127.0.0.1:${server.address().port}`)
