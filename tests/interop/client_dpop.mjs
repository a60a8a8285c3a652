// A DPoP client, oauth4webapi: node client_dpop.mjs ISSUER SERVER GRPC_SERVER RESOURCE
//
// It gets a token that is bound to its key, calls the server over HTTP and gRPC, and then attacks it. Each line is
// asserted: it ends with an error at the first that does not hold, and else prints how many there were.
//
// NONCES=1     issuer and server demand nonces
// REQUIRED=1   the server refuses tokens that are not bound
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import * as oauth from 'oauth4webapi'

const [issuer, server, grpcServer, resource] = process.argv.slice(2)
const demandsNonces = process.env.NONCES === '1'
const isRequired = process.env.REQUIRED === '1'
const loopback = { [oauth.allowInsecureRequests]: true }
const url = new URL(`http://${server}/any/path?and=query`)
const grpcUrl = new URL(`http://${grpcServer}/grpc.health.v1.Health/Check`)
const id = (name) => ({ client_id: name })
const secret = oauth.ClientSecretBasic('svc-secret')
let checked = 0

function equal(seen, wanted, what) {
  assert.deepEqual(seen, wanted, `${what}: wanted ${JSON.stringify(wanted)}, saw ${JSON.stringify(seen)}`)
  checked += 1
}

/** Runs an action again if a nonce is demanded; with how often it was. */
async function followingNonces(action) {
  for (let demanded = 0; ; demanded += 1) {
    try {
      return { result: await action(), demanded }
    } catch (error) {
      if (!oauth.isDPoPNonceError(error) || demanded === 2) throw error
    }
  }
}

const as = await oauth
  .discoveryRequest(new URL(issuer), loopback)
  .then((response) => oauth.processDiscoveryResponse(new URL(issuer), response))

async function token(client, options = {}) {
  const parameters = { scope: 'read', resource }
  const response = await oauth.clientCredentialsGrantRequest(as, client, secret, parameters, { ...loopback, ...options })
  return oauth.processClientCredentialsResponse(as, client, response)
}

/** The challenges of a refusal, as the library reads them: the error of each scheme. */
const errors = (challenges) => Object.fromEntries(challenges.map((c) => [c.scheme, c.parameters.error]))

/** A request by the library: the status, and for a refusal the errors of its challenges. */
async function call(DPoP, options = {}, accessToken = bound.access_token) {
  try {
    const { result, demanded } = await followingNonces(() =>
      oauth.protectedResourceRequest(accessToken, 'GET', url, undefined, undefined, { ...loopback, DPoP, ...options }),
    )
    return { status: result.status, demanded, body: await result.json() }
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error
    return { status: error.status, errors: errors(error.cause) }
  }
}

/** A request with these headers, whose refusal the library reads. */
async function raw(headers, method = 'GET') {
  const byHand = { ...loopback, [oauth.customFetch]: () => fetch(url, { method, headers }) }
  try {
    const { status } = await oauth.protectedResourceRequest('x', method, url, undefined, undefined, byHand)
    return { status, errors: {} }
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error
    const nonce = error.response.headers.get('dpop-nonce')
    return { status: error.status, errors: errors(error.cause), nonce }
  }
}

