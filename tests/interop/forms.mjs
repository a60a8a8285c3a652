// A browser without scripts: it keeps cookies, follows redirects, and sends the forms of pages. Only what the login and
// the consent page need.

/** The attributes of a tag, decoded. */
function attributes(tag) {
  const decode = text => text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(amp|lt|gt|quot));/gi, (_, dec, hex, name) =>
    name ? { amp: '&', lt: '<', gt: '>', quot: '"' }[name] : String.fromCodePoint(dec ? +dec : parseInt(hex, 16)))
  return Object.fromEntries([...tag.matchAll(/([\w-]+)(?:="([^"]*)")?/g)].map(([, name, value]) => [name, decode(value ?? '')]))
}

export class Browser {
  cookies = new Map()

  /** Requests a page and follows redirects up to one that leaves for `callback`, whose URL it returns. */
  async open(url, callback, options = {}) {
    for (let hops = 0; hops < 10; hops += 1) {
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await fetch(url, { redirect: 'manual', ...options, headers: { ...options.headers, cookie } })
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
        if (/max-age=0/i.test(line) || value === '') this.cookies.delete(name)
        else this.cookies.set(name, value)
      }
      if (response.status < 300 || response.status > 399) {
        return { url: new URL(url), status: response.status, html: await response.text(), headers: response.headers }
      }
      url = new URL(response.headers.get('location'), url)
      if (callback && url.href.startsWith(callback)) return { callback: url }
      options = {}
    }
    throw new Error('too many redirects')
  }

  /** Fills the first form of a page, presses the button that `button` matches, and opens what comes. */
  async submit(page, values, button, callback) {
    const form = page.html.match(/<form[\s\S]*?<\/form>/)
    if (!form) throw new Error(`no form: ${page.status} ${page.html}`)
    const body = new URLSearchParams()
    for (const [tag] of form[0].matchAll(/<input[^>]*>/g)) {
      const { name, value = '', type } = attributes(tag)
      if (name && (type === 'hidden' || name in values)) body.append(name, values[name] ?? value)
    }
    for (const [tag] of form[0].matchAll(/<button[^>]*>/g)) {
      const { name, value } = attributes(tag)
      if (button && name && button.test(value)) body.append(name, value)
    }
    const { action } = attributes(form[0].match(/<form[^>]*>/)[0])
    const origin = page.url.origin
    return this.open(new URL(action || page.url, page.url), callback,
      { method: 'POST', body, headers: { origin, 'sec-fetch-site': 'same-origin' } })
  }
}
