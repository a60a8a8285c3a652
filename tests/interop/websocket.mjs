// The page of examples/websocket, as headless Chromium: websocket.mjs SERVER TOKEN
//
// TOKEN is that of the examples. The socket opens with the token, and the server selects the real
// sub-protocol. Without a token, or with a forged one, it does not open. It is closed when the token expires. Exits with
// 1 and says what failed.
import { SignJWT } from 'jose'
import { check, run } from './browser.mjs'

const [server, token] = process.argv.slice(2)
const SECRET = new TextEncoder().encode('tower-jwt-auth demo secret: never use it for real')
const FORGED = `${token.slice(0, -4)}AAAA`
// The connection failed (RFC 6455 section 7.1.5). A script learns nothing else.
const REFUSED = 'closed: 1006'
// How Chromium reports a handshake with the status 401. Of another one it reports the number.
const UNAUTHORIZED = 'HTTP Authentication failed; no valid credentials available'
// A code of the example.
const EXPIRED = 'closed: 4401 the token has expired'

await run('the WebSocket', async browser => {
  const page = await browser.newPage()
  page.setDefaultTimeout(30_000)
  const errors = []
  page.on('pageerror', error => errors.push(String(error)))
  page.on('console', message => {
    const wanted = /WebSocket connection|status of 4/.test(message.text())
    if (message.type() === 'error' && !wanted) errors.push(message.text())
  })
  await page.goto(server)

  // Connects with a token, and returns the state in which that ends.
  async function connect(text) {
    await page.fill('[name=token]', text)
    await page.click('#connect button')
    const state = page.locator('#state', { hasText: /^(connected|closed)/ })
    await state.waitFor()
    return state.innerText()
  }

  for (const [what, text] of [
    ['without a token', ''],
    ['with a forged token', FORGED],
    ['with a text that is not a token', 'abc'],
  ]) {
    const refusal = page.waitForEvent('websocket').then(socket => socket.waitForEvent('socketerror')).catch(String)
    const state = await connect(text)
    check(state.startsWith(REFUSED), `a socket ${what}`, state)
    if (!state.startsWith(REFUSED)) continue
    check(await refusal === UNAUTHORIZED, `the handshake ${what}`, await refusal)
  }

  const opened = await connect(token)
  check(opened === 'connected: echo.example', 'a socket with the token has the real sub-protocol', opened)
  await page.fill('[name=message]', 'hello')
  await page.click('#send button')
  const echo = await page.locator('#messages li').first().innerText()
  check(echo === 'alice: hello', 'the echo names the user', echo)

  // A page that offers the token alone: the layer selects it, since Chromium wants one to be selected.
  const alone = await page.evaluate(token => new Promise(resolve => {
    const base64url = btoa(token).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
    const socket = new WebSocket('/echo', [`base64url.bearer.authorization.k8s.io.${base64url}`])
    socket.onopen = () => { resolve(socket.protocol.slice(0, 10)); socket.close() }
    socket.onclose = close => resolve(`closed: ${close.code}`)
  }), token)
  check(alone === 'base64url.', 'a socket that offers the token alone', alone)

  const soon = await connect(await new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'HS256' })
    .setIssuer('https://issuer.example').setAudience('https://api.example').setExpirationTime('3s').sign(SECRET))
  check(soon === 'connected: echo.example', 'a socket with a token that expires soon', soon)
  await page.locator('#state', { hasText: 'closed' }).waitFor()
  const end = await page.locator('#state').innerText()
  check(end === EXPIRED, 'the socket ends with its token', end)
  check(errors.length === 0, 'the page has no errors', errors)
})