/** A gRPC call of the health service, with these headers: the status, and all headers and trailers. */
function grpc(headers) {
  return new Promise((resolve, reject) => {
    const session = http2.connect(grpcUrl.origin).on('error', reject)
    const stream = session.request({
      ':method': 'POST',
      ':path': grpcUrl.pathname,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    const seen = {}
    stream.on('response', (head) => Object.assign(seen, head))
    stream.on('trailers', (trailers) => Object.assign(seen, trailers))
    stream.on('error', reject).on('data', () => {})
    stream.on('close', () => {
      session.close()
      resolve(seen)
    })
    // An empty message: no compression, no bytes.
    stream.end(Buffer.alloc(5))
  })
}

const keys = await oauth.generateKeyPair('ES256', { extractable: true })
const DPoP = oauth.DPoP(id('svc-dpop'), keys)

// A bound token.
const { result: bound, demanded } = await followingNonces(() => token(id('svc-dpop'), { DPoP }))
const { cnf, sub } = JSON.parse(Buffer.from(bound.access_token.split('.')[1], 'base64url'))
equal(bound.token_type, 'dpop', 'the type of the token')
equal(cnf.jkt, await DPoP.calculateThumbprint(), 'the key of the token')
equal(demanded, demandsNonces ? 1 : 0, 'the issuer demands a nonce')

// Good requests.
for (const wanted of [demandsNonces ? 1 : 0, 0, 0]) {
  const seen = await call(DPoP)
  equal([seen.status, seen.demanded, seen.body?.claims?.sub], [200, wanted, sub], 'a good proof')
}
for (const alg of ['PS256', 'RS256', 'Ed25519', 'ES384']) {
  const other = oauth.DPoP(id('svc-dpop'), await oauth.generateKeyPair(alg))
  const { result } = await followingNonces(() => token(id('svc-dpop'), { DPoP: other }))
  equal((await call(other, {}, result.access_token)).status, 200, `a proof by ${alg}`)
}

// The same token, without the key.
const refusedProof = { status: 401, errors: isRequired ? {} : { bearer: undefined } }
refusedProof.errors.dpop = 'invalid_dpop_proof'
const thief = oauth.DPoP(id('svc-dpop'), await oauth.generateKeyPair('ES256'))
equal(await call(thief), refusedProof, 'the proof of another key')

let seen
const capture = {
  [oauth.customFetch]: (target, options) => {
    seen = options.headers
    return fetch(target, options)
  },
}
equal((await call(DPoP, capture)).status, 200, 'a request that is captured')
const { authorization, dpop } = seen
const refusal = ({ status, errors }) => ({ status, errors })
equal(refusal(await raw({ authorization, dpop })), refusedProof, 'a captured proof, used again')
equal(refusal(await raw({ authorization, dpop }, 'POST')), refusedProof, 'a proof for GET, used for POST')
equal(refusal(await raw({ authorization, dpop: `${dpop}, ${dpop}` })), refusedProof, 'two proofs')
const unproven = await raw({ authorization })
equal(refusal(unproven), refusedProof, 'no proof')
equal(unproven.nonce !== null, demandsNonces, 'no proof: a nonce for the next one')
const downgraded = await raw({ authorization: `Bearer ${bound.access_token}`, dpop })
equal(downgraded.status, 401, 'a bound token as a bearer token')
if (!isRequired) equal(downgraded.errors, { bearer: 'invalid_token', dpop: undefined }, 'its challenges')

// A token that is not bound.
const { access_token: unbound } = await token(id('svc'))
const asDpop = await call(DPoP, {}, unbound)
equal([asDpop.status, asDpop.errors?.dpop], [401, 'invalid_token'], 'a bearer token as a bound one')
const asBearer = await raw({ authorization: `Bearer ${unbound}` })
equal(asBearer.status, isRequired ? 401 : 200, 'a bearer token')
const none = await raw({})
const schemes = isRequired ? ['dpop'] : ['bearer', 'dpop']
equal([none.status, Object.keys(none.errors).sort()], [401, schemes], 'no token: a challenge for each scheme')
equal(Object.values(none.errors).every((error) => error === undefined), true, 'no token: no error')

// gRPC: the library makes the proof, and a client of HTTP/2 sends it.
async function grpcProof() {
  let headers
  const keep = async (_, options) => {
    headers = options.headers
    return new Response(null)
  }
  await oauth.protectedResourceRequest(bound.access_token, 'POST', grpcUrl, undefined, undefined, {
    ...loopback, DPoP, [oauth.customFetch]: keep,
  })
  return { authorization: headers.authorization, dpop: headers.dpop }
}
let proof = await grpcProof()
if (demandsNonces) {
  const demand = await grpc(proof)
  equal(demand['grpc-status'], '16', 'gRPC: a nonce is demanded')
  assert(demand['www-authenticate'].includes('error="use_dpop_nonce"'), demand['www-authenticate'])
  // As an interceptor would keep it.
  DPoP.cacheNonce(new Response(null, { headers: { 'dpop-nonce': demand['dpop-nonce'] } }), grpcUrl)
  proof = await grpcProof()
}
equal((await grpc(proof))['grpc-status'], '0', 'gRPC: a good proof')
const replayed = await grpc(proof)
equal(replayed['grpc-status'], '16', 'gRPC: a proof, used again')
assert(replayed['www-authenticate'].includes('error="invalid_dpop_proof"'), replayed['www-authenticate'])
equal((await grpc({ authorization: proof.authorization }))['grpc-status'], '16', 'gRPC: no proof')
const onHttp = { authorization: proof.authorization, dpop }
equal((await grpc(onHttp))['grpc-status'], '16', 'gRPC: a proof for another method and URI')

console.log(`${checked} passed`)
