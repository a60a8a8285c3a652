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
  context.setDefaultTimeout(10_000)
  const answers = []
  context.on('response', response => answers.push({
    method: response.request().method(),
    path: new URL(response.url()).pathname,
    status: response.status(),
  }))
  // The statuses of answers since the last call.
  const statuses = (method, path) => {
    const found = answers.filter(answer => answer.method === method && answer.path === path)
    answers.length = 0
    return found.map(answer => answer.status).join()
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
  await page.goto(app)
  await page.locator('#login').waitFor()
  check(statuses('GET', '/api/notes') === '401', 'before login, the API', answers)
  await logIn('looking-glass')
  await page.locator('#status', { hasText: '/login: 403' }).waitFor()
  check(await token() === undefined, 'a wrong password sets no cookie', await context.cookies())
  answers.length = 0

  // The login, and the API.
  await logIn('wonderland')
  await page.locator('#notes').waitFor()
  check(await page.locator('#user').innerText() === 'alice', 'the user', await page.locator('#user').innerText())
  check(statuses('GET', '/api/notes') === '200', 'after login, the API', answers)
  const { value, ...cookie } = await token() ?? {}
  check(cookie.secure && cookie.httpOnly && cookie.sameSite === 'Lax' && cookie.path === '/', 'the cookie', cookie)
  check(cookie.domain === new URL(app).hostname, 'the cookie is for the host alone', cookie)
  check(await page.evaluate('document.cookie') === '', 'no script reads the cookie', '')
  await page.fill('[name=text]', MINE)
  await page.click('#add button')
  await page.locator('#list li').waitFor()
  check(statuses('POST', '/api/notes') === '201', 'the page writes', answers)

  // `Authorization` is not a source of this layer.
  const both = await page.evaluate(() => fetch('/api/notes', { headers: { authorization: 'Bearer x' } })
    .then(response => response.status))
  check(both === 200, 'a place that is not a source is ignored', both)

  // A changed token in the cookie.
  await context.addCookies([{ ...cookie, value: `${value.slice(0, -4)}AAAA` }])
  answers.length = 0
  await page.reload()
  await page.locator('#login').waitFor()
  check(statuses('GET', '/api/notes') === '401', 'a forged token', answers)
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
  await page.click('#logout')
  await page.locator('#login').waitFor()
  check(await token() === undefined, 'the logout deletes the cookie', await context.cookies())
  answers.length = 0
  await page.reload()
  await page.locator('#login').waitFor()
  check(statuses('GET', '/api/notes') === '401', 'after logout, the API', answers)
  check(errors.length === 0, 'the page has no errors', errors)

  async function logIn(password) {
    await page.fill('[name=username]', 'alice')
    await page.fill('[name=password]', password)
    await page.click('#login button')
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
    const writes = answers.filter(answer => answer.method === 'POST' && answer.path === '/api/notes')
    const refused = writes.length === 2 && writes.every(answer => String(answer.status) === status)
    check(refused, `writing by an attacker ${where}`, writes)
    const logout = answers.filter(answer => answer.path === '/logout').map(answer => answer.status)
    check(logout.join() === '403', `logging out by an attacker ${where}`, logout)
    await other.close()
    await page.reload()
    await page.locator('#notes').waitFor()
    answers.length = 0
  }
})
