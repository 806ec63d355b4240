// An OpenID Connect provider (oidc-provider as it comes) that says in its ID tokens what a test tells
// it to: node oidc.mjs CLIENT SECRET REDIRECT_URI. Prints its address. POST /_test {sub, tamper, rotate,
// elsewhere} says who signs in next, what is wrong with the next tokens, and makes a new key.
import { createHmac, createPrivateKey, createSign, generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const [client, secret, redirect] = process.argv.slice(2)
const now = () => Math.floor(Date.now() / 1000)
const base64 = (value) => Buffer.from(value).toString('base64url')
let told = { sub: 'nobody' }
let key = newKey()
let provider

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' }
}

function token(claims, signer = key, header = { alg: 'RS256', kid: signer.kid }) {
  const text = [header, claims].map((part) => base64(JSON.stringify(part))).join('.')
  if (header.alg === 'none') return `${text}.`
  if (header.alg === 'HS256') {
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  }
  const privateKey = createPrivateKey({ key: signer, format: 'jwk' })
  return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`
}

const wrong = {
  nonce: (claims) => token({ ...claims, nonce: 'of another attempt' }),
  no_nonce: ({ nonce, ...claims }) => token(claims),
  audience: (claims) => token({ ...claims, aud: 'another client' }),
  audiences: (claims) => token({ ...claims, aud: [client, 'another client'] }),
  expired: (claims) => token({ ...claims, iat: now() - 700, exp: now() - 60 }),
  future: (claims) => token({ ...claims, iat: now() + 3600, exp: now() + 7200 }),
  issuer: (claims) => token({ ...claims, iss: 'https://another.example.org' }),
  signature: (claims) => token(claims, { ...newKey(), kid: key.kid }),
  unknown_key: (claims) => token(claims, newKey()),
  unsigned: (claims) => token(claims, key, { alg: 'none' }),
  shared_secret: (claims) => token(claims, key, { alg: 'HS256' }),
}

function start(issuer) {
  provider = new Provider(issuer, {
    clients: [{ client_id: client, client_secret: secret, redirect_uris: [redirect] }],
    jwks: { keys: [key] },
    cookies: { keys: ['for tests'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      })
      grant.addOIDCScope('openid')
      await grant.save()
      return grant
    },
  })
  provider.use(async (ctx, next) => {
    await next()
    if (told.elsewhere && ctx.path === '/.well-known/openid-configuration') {
      ctx.body = { ...ctx.body, jwks_uri: ctx.body.jwks_uri.replace('127.0.0.1', 'localhost') }
    }
    if (told.tamper && ctx.path === '/token' && ctx.body?.id_token) {
      const claims = JSON.parse(Buffer.from(ctx.body.id_token.split('.')[1], 'base64url'))
      ctx.body = { ...ctx.body, id_token: wrong[told.tamper](claims) }
    }
  })
}

async function listen(request, response) {
  if (request.url === '/_test') {
    const parts = await request.toArray()
    told = JSON.parse(Buffer.concat(parts))
    if (told.rotate) {
      key = newKey()
      start(provider.issuer)
    }
    response.end()
  } else if (request.url.startsWith('/interaction/')) {
    await provider.interactionFinished(request, response, { login: { accountId: told.sub } })
  } else {
    provider.callback()(request, response)
  }
}

const server = createServer(listen).listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  start(issuer)
  console.log(issuer)
})
