// The conformance tests of an authorization server, with a person who logs in at the token service and allows the client:
//
//   node authorization_server.mjs ISSUER CLIENT_ID PORT RESOURCE FOLDER
//
// PORT is for the redirect URI of the tests, and FOLDER for their results. A check that warns or is skipped is a failure
// here: the tests themselves pass without a client, and without support of Client ID Metadata Documents.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Checks } from './checks.mjs'
import { Person } from './person.mjs'

const [issuer, client, port, resource, folder] = process.argv.slice(2)
const program = fileURLToPath(new URL('node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url))
const flags = ['--url', issuer, '--client-id', client, '--port', port, '--resource', resource, '--output-dir', folder]
const tests = spawn(process.execPath, [program, 'authorization', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
const ended = once(tests, 'exit')

const lines = []
for await (const line of createInterface({ input: tests.stdout })) {
  lines.push(line)
  if (!line.startsWith(`${issuer}/authorize?`)) continue
  const person = new Person(`http://127.0.0.1:${port}/callback`)
  const callback = await person.allow(line).catch((error) => {
    // Otherwise the tests wait for five minutes.
    tests.kill()
    throw error
  })
  await fetch(callback)
}
const [status] = await ended

const checks = new Checks(`conformance of the authorization server with the client ${client}`)
checks.equal(status, 0, `the tests end well\n${lines.join('\n')}`)
const results = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('checks.json'))
  .flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
const wanted = ['authorization-code-grant', 'authorization-server-metadata', 'authorization-server-metadata-cimd']
checks.equal(results.map(({ id }) => id).sort(), wanted, 'the checks')
for (const { id, status, errorMessage } of results) checks.equal([status, errorMessage], ['SUCCESS', undefined], id)
checks.end()
