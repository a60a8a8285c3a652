// What the token service and examples/mcp_server refuse to clients with a metadata document:
//
//   node service_refusals.mjs URL ISSUER DOCUMENTS STRICT
//
// URL is examples/mcp_server, DOCUMENTS is the address of client_documents.mjs. STRICT is another token service, without
// --dangerous-client-metadata-host.
import { createHash, randomBytes } from 'node:crypto'
import { Checks } from './checks.mjs'
import { Person } from './person.mjs'

const [url, issuer, documents, strict] = process.argv.slice(2)
const callback = 'http://127.0.0.1:5555/callback'
const client = `${documents}/notes.json`
const checks = new Checks('refusals to clients with a metadata document')
const equal = checks.equal.bind(checks)
const verifier = randomBytes(32).toString('base64url')
const challenge = createHash('sha256').update(verifier).digest('base64url')

function request(more, at = issuer) {
  const parameters = {
    client_id: client, redirect_uri: callback, response_type: 'code', code_challenge: challenge,
    code_challenge_method: 'S256', scope: 'notes:read', resource: url, ...more,
  }
  return `${at}/authorize?${new URLSearchParams(parameters)}`
}

/** The response to an authorization request: a page, or where the browser is sent. */
async function open(request) {
  const response = await fetch(request, { redirect: 'manual' })
  const html = await response.text()
  return { status: response.status, to: response.headers.get('location'), isLogin: html.includes('name="password"') }
}

async function post(path, form) {
  const response = await fetch(`${issuer}${path}`, { method: 'POST', body: new URLSearchParams(form) })
  return { status: response.status, ...(await response.json().catch(() => ({}))) }
}

/** Logs in. Returns the form that exchanges the code. */
async function code(more) {
  const back = await new Person(callback).allow(request(more))
  return {
    grant_type: 'authorization_code', client_id: client, redirect_uri: callback, code_verifier: verifier,
    code: back.searchParams.get('code'),
  }
}

/** The answer of the MCP server to a token: the status, and the error of the challenge. */
async function call(token) {
  const headers = {
    'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}`,
    'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'list_notes',
  }
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'interop', version: '0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const params = { name: 'list_notes', arguments: {}, _meta: meta }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
  const response = await fetch(url, { method: 'POST', headers, body })
  return [response.status, response.headers.get('www-authenticate')?.match(/ error="(\w+)"/)?.[1]]
}

// The same requests are accepted if nothing is wrong with them.
equal(await open(request({})), { status: 200, to: null, isLogin: true }, 'a good client gets the login page')
const good = await post('/token', await code({}))
equal([good.status, await call(good.access_token)], [200, [200, undefined]], 'a good token')

// A bad client gets a page with the error, and the browser is sent nowhere.
const page = { status: 400, to: null, isLogin: false }
for (const [what, more] of [
  ['a document with another client_id', { client_id: `${documents}/other-id.json` }],
  ['a document with a secret', { client_id: `${documents}/secret.json` }],
  ['no document', { client_id: `${documents}/missing.json` }],
  ['another spelling of the URL', { client_id: client.replace('/notes', '/x/../notes') }],
  ['a redirect URI that is not in the document', { redirect_uri: 'http://127.0.0.1:5555/other' }],
  ['a redirect URI of another host', { redirect_uri: 'https://attacker.example/callback' }],
]) {
  equal(await open(request(more)), page, what)
}
equal(await open(request({}, strict)), page, 'a document on this machine, without the dangerous flag')
const redirected = async (more) => new URL((await open(request(more))).to ?? 'x:').searchParams.get('error')
const plain = { code_challenge: 'x', code_challenge_method: 'plain' }
equal(await redirected(plain), 'invalid_request', 'a request without S256')

// A token is for one resource.
equal(await redirected({ resource: 'https://other.example' }), 'invalid_target', 'an unknown resource')
const other = await post('/token', await code({ resource: issuer }))
equal([other.status, await call(other.access_token)], [200, [401, 'invalid_token']], 'a token for another resource')
const refused = async (form) => (await post('/token', form)).error
equal(await refused({ ...(await code({})), resource: issuer }), 'invalid_target', 'a resource that was not allowed')

// A code and a refresh token are for one client, and a client with a document has no other grant.
const form = await code({})
const another = { client_id: `${documents}/once.json` }
equal(await refused({ ...form, ...another }), 'invalid_grant', 'the code of another client')
equal(await refused({ ...form, code_verifier: 'v'.repeat(43) }), 'invalid_grant', 'another code verifier')
equal(await refused({ ...form, redirect_uri: 'http://127.0.0.1/callback' }), 'invalid_grant', 'another redirect URI')
const once = await post('/token', form)
equal(once.status, 200, 'the code of the client')
const refresh = { grant_type: 'refresh_token', refresh_token: once.refresh_token }
equal(await refused({ ...refresh, ...another }), 'unauthorized_client', 'a client without refresh tokens')
equal(await refused(refresh), 'invalid_grant', 'the refresh token without the client')
const machine = { grant_type: 'client_credentials', client_id: client }
equal(await refused(machine), 'unauthorized_client', 'client credentials')
const password = { grant_type: 'password', client_id: client, username: 'alice', password: 'wonderland' }
equal(await refused(password), 'unauthorized_client', 'a password')
equal((await post('/token', { ...refresh, client_id: client })).status, 200, 'the refresh token of the client')
equal(await refused(form), 'invalid_grant', 'the code for the second time')

// The document is not fetched for each request.
const requests = await (await fetch(`${documents}/requests`)).json()
equal(requests['/notes.json'], 1, `requests for the document: ${JSON.stringify(requests)}`)
checks.end()
