// Calls the health service by two clients of gRPC-Web, and prints what each makes of the response:
// node grpc_web.mjs ADDRESS TOKEN
import { createRequire } from 'node:module'
import { createFileRegistry, fromJson } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Code, createClient } from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-web'

const require = createRequire(import.meta.url)
// grpc-web is made for browsers.
globalThis.XMLHttpRequest = require('xhr2')
const grpcWeb = require('grpc-web')

const [address, token] = process.argv.slice(2)
const baseUrl = `http://${address}`
const authorization = `Bearer ${token}`

const field = (name, number, type) => ({ name, number, type, label: 'LABEL_OPTIONAL', jsonName: name })
const method = (name, serverStreaming) => ({
  name,
  serverStreaming,
  inputType: '.grpc.health.v1.HealthCheckRequest',
  outputType: '.grpc.health.v1.HealthCheckResponse',
})
const registry = createFileRegistry(fromJson(FileDescriptorSetSchema, {
  file: [
    {
      name: 'health.proto',
      package: 'grpc.health.v1',
      syntax: 'proto3',
      messageType: [
        { name: 'HealthCheckRequest', field: [field('service', 1, 'TYPE_STRING')] },
        { name: 'HealthCheckResponse', field: [field('status', 1, 'TYPE_INT32')] },
      ],
      service: [{ name: 'Health', method: [method('Check', false), method('Watch', true)] }],
    },
    {
      name: 'error_details.proto',
      package: 'google.rpc',
      syntax: 'proto3',
      messageType: [
        { name: 'ErrorInfo', field: [field('reason', 1, 'TYPE_STRING'), field('domain', 2, 'TYPE_STRING')] },
      ],
    },
  ],
}))

async function connectWeb(call, useBinaryFormat) {
  const transport = createGrpcWebTransport({ baseUrl, useBinaryFormat })
  const client = createClient(registry.getService('grpc.health.v1.Health'), transport)
  try {
    await call(client, { headers: { authorization } })
    return { code: 0 }
  } catch (error) {
    const [info] = error.findDetails(registry.getMessage('google.rpc.ErrorInfo'))
    return {
      code: Code[error.code] ? error.code : String(error),
      message: error.rawMessage,
      challenge: error.metadata.get('www-authenticate'),
      reason: info?.reason,
      domain: info?.domain,
    }
  }
}

function grpcWebClient(format, name, type) {
  const client = new grpcWeb.GrpcWebClientBase({ format })
  const path = `/grpc.health.v1.Health/${name}`
  const bytes = () => new Uint8Array()
  const descriptor = new grpcWeb.MethodDescriptor(path, type, Object, Object, bytes, bytes)
  return new Promise((resolve) => {
    const failed = (error) =>
      resolve({ code: error.code, message: error.message, challenge: error.metadata?.['www-authenticate'] })
    if (type === grpcWeb.MethodType.UNARY) {
      const done = (error) => (error ? failed(error) : resolve({ code: 0 }))
      client.rpcCall(baseUrl + path, {}, { authorization }, descriptor, done)
    } else {
      const stream = client.serverStreaming(baseUrl + path, {}, { authorization }, descriptor)
      stream.on('error', failed)
      stream.on('end', () => resolve({ code: 0 }))
    }
  })
}

const { UNARY, SERVER_STREAMING } = grpcWeb.MethodType
const watch = async (client, options) => {
  for await (const _ of client.watch({}, options)) return
}
console.log(JSON.stringify({
  'connect-web, Check': await connectWeb((client, options) => client.check({}, options), true),
  'connect-web, Watch': await connectWeb(watch, true),
  'grpc-web, Check': await grpcWebClient('binary', 'Check', UNARY),
  'grpc-web, text, Check': await grpcWebClient('text', 'Check', UNARY),
  'grpc-web, text, Watch': await grpcWebClient('text', 'Watch', SERVER_STREAMING),
}))
process.exit(0)
