// Serves Client ID Metadata Documents, as the vendors of MCP clients do: node client_documents.mjs KEY CERTIFICATE
//
// | path | the document |
// |---|---|
// | /notes.json | a public client that gets refresh tokens |
// | /once.json | the same without refresh tokens |
// | /other-id.json | says that it is /notes.json |
// | /secret.json | wants to authenticate by a secret |
// | /requests | the number of requests by path, instead of a document |
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { once } from 'node:events'

const [key, certificate] = process.argv.slice(2)
const requests = {}

function documentAt(path) {
  const document = {
    client_id: `${origin}${path}`,
    client_name: 'Notes on a laptop',
    client_uri: `${origin}/`,
    redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
  switch (path) {
    case '/notes.json': return document
    case '/once.json': return { ...document, grant_types: ['authorization_code'] }
    case '/other-id.json': return { ...document, client_id: `${origin}/notes.json` }
    case '/secret.json': return { ...document, token_endpoint_auth_method: 'client_secret_basic', client_secret: 'x' }
    case '/requests': return requests
    default: return undefined
  }
}

const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (request, response) => {
  const document = documentAt(request.url)
  if (request.url !== '/requests') requests[request.url] = (requests[request.url] ?? 0) + 1
  const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=600' }
  response.writeHead(document ? 200 : 404, headers).end(JSON.stringify(document ?? {}))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `https://localhost:${server.address().port}`
console.log(`listening on ${origin}`)
