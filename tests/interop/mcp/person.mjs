// A person with a browser, who logs in at the token service as the user of `--demo` and allows what a client asks for.
import { Browser } from '../forms.mjs'

export class Person {
  #browser = new Browser()
  #callback
  /** The pages that were shown for the last request: `login`, `consent`. */
  shown = []
  /** The text of the last consent page. */
  question = ''

  /** `callback` is where clients are sent back to. */
  constructor(callback) {
    this.#callback = callback
  }

  /** Opens an authorization request. Returns where the browser is sent at last, with the code. */
  async allow(request) {
    this.shown = []
    let page = await this.#browser.open(request, this.#callback)
    while (!page.callback) {
      if (page.status !== 200) throw new Error(`${page.status} for ${page.url}: ${text(page.html)}`)
      const isLogin = /name="password"/.test(page.html)
      this.shown.push(isLogin ? 'login' : 'consent')
      if (this.shown.length > 2) throw new Error(`pages without an end: ${text(page.html)}`)
      if (!isLogin) this.question = text(page.html)
      page = isLogin
        ? await this.#browser.submit(page, { username: 'alice', password: 'wonderland' }, undefined, this.#callback)
        : await this.#browser.submit(page, {}, /allow/, this.#callback)
    }
    return page.callback
  }
}

function text(html) {
  return html.replace(/<style[\s\S]*?<\/style>|<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim()
}
