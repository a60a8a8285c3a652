// The TypeScript SDK's client logs in by itself at an MCP server, and gets more scopes when it needs them:
//
//   node client.mjs 2025-11-25|2026-07-28 URL
//
// URL is examples/mcp_server: `list_notes` needs `notes:read`, `add_note` needs `notes:write` too. Under 2026-07-28 the
// call of `add_note` is refused, under 2025-11-25 everything is, until the client has both scopes.
import { Checks } from './checks.mjs'
import { logIn } from './login.mjs'
import { connect, provider, sdkOf } from './sdk.mjs'

const [revision, target] = process.argv.slice(2)
const isCurrent = revision === '2026-07-28'
const url = new URL(target)
const sdk = await sdkOf(revision)
const READ = 'notes:read'
const BOTH = 'notes:read notes:write'
const LIST = { name: 'list_notes', arguments: {} }
const ADD = { name: 'add_note', arguments: { text: 'buy milk' } }
const checks = new Checks(`the MCP client of ${revision}`)
const equal = checks.equal.bind(checks)

/** The answers of the server to the SDK: method, status, and the challenge. */
const seen = []
async function observed(request, init) {
  // The SDK registers a client for the scopes of the first challenge alone, and oidc-provider then grants no others.
  if (new URL(request).pathname === '/reg') {
    init = { ...init, body: JSON.stringify({ ...JSON.parse(init.body), scope: BOTH }) }
  }
  const response = await fetch(request, init)
  if (new URL(request).pathname === url.pathname) {
    seen.push({ status: response.status, challenge: response.headers.get('www-authenticate') })
  }
  return response
}

/** What the SDK wants to keep, and where it sends the user. */
const kept = {}
const authProvider = provider(kept, {
  redirectUrl: 'http://127.0.0.1/callback',
  clientMetadata: {
    client_name: 'interop',
    redirect_uris: ['http://127.0.0.1/callback'],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  },
})

function newTransport() {
  return new sdk.StreamableHTTPClientTransport(url, { authProvider, fetch: observed })
}

function parameters(challenge) {
  return Object.fromEntries([...(challenge ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
}

/** The call is refused with this status, and the SDK sends the user away to ask for this scope. */
async function asksFor(scope, status, error, what, call) {
  delete kept.redirect
  seen.length = 0
  const outcome = await call().then(() => 'it worked', (reason) => reason)
  equal(outcome instanceof sdk.UnauthorizedError, true, `${what}: the user is sent away, not: ${outcome}`)
  const refusal = seen.find((answer) => answer.status >= 400) ?? {}
  equal(refusal.status, status, `${what}: status`)
  const challenge = parameters(refusal.challenge)
  equal([refusal.challenge?.startsWith('Bearer '), challenge.error, challenge.scope], [true, error, scope], `${what}: challenge`)
  const metadata = `${url.origin}/.well-known/oauth-protected-resource${url.pathname}`
  equal(challenge.resource_metadata, metadata, `${what}: resource_metadata`)
  const asked = kept.redirect?.searchParams
  const wanted = [scope, url.href, 'S256', 'code']
  const names = ['scope', 'resource', 'code_challenge_method', 'response_type']
  equal(names.map((name) => asked?.get(name)), wanted, `${what}: what the client asks for`)
}

/** Logs in, and gives the code to the SDK. */
async function finish(transport, scope, what) {
  const answer = await logIn(kept.redirect)
  await (isCurrent ? transport.finishAuth(answer) : transport.finishAuth(answer.get('code')))
  const [header, claims] = kept.tokens.access_token.split('.').slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url')))
  equal([header.typ, claims.aud, claims.scope, claims.sub], ['at+jwt', url.href, scope, 'alice'], `${what}: token`)
}

async function textOf(call) {
  const result = await call
  return result.content?.map((part) => part.text).join()
}

/** A POST by hand with the token of the SDK. */
async function post(headers, call, token = kept.tokens.access_token) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: call }),
  })
  const challenge = parameters(response.headers.get('www-authenticate'))
  return [response.status, challenge.error, challenge.scope]
}

/** With a token that has `notes:read` alone: no header makes the server run the tool that needs more. */
async function spoof() {
  const cheap = { 'mcp-method': 'tools/call', 'mcp-name': LIST.name }
  const refused = [403, 'insufficient_scope', BOTH]
  const add = { ...ADD, _meta: meta }
  for (const version of [undefined, '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '1', 'x']) {
    const headers = version ? { ...cheap, 'mcp-protocol-version': version } : cheap
    equal(await post(headers, ADD), refused, `spoofed headers under ${version}`)
  }
  const current = { ...cheap, 'mcp-protocol-version': '2026-07-28' }
  equal((await post(current, { ...LIST, _meta: meta }))[0], 200, 'the cheap tool')
  // The server compares the headers with the body.
  equal((await post(current, add))[0], 400, 'spoofed headers under 2026-07-28')
  equal((await post({ ...current, 'mcp-method': 'tools/list' }, add))[0], 400, 'a spoofed method under 2026-07-28')
  for (const changed of [{ 'mcp-name': ADD.name }, { 'mcp-name': `=?base64?${btoa(ADD.name)}?=` }, { 'mcp-name': 'x' }, { 'mcp-method': 'x' }]) {
    equal(await post({ ...current, ...changed }, add), refused, `${JSON.stringify(changed)} under 2026-07-28`)
  }
  for (const version of ['2026-07-29', '3000-01-01']) {
    const future = { ...current, 'mcp-protocol-version': version }
    const inBody = { ...meta, 'io.modelcontextprotocol/protocolVersion': version }
    for (const call of [ADD, add, { ...ADD, _meta: inBody }]) {
      equal((await post(future, call))[0], 400, `spoofed headers under ${version}`)
    }
  }
  for (const method of ['GET', 'DELETE']) {
    const headers = { ...current, accept: 'text/event-stream', authorization: `Bearer ${kept.tokens.access_token}` }
    equal((await fetch(url, { method, headers })).status, 403, `${method} with ${READ}`)
  }
  const forged = kept.tokens.access_token.slice(0, -8) + 'AAAAAAAA'
  equal(await post(current, LIST, forged), [401, 'invalid_token', READ], 'a forged token')
  equal(await post(current, LIST, null), [401, undefined, READ], 'no token')
}

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'interop', version: '0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

const first = newTransport()
await asksFor(READ, 401, undefined, 'first contact', () => connect(sdk, revision, first))
await finish(first, READ, 'first login')
await spoof()

let client
if (isCurrent) {
  const transport = newTransport()
  client = await connect(sdk, revision, transport)
  equal((await client.listTools()).tools.map((tool) => tool.name).sort(), ['add_note', 'list_notes'], 'the tools')
  equal(/^\d+ notes: /.test(await textOf(client.callTool(LIST))), true, 'list_notes')
  await asksFor(BOTH, 403, 'insufficient_scope', 'add_note', () => client.callTool(ADD))
  await finish(transport, BOTH, 'second login')
} else {
  const transport = newTransport()
  await asksFor(BOTH, 403, 'insufficient_scope', 'an older revision', () => connect(sdk, revision, transport))
  await finish(transport, BOTH, 'second login')
  client = await connect(sdk, revision, newTransport())
  equal((await client.listTools()).tools.map((tool) => tool.name).sort(), ['add_note', 'list_notes'], 'the tools')
}
equal(await textOf(client.callTool(ADD)), 'noted for alice', 'add_note with both scopes')
equal((await textOf(client.callTool(LIST))).endsWith('buy milk'), true, 'list_notes with both scopes')
await client.close()
checks.end()
