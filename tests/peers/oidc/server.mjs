// An authorization server that nobody here wrote, oidc-provider, with what SMART App Launch adds to OpenID Connect:
// the launch parameter, the launch context in the token response, fhirUser, and the SMART configuration.
//
//   node server.mjs SETTINGS.json
//
// SETTINGS holds `clients` (as oidc-provider takes them), `scopes`, and `launches`: for each launch value that a chart
// may send, the members that its token response carries. Prints one line of JSON when it answers, ends with its stdin.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import Provider, { errors } from 'oidc-provider';

const { clients, scopes, launches } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const USER = 'user-7';
const CAPABILITIES = [
  'launch-ehr', 'client-public', 'client-confidential-symmetric', 'client-confidential-asymmetric', 'sso-openid-connect',
  'context-ehr-patient', 'context-ehr-encounter', 'context-banner', 'permission-user', 'permission-v2',
];

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const fhirBase = `${issuer}/fhir`;
const contextOfGrant = new Map();

const provider = new Provider(issuer, {
  clients,
  scopes,
  responseTypes: ['code'],
  claims: { openid: ['sub'], fhirUser: ['fhirUser', 'name'] },
  conformIdTokenClaims: false, // SMART wants fhirUser in the id_token itself
  findAccount: () => ({
    accountId: USER,
    claims: () => ({ sub: USER, fhirUser: `${fhirBase}/Practitioner/7`, name: 'Kwame Osei' }),
  }),
  loadExistingGrant: approve,
  expiresWithSession: () => false, // a session holds one grant per client; several charts are open at once
  // Without launches it is a plain identity provider, such as administrators sign in with.
  extraParams: Object.keys(launches).length ? { aud: requireOurBase, launch: requireKnownLaunch } : {},
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false }, revocation: { enabled: true }, introspection: { enabled: true },
  },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true, // a refresh token used twice ends the whole grant
  interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
  jwks: { keys: [signingKey('rsa', { modulusLength: 2048 }), signingKey('ec', { namedCurve: 'P-384' })] },
  enabledJWA: {
    clientAuthSigningAlgValues: ['RS384', 'ES384'],
    idTokenSigningAlgValues: ['RS256', 'RS384', 'ES384', 'PS256', 'HS256'],
  },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  // It refuses key sets on private addresses; those of a test are on no other.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});

function signingKey(type, options) {
  const key = generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' });
  return { ...key, kid: `peer-${type}`, use: 'sig' };
}

function requireOurBase(_, aud) {
  if (aud !== fhirBase) throw new errors.InvalidRequest('aud is not this FHIR base');
}

function requireKnownLaunch(_, launch) {
  if (!Object.hasOwn(launches, launch)) throw new errors.InvalidRequest('no chart sent this launch');
}

// Everything that was asked is granted, each launch by itself, so that two charts never share a context.
async function approve(ctx) {
  const { session, client, params, requestParamOIDCScopes } = ctx.oidc;
  const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  grant.addOIDCScope([...requestParamOIDCScopes].join(' '));
  contextOfGrant.set(await grant.save(), launches[params.launch]);
  return grant;
}

provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === 'token' && ctx.status === 200) {
    Object.assign(ctx.body, contextOfGrant.get(ctx.oidc.entities.Grant.jti));
  }
});

async function smartConfiguration(response) {
  const discovered = await fetch(`${issuer}/.well-known/openid-configuration`);
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ ...(await discovered.json()), capabilities: CAPABILITIES }));
}

const answer = provider.callback();
server.on('request', (request, response) => {
  if (request.url === '/fhir/.well-known/smart-configuration') return smartConfiguration(response);
  // Who starts an app from a chart is signed in already; there is no page to fill in.
  if (request.url.startsWith('/sign-in/')) {
    return provider.interactionFinished(request, response, { login: { accountId: USER } });
  }
  return answer(request, response);
});

process.stdin.on('end', () => process.exit()).resume();
console.log(JSON.stringify({ issuer, fhir_base: fhirBase }));
