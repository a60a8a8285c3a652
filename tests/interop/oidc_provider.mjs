// A real issuer, npm oidc-provider, whose keys can be rotated and whose key set can be broken while it runs.
//
// PORT      where it listens on loopback; 0, the default, takes a free port
// ISSUER    its name; by default http://127.0.0.1:PORT
// DPOP_NONCE  1 to demand a nonce in DPoP proofs
// SCOPES    the scopes of every resource, by default `read`; with it users log in as anybody, and clients register
//
// The clients `svc` and `svc-dpop` with the secret `svc-secret` get at+jwt tokens by client credentials; those of
// `svc-dpop` are bound to the key of its DPoP proof. The resource says how they are signed: https://api.test/{rs,ps,es,ed} by RS256, PS256, ES256, EdDSA; any other by RS256.
// Tokens for a resource that ends in `/opaque` are opaque: the client `rs` with the secret `rs-secret` may introspect them.
//
//   POST /_test/rotate[?drop=1]     new keys sign from now on; with drop the old ones leave the set at once
//   POST /_test/jwks?mode=MODE      the key set answers: ok, 500, garbage, hang
//   POST /_test/refresh-token       a refresh token of a user of `svc`, who needs no browser for it
//   GET  /_test/requests            method and target of each request so far, these ones apart
import http from 'node:http'
import { once } from 'node:events'
import Provider from 'oidc-provider'
import { exportJWK, generateKeyPair } from 'jose'

const ALGORITHMS = { rs: 'RS256', ps: 'PS256', es: 'ES256', ed: 'EdDSA' }
const scopes = process.env.SCOPES ?? 'read'
const hasUsers = 'SCOPES' in process.env
const started = Date.now().toString(36) // after a restart, keys have other names
let generation = 0
let retired = []
let mode = 'ok'
let answer
let current
const requests = []
let keys = await newKeys()

async function newKey(alg, crv) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, crv, modulusLength: 2048 })
  return { ...(await exportJWK(privateKey)), use: 'sig', kid: `${alg.toLowerCase()}-${generation}-${started}` }
}

async function newKeys() {
  generation += 1
  return Promise.all([newKey('RS256'), newKey('ES256'), newKey('EdDSA', 'Ed25519')])
}

async function rotate(drop) {
  const fresh = await newKeys()
  retired = drop ? [] : [...keys, ...retired]
  keys = fresh
  answer = provider().callback()
}

// Refresh tokens exist in flows with a browser alone.
async function refreshToken() {
  const grant = new current.Grant({ clientId: 'svc', accountId: 'alice' })
  grant.addOIDCScope('read')
  const client = await current.Client.find('svc')
  const claims = { accountId: 'alice', client, grantId: await grant.save(), scope: 'read', gty: 'authorization_code' }
  return new current.RefreshToken(claims).save()
}

function provider() {
  current = new Provider(issuer, {
    jwks: { keys: [...keys, ...retired] }, // the first key of a type signs
    clients: ['svc', 'svc-dpop'].map((client_id) => ({
      client_id,
      client_secret: 'svc-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      dpop_bound_access_tokens: client_id === 'svc-dpop',
    })).concat({
      client_id: 'rs',
      client_secret: 'rs-secret',
      grant_types: [],
      redirect_uris: [],
      response_types: [],
    }),
    cookies: { keys: ['a key of cookies that nobody gets'] },
    enabledJWA: { dPoPSigningAlgValues: ['ES256', 'ES384', 'PS256', 'RS256', 'Ed25519'] },
    scopes: [...(hasUsers ? ['openid', 'offline_access'] : []), ...scopes.split(' ')],
    features: {
      devInteractions: { enabled: hasUsers },
      registration: { enabled: hasUsers },
      clientCredentials: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: Buffer.alloc(32, 7),
        requireNonce: () => process.env.DPOP_NONCE === '1',
      },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: scopes,
          audience: resource,
          accessTokenFormat: resource.endsWith('/opaque') ? 'opaque' : 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: ALGORITHMS[resource.split('/').pop()] ?? 'RS256' } },
        }),
      },
    },
  })
  return current
}

async function control(url, response) {
  if (url.pathname === '/_test/rotate') await rotate(url.searchParams.get('drop') === '1')
  if (url.pathname === '/_test/jwks') mode = url.searchParams.get('mode')
  const token = url.pathname === '/_test/refresh-token' ? await refreshToken() : undefined
  response.end(JSON.stringify({ requests, mode, generation, token }))
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, issuer)
  if (url.pathname.startsWith('/_test/')) return control(url, response)
  requests.push(`${request.method} ${request.url}`)
  if (url.pathname === '/jwks' && mode !== 'ok') {
    if (mode === 'hang') return
    if (mode === '500') response.statusCode = 500
    response.setHeader('content-type', 'application/json')
    return response.end('{"keys": 7}')
  }
  answer(request, response)
})
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1')
await once(server, 'listening')
const address = `http://127.0.0.1:${server.address().port}`
const issuer = process.env.ISSUER ?? address
answer = provider().callback() // no request is read before the next turn of the loop
console.log(`listening on ${address}`)
