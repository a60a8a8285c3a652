// Finds the issuer of a protected resource as a client does: node resource.mjs ADDRESS RESOURCE
// ADDRESS is where the server listens, RESOURCE its public URL. Prints the first authorization server.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'

const [address, resource] = process.argv.slice(2)
const expected = new URL(resource)
// In place of the proxy that the public URL stands for.
const throughProxy = (url, options) => {
  const { pathname, search } = new URL(url)
  return fetch(`http://${address}${pathname}${search}`, options)
}
const options = { [oauth.customFetch]: throughProxy, [oauth.allowInsecureRequests]: true }

// The challenge of a refusal names the URL that the library computes from the resource.
const refused = await oauth
  .protectedResourceRequest('abc', 'GET', expected, undefined, undefined, options)
  .catch((error) => error)
assert(refused instanceof oauth.WWWAuthenticateChallengeError, refused)
const [{ scheme, parameters }] = refused.cause
const response = await oauth.resourceDiscoveryRequest(expected, options)
assert.equal(scheme, 'bearer')
assert.equal(new URL(parameters.resource_metadata).pathname, new URL(response.url).pathname)
assert.equal(new URL(parameters.resource_metadata).origin, expected.origin)

const metadata = await oauth.processResourceDiscoveryResponse(expected, response)
console.log(metadata.authorization_servers[0])
