// What a page of another origin can send without asking the app by CORS.
const app = document.body.dataset.app

const show = (what, result) => {
  const item = document.createElement('li')
  item.textContent = `${what}: ${result}`
  document.getElementById('results').append(item)
}

const attempts = {
  'writing by fetch': () => fetch(`${app}/api/notes`, {
    method: 'POST',
    mode: 'no-cors',
    credentials: 'include',
    body: new URLSearchParams({ text: 'from a script of the attacker' }),
  }).then(() => 'sent'),
  'reading by fetch': () => fetch(`${app}/api/notes`, { credentials: 'include' }).then(response => response.text()),
  'logging out by fetch': () => fetch(`${app}/logout`, { method: 'POST', mode: 'no-cors', credentials: 'include' })
    .then(() => 'sent'),
}

document.getElementById('form').submit()
for (const [what, attempt] of Object.entries(attempts)) {
  show(what, await attempt().catch(error => error.message))
}
document.body.dataset.done = ''
