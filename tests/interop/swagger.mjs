// A person on the docs page, as headless Chromium: swagger.mjs URL SHOTS
//
// The page reads from the token to the metadata, with folded schemas, and fits a phone.
// Before login a try is refused; a wrong password shows an error and leaves one logged out; with the
// right one "Try it out" answers 200, and so does a login at the service's own page, by a code and PKCE;
// a pasted token opens the other scheme's route. All of it without asking another host. Exits with 1 and says
// what failed; screenshots stay in the folder SHOTS.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { check, finish, launch } from './browser.mjs'

const [base, shots] = process.argv.slice(2)
mkdirSync(shots, { recursive: true })

const browser = await launch()
const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } })
page.setDefaultTimeout(30_000)

// What the page asks for, and whatever is wrong on it.
const hosts = new Set()
let tokenRequest
page.on('request', request => {
  const url = new URL(request.url())
  // data: and blob: are of the page itself.
  if (url.protocol !== 'data:' && url.protocol !== 'blob:') hosts.add(url.origin)
  if (url.pathname === '/token') tokenRequest = request
})
const errors = []
page.on('pageerror', error => errors.push(String(error)))
// A refusal that is wanted is an error to the console too.
page.on('console', message => {
  if (message.type() === 'error' && !message.text().includes('status of 4')) errors.push(message.text())
})

const dialog = page.locator('.modal-ux')
// One part of the dialog for each scheme; by its title, as its fields go away at login.
const login = dialog.locator('.auth-container', { hasText: 'OAuth2PasswordBearer' })
const code = dialog.locator('.auth-container', { hasText: 'OAuth2AuthorizationCode' })
const paste = dialog.locator('.auth-container', { hasText: 'HTTPBearer' })
const open = () => page.locator('.auth-wrapper > .authorize').first().click()
const close = () => dialog.locator('.btn-done').first().click()

// Executes GET `path` on the page and returns the status and the body that the page shows.
async function tryItOut(path) {
  const operation = page.locator('.opblock-get', { has: page.locator(`[data-path="${path}"]`) })
  if (await operation.locator('.opblock-body').count() === 0) {
    await operation.locator('.opblock-summary-control').click()
    await operation.locator('.try-out__btn').click()
  } else {
    await operation.locator('.btn-clear').click()
  }
  await operation.locator('.execute').click()
  const live = operation.locator('.live-responses-table tbody .response')
  await live.waitFor()
  const status = parseInt(await live.locator('.response-col_status').innerText())
  return { status, body: await live.locator('.response-col_description').innerText() }
}

const shoot = (view, name) => view.screenshot({ path: join(shots, `${name}.png`), fullPage: true })

// What a visitor sees first, and the dialog.
async function firstLook() {
  await page.goto(base)
  await page.locator('.opblock').first().waitFor()
  check(new URL(page.url()).pathname === '/docs/', 'the root leads to the page', page.url())
  check(await page.title() === 'token-service', 'its title', await page.title())

  const paths = await page.locator('.opblock-summary-path').evaluateAll(all => all.map(one => one.dataset.path))
  const expected = ['/token', '/revoke', '/introspect', '/userinfo', '/userinfo', '/authorize', '/authorize', '/login',
    '/login', '/consent', '/consent', '/logout', '/logout', '/protected', '/user', '/items', '/secure', '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration', '/jwks.json', '/healthz', '/readyz']
  check(paths.join() === expected.join(), 'the order of the operations', paths)
  const schemas = page.locator('section.models')
  check(await schemas.isVisible() && await schemas.getByText('TokenRequest').count() === 0,
    'the schemas are folded', await schemas.innerText())
  await shoot(page, 'desktop')

  await open()
  const titles = await dialog.locator('.auth-container h4').allInnerTexts()
  const schemes = ['OAuth2PasswordBearer', 'OAuth2AuthorizationCode', 'HTTPBearer']
  check(titles.length === 3 && schemes.every((name, i) => titles[i].startsWith(name)), 'the login form comes first', titles)
  // The client of the page is for the login page alone.
  const ids = [await login.locator('input[data-name=clientId]').inputValue(),
    await code.locator('input[data-name=clientId]').inputValue()]
  check(ids.join() === ',token-service-docs', 'the client of each scheme', ids)
  await page.waitForFunction(() => document.activeElement?.id === 'oauth_username')
    .catch(error => check(false, 'the login form has the focus', String(error)))
  check(await inView(login.locator('#oauth_username'), dialog), 'the login form is in view', titles)
  await shoot(page, 'desktop-authorize')
  await close()
}

// Whether the one element is within the height of the other.
async function inView(inner, outer) {
  const [a, b] = await Promise.all([inner.boundingBox(), outer.boundingBox()])
  return a.y >= b.y && a.y + a.height <= b.y + b.height
}

