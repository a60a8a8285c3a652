// Starts Swagger UI. Its options: https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/

// The flow of a scheme in the Authorize dialog; undefined if it is not one of OAuth.
const flowOf = scheme => scheme.first().get('flow')

// The Authorize dialog lists the schemes in the order of the document, which is alphabetical, and the last
// one takes the focus. Here the form for a password comes first and takes it, then the login page.
const loginFirst = {
  statePlugins: {
    auth: {
      wrapSelectors: {
        shownDefinitions: original => (state, ...args) => {
          const schemes = original(state, ...args)
          const order = ['password', 'authorizationCode', undefined]
          return schemes ? schemes.sortBy(scheme => order.indexOf(flowOf(scheme))) : schemes
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

// The client of `initOAuth` is for the login page alone: the form for a password needs none.
const clientOfTheLoginPage = {
  wrapComponents: {
    oauth2: (Original, system) => props => {
      const isForm = props.schema.get('flow') === 'password'
      const authSelectors = isForm ? { ...props.authSelectors, getConfigs: () => ({}) } : props.authSelectors
      return system.React.createElement(Original, { ...props, authSelectors })
    },
  },
}

// A response reaches this page by a file of the same origin: a loopback address has several names. Elsewhere it is that of
// the issuer, which is the registered one.
const redirectUris = document.querySelector('meta[name="redirect-uris"]').content.split(' ')
const redirectUri = redirectUris.find(uri => new URL(uri).origin === location.origin) ?? redirectUris[0]

window.ui = SwaggerUIBundle({
  // Beside the page, so it is found below a path too.
  url: '../openapi.json',
  oauth2RedirectUrl: redirectUri,
  dom_id: '#swagger-ui',
  deepLinking: true,
  // Schemas are folded.
  defaultModelsExpandDepth: 0,
  // No validator: the page sends requests to this service alone.
  validatorUrl: 'none',
  plugins: [loginFirst, clientOfTheLoginPage],
})

// A public client: PKCE takes the place of a secret.
window.ui.initOAuth({ clientId: 'token-service-docs', usePkceWithAuthorizationCodeGrant: true })
