// The TypeScript SDK as a client: SDK 1 for MCP 2025-11-25, SDK 2 for 2026-07-28.

/** The SDK of a revision. */
export const sdkOf = async (revision) => revision === '2026-07-28'
  ? await import('@modelcontextprotocol/client')
  : {
      ...(await import('@modelcontextprotocol/sdk/client/index.js')),
      ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
      ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
    }

/** A client of this revision that is connected by this transport. */
export async function connect(sdk, revision, transport) {
  const options = revision === '2026-07-28' ? { versionNegotiation: { mode: { pin: revision } } } : {}
  const client = new sdk.Client({ name: 'interop', version: '0' }, options)
  await client.connect(transport)
  return client
}

/** What the SDK asks an application for: it keeps in `kept` what the SDK wants to keep, and where it sends the user. */
export const provider = (kept, own) => ({
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens },
  redirectToAuthorization: (to) => { kept.redirect = to },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier },
  codeVerifier: () => kept.verifier,
  saveDiscoveryState: (state) => { kept.discovery = state },
  discoveryState: () => kept.discovery,
  ...own,
})