// At the width of a phone no part of the page is cut off at the right.
async function phone() {
  const view = await browser.newPage({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
  view.setDefaultTimeout(30_000)
  await view.goto(`${base}/docs`)
  await view.locator('.opblock').first().waitFor()
  const fits = async what => {
    const width = await view.evaluate(() => document.documentElement.scrollWidth)
    check(width === 390, `on a phone, ${what} fits`, width)
    await shoot(view, `phone-${what}`)
  }
  await fits('page')
  await view.locator('.auth-wrapper > .authorize').first().click()
  await fits('authorize')
  await view.locator('.modal-ux .close-modal').click()
  for (const [path, what] of [['/token', 'token'], ['/protected', 'route']]) {
    const operation = view.locator('.opblock', { has: view.locator(`[data-path="${path}"]`) })
    await operation.locator('.opblock-summary-control').click()
    await operation.locator('.try-out__btn').click()
    await operation.locator('.execute').click()
    await operation.locator('.live-responses-table tbody .response').waitFor()
    await fits(what)
  }
  await view.close()
}

// Logs in at the service's own page, in a window of its own.
async function byCode() {
  await open()
  await code.locator('label[for*="read"]').first().click()
  const opened = page.waitForEvent('popup')
  await code.locator('button.authorize').click()
  const popup = await opened
  await popup.fill('#username', 'alice')
  await popup.fill('#password', 'wonderland')
  await popup.click('button[type=submit]')
  const allow = popup.locator('button[value=allow]')
  check((await popup.locator('h1').innerText()).includes('docs page'), 'the page that asks names the client', popup.url())
  const closed = popup.waitForEvent('close')
  await allow.click()
  await closed
  await code.locator('button:has-text("Logout")').waitFor()
  const form = new URLSearchParams(tokenRequest.postData())
  check(form.get('grant_type') === 'authorization_code' && form.get('code_verifier') && form.get('client_id') === 'token-service-docs',
    'the code is exchanged with its verifier', [...form.keys()])
  await close()
  const granted = await tryItOut('/protected')
  check(granted.status === 200 && granted.body.includes('alice'), 'after a login by code, /protected', granted)
  check((await tryItOut('/items')).status === 200, 'with the scope, /items', '')
  await open()
  await code.locator('button:has-text("Logout")').click()
  await close()
  check((await tryItOut('/protected')).status === 401, 'after that logout, /protected', '')
}

async function run() {
  await firstLook()

  // Before login.
  for (const path of ['/protected', '/user', '/items', '/secure']) {
    const { status } = await tryItOut(path)
    check(status === 401, `before login, ${path}`, status)
  }

  // A wrong password.
  await open()
  check(await login.locator('#oauth_username').isVisible(), 'the login form', await dialog.innerText())
  check(await paste.locator('input').isVisible(), 'the field for a token', await dialog.innerText())
  await page.fill('#oauth_username', 'alice')
  await page.fill('#oauth_password', 'looking-glass')
  await login.locator('button.authorize').click()
  await login.locator('.errors').first().waitFor()
  const shown = await login.locator('.errors').first().innerText()
  check(shown.includes('the password is wrong'), 'a wrong password shows an error', shown)
  check(await login.getByText('Logout').count() === 0, 'a wrong password leaves one logged out', shown)
  await close()
  check((await tryItOut('/protected')).status === 401, 'after a wrong password, /protected', shown)

  // The right one.
  await open()
  await page.fill('#oauth_username', 'alice')
  await page.fill('#oauth_password', 'wonderland')
  await login.locator('button.authorize').click()
  await login.locator('button:has-text("Logout")').waitFor()
  const answer = await (await tokenRequest.response()).json()
  check(tokenRequest.method() === 'POST', 'the token is asked for by POST', tokenRequest.method())
  check(answer.token_type === 'bearer', 'a token came', answer.token_type)
  await close()

  const granted = await tryItOut('/protected')
  check(granted.status === 200, 'after login, /protected', granted)
  check(granted.body.includes('Access granted') && granted.body.includes('alice'), 'its body', granted.body)
  const user = await tryItOut('/user')
  check(user.status === 200 && user.body.includes('alice'), 'after login, /user', user)
  // The login is for the one scheme alone.
  check((await tryItOut('/secure')).status === 401, 'after login, /secure', '')

  // Logged out again.
  await open()
  await login.locator('button:has-text("Logout")').click()
  await close()
  check((await tryItOut('/protected')).status === 401, 'after logout, /protected', '')

  await byCode()

  // The other scheme.
  await open()
  await paste.locator('input').fill('any-token-at-all')
  await paste.locator('button.authorize').click()
  await paste.locator('button:has-text("Logout")').waitFor()
  await close()
  const secure = await tryItOut('/secure')
  check(secure.status === 200 && secure.body.includes('any-token-at-all'), 'with a token, /secure', secure)
}

try {
  await run()
  await phone()
} catch (error) {
  check(false, 'the run ends', String(error))
}
await shoot(page, 'docs-page')
check(hosts.size === 1 && hosts.has(base), 'only the service is asked', [...hosts])
check(errors.length === 0, 'the page has no errors', errors)
await browser.close()
finish('the docs page')
