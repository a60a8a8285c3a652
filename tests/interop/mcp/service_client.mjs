// The TypeScript SDK's client at examples/mcp_server, whose issuer is the token service. Nobody has registered the client:
// its ID is the URL of its metadata document.
//
//   node service_client.mjs 2025-11-25|2026-07-28 URL DOCUMENTS
//
// DOCUMENTS is the address of client_documents.mjs. It logs in, calls a tool, gets more scopes, refreshes its tokens, and
// logs in again after a revocation. Under 2025-11-25, the server is to have --older-clients: SDK 1 gets no more scopes
// once it has a refresh token.
import { Checks } from './checks.mjs'
import { Person } from './person.mjs'
import { connect, provider, sdkOf } from './sdk.mjs'

const [revision, target, documents] = process.argv.slice(2)
const isCurrent = revision === '2026-07-28'
const url = new URL(target)
const sdk = await sdkOf(revision)
// SDK 2 also asks for `offline_access` if it may get refresh tokens, and adds further scopes after that.
const READ = isCurrent ? 'notes:read offline_access' : 'notes:read'
const BOTH = `${READ} notes:write`
const FIRST = isCurrent ? READ : BOTH
// Native clients take a free port, some of them of `localhost`.
const callback = isCurrent ? 'http://127.0.0.1:5555/callback' : 'http://localhost:5555/callback'
const checks = new Checks(`the MCP client of ${revision}, with a metadata document`)
const equal = checks.equal.bind(checks)
const person = new Person(callback)

/** The requests of the SDK and their statuses. */
let seen = []
async function observed(request, init) {
  const response = await fetch(request, init)
  const { origin, pathname } = new URL(request)
  const path = origin === url.origin && pathname === url.pathname ? 'server' : pathname
  seen.push({ method: init?.method ?? 'GET', path, status: response.status })
  return response
}

/** What the SDK wants to keep, and where it sends the user. */
const kept = {}
const authProvider = provider(kept, {
  redirectUrl: callback,
  clientMetadataUrl: `${documents}/notes.json`,
  clientMetadata: {
    client_name: 'Notes on a laptop',
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  state: () => 'x y',
  invalidateCredentials: (what) => { if (what === 'tokens' || what === 'all') delete kept.tokens },
})

const newTransport = () => new sdk.StreamableHTTPClientTransport(url, { authProvider, fetch: observed })
const textOf = async (call) => (await call).content?.map((part) => part.text).join()
const add = (client) => textOf(client.callTool({ name: 'add_note', arguments: { text: 'buy milk' } }))
const list = (client) => textOf(client.callTool({ name: 'list_notes', arguments: {} }))
const claims = () => JSON.parse(Buffer.from(kept.tokens.access_token.split('.')[1], 'base64url'))

/** The call is refused with this status, and the SDK sends the user away to ask for this scope. */
async function asksFor(scope, status, what, call) {
  delete kept.redirect
  seen = []
  const outcome = await call().then(() => 'it worked', (reason) => reason)
  equal(outcome instanceof sdk.UnauthorizedError, true, `${what}: the user is sent away, not: ${outcome}`)
  equal(seen.find((answer) => answer.path === 'server' && answer.status >= 400)?.status, status, `${what}: status`)
  const asked = Object.fromEntries(kept.redirect.searchParams)
  const { client_id, redirect_uri, resource, code_challenge_method, response_type } = asked
  equal(
    [client_id, redirect_uri, resource, code_challenge_method, response_type, asked.scope],
    [authProvider.clientMetadataUrl, callback, url.href, 'S256', 'code', scope],
    `${what}: what the client asks for`,
  )
}

/** The person allows it, and the SDK gets the tokens. */
async function allow(transport, scope, pages, what) {
  const answer = (await person.allow(kept.redirect)).searchParams
  equal(person.shown, pages, `${what}: the pages`)
  equal([answer.get('state'), answer.get('iss')], ['x y', kept.redirect.origin], `${what}: the response`)
  await (isCurrent ? transport.finishAuth(answer) : transport.finishAuth(answer.get('code')))
  const { aud, scope: granted, sub, client_id } = claims()
  const wanted = [[url.href], scope, 'alice', authProvider.clientMetadataUrl]
  equal([[aud].flat(), granted, sub, client_id], wanted, `${what}: the token`)
  equal(typeof kept.tokens.refresh_token, 'string', `${what}: a refresh token`)
}

// First contact. From the 401, the SDK finds everything by itself, and registers nowhere.
let transport = newTransport()
await asksFor(FIRST, 401, 'first contact', () => connect(sdk, revision, transport))
const found = seen.filter(({ path }) => path !== 'server').map(({ method, path, status }) => `${method} ${path} ${status}`)
const known = ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-authorization-server']
equal(found, known.map((path) => `GET ${path} 200`), 'the documents that the SDK asks for')
await allow(transport, FIRST, ['login', 'consent'], 'first login')
const shows = ['Notes on a laptop', new URL(documents).host, new URL(callback).host, url.href]
equal(shows.filter((text) => !person.question.includes(text)), [], `what the page does not show: ${person.question}`)

// More scopes. The person is still logged in, and is asked again.
transport = newTransport()
const client = await connect(sdk, revision, transport)
equal(/^\d+ notes: /.test(await list(client)), true, 'a tool with the first scope')
if (isCurrent) {
  await asksFor(BOTH, 403, 'more scopes', () => add(client))
  await allow(transport, BOTH, ['consent'], 'more scopes')
}
equal(await add(client), 'noted for alice', 'the tool that needs more')

// A token that the server refuses is refreshed, and the call repeated.
const before = kept.tokens
kept.tokens = { ...before, access_token: `${before.access_token.slice(0, -8)}AAAAAAAA` }
seen = []
equal((await list(client)).endsWith('buy milk'), true, 'a call with a refused token')
equal(seen.map(({ path, status }) => `${path} ${status}`), ['server 401', '/token 200', 'server 200'], 'what it took')
equal([before.refresh_token !== kept.tokens.refresh_token, claims().scope, [claims().aud].flat()],
  [true, before.scope, [url.href]], 'the refreshed tokens')

// After a revocation, the SDK asks the person again.
const metadata = await fetch(`${kept.redirect.origin}/.well-known/oauth-authorization-server`)
const { revocation_endpoint } = await metadata.json()
const revoked = new URLSearchParams({ token: kept.tokens.refresh_token, client_id: authProvider.clientMetadataUrl })
equal((await fetch(revocation_endpoint, { method: 'POST', body: revoked })).status, 200, 'a revocation')
kept.tokens = { ...kept.tokens, access_token: 'x' }
transport = newTransport()
await asksFor(FIRST, 401, 'after the revocation', () => connect(sdk, revision, transport))
equal(seen.some(({ path, status }) => path === '/token' && status === 400), true, 'a revoked refresh token is refused')
await allow(transport, FIRST, ['consent'], 'the login after that')
checks.end()
