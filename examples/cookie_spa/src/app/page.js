// The browser adds the cookie to requests to the page's own origin. No script sees it.
const element = id => document.getElementById(id)

async function post(path, form) {
  const response = await fetch(path, { method: 'POST', body: form && new URLSearchParams(new FormData(form)) })
  element('status').value = response.ok ? '' : `${path}: ${response.status}`
  if (response.ok) form?.reset()
  await show()
}

// Shows the notes, or the login form to a user who is not logged in.
async function show() {
  const response = await fetch('/api/notes')
  element('login').hidden = response.ok
  element('notes').hidden = !response.ok
  if (!response.ok) {
    if (response.status !== 401) element('status').value = `/api/notes: ${response.status}`
    return
  }
  const { user, notes } = await response.json()
  element('user').textContent = user
  element('list').replaceChildren(...notes.map(text => {
    const item = document.createElement('li')
    item.textContent = text
    return item
  }))
}

for (const [id, path] of [['login', '/login'], ['add', '/api/notes']]) {
  element(id).addEventListener('submit', event => {
    event.preventDefault()
    post(path, event.target)
  })
}
element('logout').addEventListener('click', () => post('/logout'))
show()
