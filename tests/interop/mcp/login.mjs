// The part of a browser, by its cookies: logs in as `alice` at oidc-provider and consents. Returns the parameters of the
// redirect to the client.
export async function logIn(authorizationUrl) {
  const cookies = new Map()
  let [url, options] = [authorizationUrl, {}]
  for (let step = 0; step < 14; step += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', ...options, headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split('=')
      if (value) cookies.set(name, value)
      else cookies.delete(name)
    }
    options = {}
    if (response.status >= 300 && response.status < 400) {
      url = new URL(response.headers.get('location'), url)
      if (url.pathname === '/callback') return url.searchParams
      continue
    }
    const page = await response.text()
    const action = page.match(/action="([^"]+)"/)?.[1]
    const prompt = page.match(/name="prompt" value="(\w+)"/)?.[1]
    if (!action) throw new Error(`a page without a form, status ${response.status}: ${page.slice(0, 600)}`)
    url = new URL(action, url)
    options = { method: 'POST', body: new URLSearchParams({ prompt, login: 'alice', password: 'any' }) }
  }
  throw new Error('the login does not end')
}
