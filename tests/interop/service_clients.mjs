// openid-client and oauth4webapi at the token service, unmodified: service_clients.mjs ISSUER CLIENT SECRET
//
// Discovery, client credentials, password, authorization code with PKCE through the login and consent pages, refresh
// tokens with their grace, introspection, revocation, userinfo, logout. Exits with 1 at what does not hold.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { Browser } from './forms.mjs'

const [issuer, id, secret] = process.argv.slice(2)
const callback = 'http://127.0.0.1:9/callback'
const loopback = { execute: [openid.allowInsecureRequests] }
let checked = 0

function equal(seen, wanted, what) {
  assert.deepEqual(seen, wanted, `${what}: wanted ${JSON.stringify(wanted)}, saw ${JSON.stringify(seen)}`)
  checked += 1
}

/** The OAuth error that an action fails with. */
async function errorOf(action) {
  try {
    await action()
  } catch (error) {
    return error.error ?? error.cause?.error ?? String(error)
  }
  return 'none'
}

const payload = token => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))

for (const [method, authentication] of [
  ['basic', openid.ClientSecretBasic(secret)], ['post', openid.ClientSecretPost(secret)],
]) {
  const config = await openid.discovery(new URL(issuer), id, undefined, authentication, loopback)
  const server = config.serverMetadata()
  for (const name of ['authorization_endpoint', 'token_endpoint', 'revocation_endpoint', 'introspection_endpoint',
    'userinfo_endpoint', 'end_session_endpoint', 'jwks_uri']) {
    equal(server[name]?.startsWith(`${issuer}/`), true, `metadata: ${name}`)
  }

  // Client credentials.
  const machine = await openid.clientCredentialsGrant(config, { scope: 'read', resource: issuer })
  equal([machine.token_type, machine.scope, machine.refresh_token], ['bearer', 'read', undefined], `${method}: client`)
  equal(payload(machine.access_token).sub, id, `${method}: its subject`)
  equal((await openid.tokenIntrospection(config, machine.access_token)).active, true, 'active')
  await openid.tokenRevocation(config, machine.access_token)
  equal((await openid.tokenIntrospection(config, machine.access_token)).active, false, 'revoked')
  equal((await openid.tokenIntrospection(config, 'nonsense')).active, false, 'nonsense')
  equal(await errorOf(() => openid.clientCredentialsGrant(config, { resource: 'https://other.example' })),
    'invalid_target', 'another resource')

  // Password.
  const alice = { username: 'alice', password: 'wonderland' }
  const person = await openid.genericGrantRequest(config, 'password', alice)
  equal(payload(person.access_token).sub, 'alice', 'password: the subject')
  equal(payload(person.access_token).client_id, id, 'password: the client')
  equal(await errorOf(() => openid.genericGrantRequest(config, 'password', { ...alice, password: 'x' })),
    'invalid_grant', 'a wrong password')

  // Authorization code with PKCE.
  const verifier = openid.randomPKCECodeVerifier()
  const checks = { pkceCodeVerifier: verifier, expectedState: openid.randomState(), expectedNonce: openid.randomNonce() }
  const parameters = {
    redirect_uri: callback, scope: 'openid read', state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  }
  const browser = new Browser()
  const login = await browser.open(openid.buildAuthorizationUrl(config, parameters), callback)
  equal(login.status, 200, 'the login page')
  const wrong = await browser.submit(login, { ...alice, password: 'x' })
  equal(/role="alert"/.test(wrong.html), true, 'a wrong password on the page')
  const consent = await browser.submit(wrong, alice, undefined, callback)
  const allowed = consent.callback ? consent : await browser.submit(consent, {}, /allow/i, callback)
  const tokens = await openid.authorizationCodeGrant(config, allowed.callback, checks)
  const claims = tokens.claims()
  equal([claims.sub, claims.nonce, typeof claims.at_hash], ['alice', checks.expectedNonce, 'string'], 'the ID token')
  equal(tokens.scope.split(' ').sort(), ['openid', 'read'], 'the scope')
  equal((await openid.fetchUserInfo(config, tokens.access_token, 'alice')).sub, 'alice', 'userinfo')
  equal(await errorOf(() => openid.authorizationCodeGrant(config, allowed.callback, checks)), 'invalid_grant',
    'a code for the second time')
  equal((await openid.tokenIntrospection(config, tokens.access_token)).active, false, 'and its tokens are revoked')

  // Refresh tokens, with the same session: consent is asked for at most once more.
  const again = await browser.open(openid.buildAuthorizationUrl(config, parameters), callback)
  const back = again.callback ? again : await browser.submit(again, {}, /allow/i, callback)
  const first = await openid.authorizationCodeGrant(config, back.callback, checks)
  const second = await openid.refreshTokenGrant(config, first.refresh_token)
  const lost = await openid.refreshTokenGrant(config, first.refresh_token)
  equal(lost.refresh_token, second.refresh_token, 'a lost answer, again')
  const third = await openid.refreshTokenGrant(config, second.refresh_token)
  equal((await openid.tokenIntrospection(config, third.refresh_token)).active, true, 'a refresh token is active')
  equal(await errorOf(() => openid.refreshTokenGrant(config, first.refresh_token)), 'invalid_grant', 'a stolen token')
  equal(await errorOf(() => openid.refreshTokenGrant(config, third.refresh_token)), 'invalid_grant', 'its family')
  equal((await openid.tokenIntrospection(config, third.access_token)).active, false, 'and its access tokens')

  // Logout.
  const last = await browser.open(openid.buildAuthorizationUrl(config, parameters), callback)
  const granted = last.callback ? last : await browser.submit(last, {}, /allow/i, callback)
  const session = await openid.authorizationCodeGrant(config, granted.callback, checks)
  const end = openid.buildEndSessionUrl(config, { id_token_hint: session.id_token })
  equal((await browser.open(end)).status, 200, 'the page after logout')
  equal(await errorOf(() => openid.refreshTokenGrant(config, session.refresh_token)), 'invalid_grant', 'after logout')
  const anew = await browser.open(openid.buildAuthorizationUrl(config, parameters), callback)
  equal(/name="password"/.test(anew.html), true, 'after logout, the login page')
}

// A wrong secret, by oauth4webapi.
const insecure = { [oauth.allowInsecureRequests]: true }
const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), insecure))
const client = { client_id: id }
const refused = await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretBasic('wrong'), {}, insecure)
equal(refused.status, 401, 'a wrong secret')
try {
  await oauth.processClientCredentialsResponse(as, client, refused)
  assert.fail('a wrong secret was accepted')
} catch (error) {
  equal(error.cause?.[0]?.scheme ?? error.error, 'basic', 'its challenge')
}
const good = await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretBasic(secret), { scope: 'write' }, insecure)
equal((await oauth.processClientCredentialsResponse(as, client, good)).scope, 'write', 'oauth4webapi: client credentials')

console.log(`openid-client and oauth4webapi: ${checked} passed`)
