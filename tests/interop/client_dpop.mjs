// A DPoP client, oauth4webapi: node client_dpop.mjs ISSUER SERVER GRPC_SERVER RESOURCE
//
// It gets a token that is bound to its key, calls the server over HTTP and gRPC, and then attacks it. Each line is
// asserted: it ends with an error at the first that does not hold, and else prints how many there were. Each attack has a
// new proof that was not sent before, and names the check that must refuse it: so no check hides behind another one.
//
// NONCES=1     issuer and server demand nonces
// REQUIRED=1   the server refuses tokens that are not bound
import assert from 'node:assert/strict'
import http from 'node:http'
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

/** A request with these headers, whose refusal the library reads. An array is a field line for each value. */
async function raw(headers, method = 'GET', target = url) {
  const byHand = { ...loopback, [oauth.customFetch]: () => send(headers, method, target) }
  try {
    const { status } = await oauth.protectedResourceRequest('x', method, target, undefined, undefined, byHand)
    return { status, errors: {} }
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error
    const nonce = error.response.headers.get('dpop-nonce')
    const description = error.cause.find((c) => c.scheme === 'dpop')?.parameters.error_description
    return { status: error.status, errors: errors(error.cause), description, nonce }
  }
}

/** Unlike fetch, it does not join field lines of the same name. */
function send(headers, method, target) {
  return new Promise((resolve, reject) => {
    const request = http.request(target, { method, headers }, (response) => {
      const lines = []
      for (let n = 0; n < response.rawHeaders.length; n += 2) lines.push(response.rawHeaders.slice(n, n + 2))
      response.resume().on('end', () => resolve(new Response(null, { status: response.statusCode, headers: lines })))
    })
    request.on('error', reject).end()
  })
}

/** The headers of a request with a new proof, which is not sent. */
async function proven(method = 'GET', target = url, by = DPoP, accessToken = bound.access_token) {
  let headers
  const keep = async (_, options) => {
    headers = options.headers
    return new Response(null)
  }
  const options = { ...loopback, DPoP: by, [oauth.customFetch]: keep }
  await oauth.protectedResourceRequest(accessToken, method, target, undefined, undefined, options)
  return { authorization: headers.authorization, dpop: headers.dpop }
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

// Attacks. Without the check that is named, each of these requests would be accepted.
const refusedErrors = isRequired ? {} : { bearer: undefined }
refusedErrors.dpop = 'invalid_dpop_proof'

async function refused(headers, description, what, method = 'GET') {
  const { status, errors, description: seen } = await raw(headers, method)
  equal([status, errors, seen], [401, refusedErrors, description], what)
}

const thief = oauth.DPoP(id('svc-dpop'), await oauth.generateKeyPair('ES256'))
const anotherKey = 'the token is bound to another key than that of the DPoP proof'
await refused(await proven('GET', url, thief), anotherKey, 'the proof of another key')

const captured = await proven()
equal((await raw(captured)).status, 200, 'a request that is captured')
await refused(captured, 'the DPoP proof was used before', 'a captured proof, used again')

await refused(await proven(), 'the DPoP proof is for another method', 'a proof for GET, used for POST', 'POST')
const elsewhere = new URL('/another/path', url)
await refused(await proven('GET', elsewhere), 'the DPoP proof is for another URI', 'a proof for another path')
const otherHost = new URL(url)
otherHost.hostname = 'localhost'
await refused(await proven('GET', otherHost), 'the DPoP proof is for another URI', 'a proof for another host')

const [one, other] = [await proven(), await proven()]
const joined = { ...one, dpop: `${one.dpop}, ${other.dpop}` }
await refused(joined, 'the DPoP proof is not a well-formed JWT', 'two proofs in one field line')
const lines = { ...one, dpop: [one.dpop, other.dpop] }
await refused(lines, 'the request has more than one DPoP proof', 'two proofs in two field lines')
equal((await raw(one)).status, 200, 'one of these proofs')

const { result: second } = await followingNonces(() => token(id('svc-dpop'), { DPoP }))
const { dpop: ofSecond } = await proven('GET', url, DPoP, second.access_token)
const withAnother = { ...(await proven()), dpop: ofSecond }
await refused(withAnother, 'the DPoP proof is for another token', 'a proof for another token of the same key')

const [signed, another] = [await proven(), await proven()]
const message = signed.dpop.slice(0, signed.dpop.lastIndexOf('.'))
const forged = { ...signed, dpop: message + another.dpop.slice(another.dpop.lastIndexOf('.')) }
await refused(forged, 'the signature of the DPoP proof is invalid', 'the signature of another proof')

const { authorization } = await proven()
await refused({ authorization }, 'the request has no DPoP proof', 'no proof')
equal((await raw({ authorization })).nonce !== null, demandsNonces, 'no proof: a nonce for the next one')
const downgraded = await raw({ ...(await proven()), authorization: `Bearer ${bound.access_token}` })
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
const grpcProof = () => proven('POST', grpcUrl)

async function grpcRefused(headers, description, what) {
  const { 'grpc-status': status, 'www-authenticate': challenge = '' } = await grpc(headers)
  equal(status, '16', `gRPC: ${what}`)
  const parts = ['error="invalid_dpop_proof"', `error_description="${description}"`]
  equal(parts.every((part) => challenge.includes(part)), true, `gRPC: ${what}: ${challenge}`)
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
await grpcRefused(proof, 'the DPoP proof was used before', 'a proof, used again')
await grpcRefused({ authorization: proof.authorization }, 'the request has no DPoP proof', 'no proof')
await grpcRefused(await proven('GET', grpcUrl), 'the DPoP proof is for another method', 'a proof for another method')
const watch = new URL('/grpc.health.v1.Health/Watch', grpcUrl)
await grpcRefused(await proven('POST', watch), 'the DPoP proof is for another URI', 'a proof for another call')
const first = await grpcProof()
const twice = { ...first, dpop: [first.dpop, (await grpcProof()).dpop] }
await grpcRefused(twice, 'the request has more than one DPoP proof', 'two proofs')
equal((await grpc(first))['grpc-status'], '0', 'gRPC: one of these proofs')

console.log(`${checked} passed`)
