// A person on the pages of the token service, as headless Chromium: pages.mjs URL SHOTS
//
// An application sends the person to log in and to allow it; the code arrives, also when the application's address
// redirects to another host. The keyboard is enough, no script runs, axe finds nothing, and each page fits a phone.
// Then the person logs out. Exits with 1 and says what failed; screenshots stay in the folder SHOTS.
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import axe from 'axe-core'
import { check, run } from './browser.mjs'

const [base, shots] = process.argv.slice(2)
mkdirSync(shots, { recursive: true })

// The application: its address redirects to another host, as that of a backend with a separate frontend does.
const app = createServer((request, response) => {
  const url = new URL(request.url, 'http://app')
  if (url.pathname === '/callback') {
    response.writeHead(303, { location: `http://localhost:${app.address().port}/home${url.search}` }).end()
  } else {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>home</title>')
  }
})
await new Promise(resolve => app.listen(0, '127.0.0.1', resolve))
const callback = `http://127.0.0.1:${app.address().port}/callback`
const home = `http://localhost:${app.address().port}/home`

const challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url')
const request = more => `${base}/authorize?${new URLSearchParams({
  client_id: 'demo', redirect_uri: callback, response_type: 'code', code_challenge: challenge,
  code_challenge_method: 'S256', scope: 'openid read write', state: 'x y', ...more,
})}`

// A context without scripts: no page needs one.
const sizes = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
}

// Opens a page, and reports what is wrong on it.
async function open(browser, options) {
  const context = await browser.newContext({ javaScriptEnabled: false, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  page.on('console', message => {
    if (message.type() === 'error' && !/status of (400|403|429)/.test(message.text())) {
      check(false, 'no error on the console', message.text())
    }
  })
  return page
}

async function arrived(page, what) {
  await page.waitForURL(url => url.href.startsWith(home)).catch(() => {})
  const url = new URL(page.url())
  check(url.href.startsWith(home), `${what}: the browser arrives`, url.href)
  check(url.searchParams.get('iss') === base && url.searchParams.get('state') === 'x y', `${what}: iss and state`, url.href)
  return url.searchParams
}

async function fillIn(page, password) {
  await page.fill('#username', 'alice')
  await page.fill('#password', password)
  await page.click('button[type=submit]')
}

// By mouse, at one size, with screenshots.
async function login(browser, size) {
  const page = await open(browser, sizes[size])
  const shoot = async name => {
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    check(width === sizes[size].viewport.width, `${name} fits a ${size}`, width)
    await page.screenshot({ path: join(shots, `${name}-${size}.png`) })
  }
  await page.goto(request())
  await shoot('login')
  await fillIn(page, 'looking-glass')
  const error = page.locator('[role=alert]')
  check((await error.innerText()).includes('the password is wrong'), 'a wrong password is told', await page.content())
  await shoot('login-error')
  await page.fill('#password', 'wonderland')
  await page.click('button[type=submit]')
  await page.waitForURL(/authorize/)
  const title = await page.locator('h1').innerText()
  check(title === 'Allow Demo client?', 'the page that asks', title)
  await shoot('consent')
  await page.click('text=Allow >> nth=-1')
  check((await arrived(page, size)).has('code'), `${size}: a code`, page.url())

  await page.goto(request({ prompt: 'consent' }))
  await page.click('text=Deny')
  check((await arrived(page, `${size}, denied`)).get('error') === 'access_denied', 'a denial', page.url())

  await page.goto(`${base}/logout`)
  await shoot('logout')
  await page.click('button[type=submit]')
  check(await page.locator('h1').innerText() === 'You are logged out', 'logged out', await page.content())
  await page.goto(request())
  check(await page.locator('#password').count() === 1, 'after a logout one logs in again', await page.content())
  await page.goto(`${base}/authorize?client_id=nobody`)
  await shoot('error')
  await page.context().close()
}

// By keyboard alone.
async function keyboard(browser) {
  const page = await open(browser, sizes.desktop)
  await page.goto(request())
  const focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent)
  check(await focus() === 'username', 'the name has the focus', await focus())
  await page.keyboard.type('alice')
  await page.keyboard.press('Tab')
  await page.keyboard.type('wonderland')
  await page.keyboard.press('Enter')
  await page.waitForSelector('text=Allow Demo client?')
  const seen = []
  for (let i = 0; i < 3; i += 1) {
    await page.keyboard.press('Tab')
    seen.push(await focus())
  }
  check(seen.join() === 'Use another account,Allow,Deny', 'the order of the focus', seen)
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Enter')
  check((await arrived(page, 'keyboard')).has('code'), 'keyboard: a code', page.url())
  await page.context().close()
}

// What axe finds, in both color schemes.
async function accessible(browser) {
  for (const colorScheme of ['light', 'dark']) {
    const page = await open(browser, { ...sizes.phone, javaScriptEnabled: true, colorScheme })
    const audit = async what => {
      await page.evaluate(axe.source)
      const { violations } = await page.evaluate(() => globalThis.axe.run())
      check(violations.length === 0, `axe, ${colorScheme}, ${what}`,
        violations.map(({ id, nodes }) => [id, nodes.map(node => node.html)]))
      if (colorScheme === 'dark') await page.screenshot({ path: join(shots, `${what}-dark.png`) })
    }
    await page.goto(request({ login_hint: 'alice' }))
    const focus = await page.evaluate(() => document.activeElement.id)
    check(focus === 'password', 'with a name the password has the focus', focus)
    await audit('login')
    await fillIn(page, 'looking-glass')
    await audit('login-error')
    await fillIn(page, 'wonderland')
    await page.waitForSelector('text=Allow Demo client?')
    await audit('consent')
    await page.goto(`${base}/logout`)
    await audit('logout')
    await page.goto(`${base}/authorize`)
    await audit('error')
    await page.context().close()
  }
}

await run('the pages', async browser => {
  await login(browser, 'desktop')
  await login(browser, 'phone')
  await keyboard(browser)
  await accessible(browser)
  app.close()
})
