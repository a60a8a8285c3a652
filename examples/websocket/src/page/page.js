const element = id => document.getElementById(id)
let socket

// Of the characters of base64, a sub-protocol must not contain `/` and `=`.
const base64url = text => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

element('connect').addEventListener('submit', event => {
  event.preventDefault()
  const token = event.target.elements.token.value.trim()
  const protocols = ['echo.example']
  if (token) protocols.push(`base64url.bearer.authorization.k8s.io.${base64url(token)}`)

  socket?.close()
  const opened = new WebSocket('/echo', protocols)
  socket = opened
  element('state').value = 'connecting'
  opened.onopen = () => { element('state').value = `connected: ${opened.protocol}` }
  // A script does not see the status of a handshake that was refused.
  opened.onclose = close => { if (socket === opened) element('state').value = `closed: ${close.code} ${close.reason}` }
  opened.onmessage = ({ data }) => {
    const item = document.createElement('li')
    item.textContent = data
    element('messages').append(item)
  }
})

element('send').addEventListener('submit', event => {
  event.preventDefault()
  if (socket?.readyState === WebSocket.OPEN) socket.send(event.target.elements.message.value)
})
