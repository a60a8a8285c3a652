// Sessions of clients of 2025-11-25 at examples/mcp_server --sessions: each belongs to the user who started it.
//
//   ALICE=token node sessions.mjs URL ISSUER
//
// ALICE is a token with all scopes. Bob, another client of the issuer, registers himself.
import { Checks } from './checks.mjs'

const [url, issuer] = process.argv.slice(2)
const checks = new Checks('sessions of two users')
const alice = process.env.ALICE
const bob = await newUser()

async function newUser() {
  const scope = 'notes:read notes:write'
  const client = {
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
    scope,
  }
  const json = { 'content-type': 'application/json' }
  const registered = await fetch(`${issuer}/reg`, { method: 'POST', headers: json, body: JSON.stringify(client) })
  const { client_id, client_secret } = await registered.json()
  const form = { grant_type: 'client_credentials', client_id, client_secret, scope, resource: url }
  const answer = await fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(form) })
  return (await answer.json()).access_token
}

async function send(method, token, ids, message) {
  const headers = new Headers({
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'mcp-protocol-version': '2025-11-25',
  })
  if (ids) headers.set('mcp-session-id', ids)
  const body = message && JSON.stringify({ jsonrpc: '2.0', ...message })
  const response = await fetch(url, { method, headers, body })
  // A stream of GET does not end.
  const text = method === 'GET' ? '' : await response.text()
  await response.body?.cancel().catch(() => {})
  return { status: response.status, id: response.headers.get('mcp-session-id'), text }
}

async function newSession(token) {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'interop', version: '0' } }
  const { status, id } = await send('POST', token, undefined, { id: 1, method: 'initialize', params })
  checks.equal([status, typeof id], [200, 'string'], 'a new session')
  const initialized = await send('POST', token, id, { method: 'notifications/initialized' })
  checks.equal(initialized.status, 202, 'an initialized session')
  return id
}

const call = { id: 2, method: 'tools/call', params: { name: 'list_notes', arguments: {} } }

async function works(token, id) {
  const { status, text } = await send('POST', token, id, call)
  return status === 200 && text.includes(' notes: ')
}

const first = await newSession(alice)
const other = await newSession(bob)
checks.equal([await works(alice, first), await works(bob, other)], [true, true], 'sessions of their users')
for (const ids of [first, `${other}, ${first}`, `${first}, ${other}`, 'x']) {
  for (const method of ['POST', 'GET', 'DELETE']) {
    const { status } = await send(method, bob, ids, method === 'POST' ? call : undefined)
    checks.equal(status, 404, `${method} of Bob with ${ids}`)
  }
}
checks.equal([await works(alice, first), await works(bob, other)], [true, true], 'sessions of their users, after that')
checks.equal((await send('GET', alice, first)).status, 200, 'the stream of a session')
// Bob's sessions displace his own alone.
for (let count = 0; count < 8; count += 1) await newSession(bob)
checks.equal([await works(alice, first), await works(bob, other)], [true, false], 'after more sessions of Bob')
checks.equal((await send('DELETE', alice, first)).status, 202, 'the end of a session')
checks.equal(await works(alice, first), false, 'a session that has ended')
checks.end()
