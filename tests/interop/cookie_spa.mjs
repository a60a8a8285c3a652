// A user of examples/cookie_spa, and the attacker's page, as headless Chromium: cookie_spa.mjs APP
//
// APP is the origin that the example prints. The user logs in, the script of the page calls the API with the cookie and
// cannot read it. The page of the attacker is refused, on the same site by the layer, on another site because the
// browser sends no cookie. The user logs out. Exits with 1 and says what failed.
import { check, run } from './browser.mjs'

const [app] = process.argv.slice(2)
const NAME = '__Host-token'
const MINE = 'buy milk'

await run('the app with a cookie', async browser => {
  const context = await browser.newContext()
  context.setDefaultTimeout(30_000)
  const answers = []
  context.on('response', response => answers.push({
    method: response.request().method(),
    path: new URL(response.url()).pathname,
    status: response.status(),
  }))
  const isAnswer = (method, path) => response => response.request().method() === method
    && new URL(response.url()).pathname === path
  // Does something after which the page reads the notes, and returns the status of this reading.
  const readingAfter = async action => {
    const [reading] = await Promise.all([page.waitForResponse(isAnswer('GET', '/api/notes')), action()])
    return reading.status()
  }
  const errors = []
  const page = await context.newPage()
  page.on('pageerror', error => errors.push(String(error)))
  page.on('console', message => {
    if (message.type() === 'error' && !message.text().includes('status of 4')) errors.push(message.text())
  })
  const notes = () => page.locator('#list li').allInnerTexts()
  const token = async () => (await context.cookies()).find(cookie => cookie.name === NAME)

  // Before the login.
  const before = await readingAfter(() => page.goto(app))
  check(before === 401, 'before login, the API', before)
  await page.locator('#login').waitFor()
  const wrong = await readingAfter(() => logIn('looking-glass'))
  check(wrong === 401, 'after a wrong password, the API', wrong)
  await page.locator('#status', { hasText: '/login: 403' }).waitFor()
  check(await token() === undefined, 'a wrong password sets no cookie', await context.cookies())

  // The login, and the API.
  const after = await readingAfter(() => logIn('wonderland'))
  check(after === 200, 'after login, the API', after)
  await page.locator('#notes').waitFor()
  check(await page.locator('#user').innerText() === 'alice', 'the user', await page.locator('#user').innerText())
  const { value, ...cookie } = await token() ?? {}
  check(cookie.secure && cookie.httpOnly && cookie.sameSite === 'Lax' && cookie.path === '/', 'the cookie', cookie)
  check(cookie.domain === new URL(app).hostname, 'the cookie is for the host alone', cookie)
  check(await page.evaluate('document.cookie') === '', 'no script reads the cookie', '')
  await page.fill('[name=text]', MINE)
  const [written] = await Promise.all([
    page.waitForResponse(isAnswer('POST', '/api/notes')),
    readingAfter(() => page.click('#add button')),
  ])
  check(written.status() === 201, 'the page writes', written.status())
  await page.locator('#list li').waitFor()

  // `Authorization` is not a source of this layer.
  const both = await page.evaluate(() => fetch('/api/notes', { headers: { authorization: 'Bearer x' } })
    .then(response => response.status))
  check(both === 200, 'a place that is not a source is ignored', both)

  // A changed token in the cookie.
  await context.addCookies([{ ...cookie, value: `${value.slice(0, -4)}AAAA` }])
  const forged = await readingAfter(() => page.reload())
  check(forged === 401, 'a forged token', forged)
  await page.locator('#login').waitFor()
  await context.addCookies([{ ...cookie, value }])

  // The attacker: on another host of the domain, where the browser sends the cookie, and on another site, where
  // `SameSite` prevents it.
  await page.reload()
  const evil = new URL(await page.locator('#attacker').getAttribute('href'))
  await attack(evil, '403', 'of the same site')
  evil.hostname = '127.0.0.1'
  await attack(evil, '401', 'of another site')
  // The user is still logged in, and sees the own note alone.
  const left = await notes()
  check(left.join() === MINE, 'the notes after the attacks', left)

  // A URL that the user types.
  const direct = await context.newPage()
  const typed = await direct.goto(`${app}/api/notes`)
  check(typed.status() === 200, 'a typed URL', typed.status())
  await direct.close()

  // The logout.
  await readingAfter(() => page.click('#logout'))
  await page.locator('#login').waitFor()
  check(await token() === undefined, 'the logout deletes the cookie', await context.cookies())
  const loggedOut = await readingAfter(() => page.reload())
  check(loggedOut === 401, 'after logout, the API', loggedOut)
  await page.locator('#login').waitFor()
  check(errors.length === 0, 'the page has no errors', errors)

  async function logIn(password) {
    await page.fill('[name=username]', 'alice')
    await page.fill('[name=password]', password)
    await page.click('#login button')
  }

  // The answers of this kind, once there are as many: the browser reports them a little later than its pages see them.
  async function seen(count, isMeant) {
    const until = Date.now() + 5_000
    for (;;) {
      const found = answers.filter(isMeant)
      if (found.length >= count || Date.now() > until) return found
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  // Opens the page of the attacker, whose requests must get this status, and then the app.
  async function attack(url, status, where) {
    answers.length = 0
    const other = await context.newPage()
    const framed = other.waitForResponse(response => response.request().isNavigationRequest()
      && new URL(response.url()).pathname === '/api/notes')
    await other.goto(url.href)
    const form = await framed
    check(String(form.status()) === status, `the form of an attacker ${where}`, form.status())
    await other.locator('[data-done]').waitFor({ state: 'attached' })
    const results = await other.locator('#results li').allInnerTexts()
    check(results.includes('reading by fetch: Failed to fetch'), `reading by an attacker ${where}`, results)
    check(results.includes('writing by fetch: sent'), `the script of an attacker ${where} has sent a request`, results)
    const writes = await seen(2, answer => answer.method === 'POST' && answer.path === '/api/notes')
    const refused = writes.length === 2 && writes.every(answer => String(answer.status) === status)
    check(refused, `writing by an attacker ${where}`, writes)
    const logout = await seen(1, answer => answer.path === '/logout')
    check(logout.length === 1 && logout[0].status === 403, `logging out by an attacker ${where}`, logout)
    await other.close()
    await readingAfter(() => page.reload())
    await page.locator('#notes').waitFor()
  }
})
