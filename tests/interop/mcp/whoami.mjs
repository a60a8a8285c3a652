// examples/whoami as an MCP server whose tool needs `notes:write`, with both clients of the TypeScript SDK:
//
//   READ=token BOTH=token node whoami.mjs http://ADDRESS
//
// READ has the scope `notes:read`, BOTH has `notes:write` too. The subject of both is `svc`.
import * as v2 from '@modelcontextprotocol/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Checks } from './checks.mjs'

const base = process.argv[2]
const { READ, BOTH } = process.env
const checks = new Checks('examples/whoami as an MCP server')
const sdks = {
  '2025-11-25': { Client, StreamableHTTPClientTransport, options: {} },
  '2026-07-28': { ...v2, options: { versionNegotiation: { mode: { pin: '2026-07-28' } } } },
}

function connection(sdk, token) {
  const requestInit = { headers: token ? { authorization: `Bearer ${token}` } : {} }
  const transport = new sdk.StreamableHTTPClientTransport(new URL('/mcp', base), { requestInit })
  const client = new sdk.Client({ name: 'interop', version: '0' }, sdk.options)
  return { client, connected: client.connect(transport) }
}

/** What the tool answers, or how the client failed. */
async function ask(sdk, token) {
  try {
    const { client, connected } = connection(sdk, token)
    await connected
    const tools = (await client.listTools()).tools.map((tool) => tool.name)
    const result = await client.callTool({ name: 'whoami', arguments: {} })
    await client.close()
    return [tools, result.content]
  } catch (error) {
    return String(error)
  }
}

for (const [revision, sdk] of Object.entries(sdks)) {
  checks.equal(await ask(sdk, BOTH), [['whoami'], [{ type: 'text', text: 'svc' }]], `${revision}, with the scope`)
  for (const [what, token] of [['without the scope', READ], ['with a bad token', 'x'], ['without a token', null]]) {
    const outcome = await ask(sdk, token)
    checks.equal(typeof outcome, 'string', `${revision}, ${what}: ${JSON.stringify(outcome)}`)
  }
}
// Under 2026-07-28, a token without the scope still lists the tools.
const { client, connected } = connection(sdks['2026-07-28'], READ)
await connected
checks.equal((await client.listTools()).tools.length, 1, 'tools with the scope of none')
await client.close()

async function request(method, path, token, headers = {}) {
  const authorization = token ? { authorization: `Bearer ${token}` } : {}
  const response = await fetch(base + path, { method, headers: { ...authorization, ...headers } })
  const challenge = response.headers.get('www-authenticate') ?? ''
  const body = await response.text()
  return [response.status, challenge.match(/ scope="([^"]*)"/)?.[1], body.startsWith('{"claims":{')]
}

const stream = { accept: 'text/event-stream' }
checks.equal(await request('POST', '/mcp', READ), [403, 'notes:write', false], 'POST without the scope')
checks.equal(await request('GET', '/mcp', READ, stream), [403, 'notes:write', false], 'GET without the scope')
// The server keeps no sessions, so it has no stream to offer.
checks.equal(await request('GET', '/mcp', BOTH, stream), [405, undefined, false], 'GET with the scope')
checks.equal(await request('GET', '/mcp', null, stream), [401, undefined, false], 'GET without a token')
for (const [method, path] of [['PUT', '/mcp'], ['POST', '/mcp/'], ['POST', '/'], ['GET', '/other']]) {
  checks.equal(await request(method, path, READ), [200, undefined, true], `${method} ${path}`)
  checks.equal(await request(method, path, null), [401, undefined, false], `${method} ${path} without a token`)
}
const found = await fetch(`${base}/.well-known/oauth-protected-resource/mcp`)
const { resource, scopes_supported } = await found.json()
checks.equal([resource, scopes_supported], ['http://127.0.0.1/mcp', ['notes:write']], 'the metadata')
checks.end()
