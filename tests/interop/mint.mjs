// Adds tokens signed by jose to those of mint.py: node mint.mjs FOLDER
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompactEncrypt, importJWK, SignJWT, UnsecuredJWT } from 'jose'

const folder = process.argv[2]
const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'))
const tokens = read('tokens.json')
const { keys } = read('private.jwks.json')
const { issuer, audience } = tokens[0]
const now = Math.floor(Date.now() / 1000)
const good = { iss: issuer, aud: audience, sub: 'alice', iat: now, exp: now + 3600, roles: [{ a: null }] }

async function sign(jwk, alg, claims, header = {}) {
  const key = await importJWK(jwk, alg)
  return new SignJWT(claims).setProtectedHeader({ alg, kid: jwk.kid, ...header }).sign(key)
}

function add(name, alg, kid, token, expect, why, expired = false) {
  tokens.push({ name, by: 'jose', alg, kid, token, issuer, audience, expect, why, expired })
}

const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
for (const jwk of keys) {
  const algorithms = jwk.alg ? [jwk.alg] : jwk.kty === 'RSA' ? rsa : ['EdDSA', 'Ed25519']
  for (const alg of algorithms) {
    add(`${alg} by ${jwk.kid}`, alg, jwk.kid, await sign(jwk, alg, good), 200, 'good')
  }
}

const es256 = keys.find((jwk) => jwk.kid === 'ES256')
const bad = async (name, changes, header, expired = false) =>
  add(name, 'ES256', 'ES256', await sign(es256, 'ES256', { ...good, ...changes }, header), 401, name, expired)
await bad('expired', { exp: now - 600 }, {}, true)
await bad('not valid yet', { nbf: now + 600 })
await bad('wrong issuer', { iss: 'https://evil.example' })
await bad('wrong audience', { aud: 'https://other.example' })
await bad('a logout token', {}, { typ: 'logout+jwt' })
add('alg none', 'none', null, new UnsecuredJWT(good).encode(), 401, 'alg none')
const encrypted = new CompactEncrypt(new TextEncoder().encode(JSON.stringify(good)))
  .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
  .encrypt(new Uint8Array(32))
add('encrypted', 'dir', null, await encrypted, 401, 'encrypted')

writeFileSync(join(folder, 'tokens.json'), JSON.stringify(tokens, null, 1))
console.log(`${tokens.length} tokens with those by jose`)
