// Starts Swagger UI. Its options: https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/

// The Authorize dialog lists the schemes in the order of the document, which is alphabetical, and the last
// one takes the focus. Here the login form comes first and takes it.
const loginFirst = {
  statePlugins: {
    auth: {
      wrapSelectors: {
        shownDefinitions: original => (state, ...args) => {
          const schemes = original(state, ...args)
          const isOther = scheme => scheme.first().get('type') !== 'oauth2'
          return schemes ? schemes.sortBy(isOther) : schemes
        },
      },
      wrapActions: {
        showDefinitions: original => (...args) => {
          const action = original(...args)
          // The dialog is drawn by then; where it has no login form, or just closed, nothing is found.
          setTimeout(() => {
            document.getElementById('oauth_username')?.focus()
            document.querySelector('.modal-ux-content')?.scrollTo(0, 0)
          })
          return action
        },
      },
    },
  },
}

window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  // Schemas are folded.
  defaultModelsExpandDepth: 0,
  // No validator: the page sends requests to this service alone.
  validatorUrl: 'none',
  plugins: [loginFirst],
})
