// The example that validates tokens, called by every client over both transports.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import {
  Client,
  StreamableHTTPClientTransport,
  discoverOAuthProtectedResourceMetadata,
} from '@modelcontextprotocol/client';
import { discoverOAuthProtectedResourceMetadata as discoverV1 } from '@modelcontextprotocol/sdk/client/auth.js';

import { assertRefused } from './lib/challenge.mjs';
import { pairs } from './lib/clients.mjs';
import { startExample } from './lib/example.mjs';
import { ISSUER, TRUST, expired, forged, mint, unsigned } from './lib/tokens.mjs';
import { INITIALIZE, answerIn, bearer, modern, modernCall, post } from './lib/wire.mjs';

const server = await startExample('token', TRUST);
after(() => server.stop());

const resource = (endpoint) => `${server.url}${endpoint}`;
const metadata = (endpoint) => `${server.url}/.well-known/oauth-protected-resource${endpoint}`;
const other = (endpoint) => (endpoint === '/mcp' ? '/sse' : '/mcp');

describe('token', { concurrency: true }, () => {
  for (const { client, endpoint } of pairs) {
    describe(`${client.name} over ${endpoint}`, { concurrency: true }, () => {
      const call = (token, tool = 'whoami', args = {}) =>
        client.call({ url: resource(endpoint), transport: endpoint, token, tool, args });
      const refused = async (token, expected) =>
        assertRefused(await call(token), { metadata: metadata(endpoint), ...expected });

      // covers: AUTH-05, AUTH-06, AUTH-08
      it('is let in with a token, and its tool knows who calls', async () => {
        const { text, tools } = await call(mint(resource(endpoint)));
        assert.ok(!tools?.includes('secret'), 'a tool it may not use is not shown');
        for (const part of ['alice', ISSUER, 'demo:read']) assert.ok(text.includes(part), text);
      });

      // covers: AUTH-13, AUTH-14, AUTH-18, AUTH-34, RS11, SSE-05
      it('is asked for a token when it has none', () => refused(undefined, { status: 401, error: null }));

      // covers: AUTH-12, AUTH-15, RS13
      it('is refused with something that is no token', () => refused('nonsense', { status: 401, error: 'invalid_token' }));

      // covers: AUTH-12, RS13
      it('is refused with a token of another key', () =>
        refused(forged(resource(endpoint)), { status: 401, error: 'invalid_token' }));

      // covers: RS13
      it('is refused with a token that nobody signed', () =>
        refused(unsigned(resource(endpoint)), { status: 401, error: 'invalid_token' }));

      // covers: AUTH-12, RS13
      it('is refused with an expired token', () =>
        refused(expired(resource(endpoint)), { status: 401, error: 'invalid_token' }));

      // covers: RS13, RS17
      it('is refused with a token of another issuer', () =>
        refused(mint(resource(endpoint), { iss: 'https://other.example.com' }), { status: 401, error: 'invalid_token' }));

      // covers: AUTH-09, AUTH-10, RS06
      it('is refused with a token for another server', () =>
        refused(mint('https://other.example.com/mcp'), { status: 401, error: 'invalid_token' }));

      // covers: AUTH-09, RS06
      it(`is refused with a token for ${other(endpoint)}`, () =>
        refused(mint(resource(other(endpoint))), { status: 401, error: 'invalid_token' }));

      // covers: AUTH-24, AUTH-25, RS14
      it('is told which scope a tool needs', async () => {
        const answer = await call(mint(resource(endpoint)), 'secret');
        // The Inspector looks at the list first, and there is no such tool for this caller.
        if (answer.hidden) return;
        const expected = { status: 403, error: 'insufficient_scope', scope: 'demo:secret' };
        assertRefused(answer, { metadata: metadata(endpoint), ...expected });
      });

      // covers: TR-28
      it('sees and may use that tool with the scope', async () => {
        const answer = await call(mint(resource(endpoint), { scope: 'demo:read demo:secret' }), 'secret');
        assert.ok(answer.result && !answer.result.isError, JSON.stringify(answer));
        assert.ok(answer.tools?.includes('secret') ?? true);
      });
    });
  }

  for (const endpoint of ['/mcp', '/sse']) {
    // covers: AUTH-32, AUTH-35, AUTH-38, AUTH-39, AUTH-40, AUTH-41, U-12
    it(`both SDKs find and accept the metadata of ${endpoint}`, async () => {
      for (const discover of [discoverOAuthProtectedResourceMetadata, discoverV1]) {
        const found = await discover(resource(endpoint));
        assert.equal(found.resource, resource(endpoint));
        assert.deepEqual(found.authorization_servers, [ISSUER]);
      }
      const answer = await fetch(metadata(endpoint));
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type'), /^application\/json/);
    });
  }

  // covers: AUTH-36
  it('the metadata is at the root, too', async () => {
    const answer = await fetch(`${server.url}/.well-known/oauth-protected-resource`);
    assert.equal(answer.status, 200);
    assert.deepEqual((await answer.json()).authorization_servers, [ISSUER]);
  });
});

describe('token, with messages written by hand', { concurrency: true }, () => {
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  const good = () => mint(resource('/mcp'));

  // covers: AUTH-07, RS12
  it('does not look for a token in the query', async () => {
    const answer = await post(`${resource('/mcp')}?access_token=${good()}`, ping);
    assert.equal(answer.status, 401);
    assert.doesNotMatch(answer.headers.get('www-authenticate'), /error=/);
  });

  // covers: RS12
  it('takes neither another scheme nor an empty one for a token', async () => {
    const basic = Buffer.from(`alice:${good()}`).toString('base64');
    for (const authorization of [`Basic ${basic}`, 'Bearer', 'Bearer ']) {
      assert.equal((await post(resource('/mcp'), ping, { authorization })).status, 401, authorization);
    }
  });

  // covers: TR-04, U-03, SEC-06
  it('turns a foreign page away before it asks for a token', async () => {
    for (const headers of [{}, bearer(good())]) {
      const answer = await post(resource('/mcp'), ping, { ...headers, origin: 'https://foreign.example.com' });
      assert.equal(answer.status, 403);
      assert.equal(answer.headers.get('access-control-allow-origin'), null);
    }
  });

  // covers: TR-18, U-03
  it('asks for the token before it reads the body', async () => {
    for (const body of ['this is no JSON', '[]', { jsonrpc: '2.0', id: 1, method: 'no/such/method' }]) {
      assert.equal((await post(resource('/mcp'), body)).status, 401);
    }
  });

  // covers: TR-13, RS14
  it('does not believe a header that names a harmless tool', async () => {
    const secret = modernCall('secret');
    const headers = { ...modernCall('echo').headers, ...bearer(good()) };
    const answer = await post(resource('/mcp'), secret.body, headers);
    assert.ok([400, 403].includes(answer.status), `${answer.status} ${await answer.text()}`);
    const honest = await post(resource('/mcp'), secret.body, { ...secret.headers, ...bearer(good()) });
    assert.equal(honest.status, 403);
  });

  // covers: SEC-14, TR-28
  it('marks a list that differs by caller as nobody else\'s', async () => {
    const list = modern('tools/list');
    const listed = async (scope) => {
      const token = mint(resource('/mcp'), { scope });
      return (await answerIn(await post(resource('/mcp'), list.body, { ...list.headers, ...bearer(token) }))).result;
    };
    const [less, more] = [await listed('demo:read'), await listed('demo:secret')];
    const names = ({ tools }) => tools.map(({ name }) => name);
    assert.ok(!names(less).includes('secret') && names(more).includes('secret'));
    for (const { cacheScope } of [less, more]) assert.equal(cacheScope, 'private');
  });

  // covers: RS10
  it('knows its address without a slash at the end, and no other form', async () => {
    const answer = await post(resource('/mcp'), ping, bearer(mint(`${resource('/mcp')}/`)));
    assert.equal(answer.status, 401);
    const { resource: named } = await (await fetch(metadata('/mcp'))).json();
    assert.equal(named, resource('/mcp'));
  });

  // covers: AUTH-06, TL-03, TL-05, SEC-05
  it('judges every request of a session, and shows it to no other user', async () => {
    const send = (token, body, session) =>
      post(resource('/mcp'), body, {
        ...(token ? bearer(token) : {}),
        ...(session ? { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' } : {}),
      });
    const opened = await send(good(), INITIALIZE);
    const session = opened.headers.get('mcp-session-id');
    await opened.text();
    assert.match(session, /^[\x21-\x7e]{32,}$/);
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    assert.equal((await send(undefined, list, session)).status, 401);
    assert.equal((await send(expired(resource('/mcp')), list, session)).status, 401);
    assert.equal((await send(mint(resource('/mcp'), { sub: 'mallory' }), list, session)).status, 404);
    const own = await send(good(), list, session);
    assert.equal(own.status, 200);
    await own.text();
  });

  // covers: SSE-08
  it('lets a client that tries the new transport first find the old one', async () => {
    const token = mint(resource('/sse'));
    const tried = await post(resource('/sse'), INITIALIZE, bearer(token));
    assert.ok([400, 404, 405].includes(tried.status), `${tried.status}`);
    const { client } = pairs.find(({ endpoint }) => endpoint === '/sse');
    const answer = await client.call({ url: resource('/sse'), transport: '/sse', token, tool: 'whoami' });
    assert.ok(answer.text?.includes('alice'), JSON.stringify(answer));
  });

  // covers: TR-30, U-09
  it('does not look like a server of the old era when it refuses', async () => {
    const seen = [];
    const client = new Client({ name: 'e2e', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    const watched = async (url, init) => {
      seen.push(init?.body ? JSON.parse(init.body).method : init?.method);
      return fetch(url, init);
    };
    const wire = new StreamableHTTPClientTransport(new URL(resource('/mcp')), { fetch: watched });
    await assert.rejects(client.connect(wire));
    assert.deepEqual(seen, ['server/discover']);
  });
});

describe('token with an audience of its own', () => {
  it('accepts what JWT_AUDIENCE names', async () => {
    const named = await startExample('token', { ...TRUST, JWT_AUDIENCE: 'https://api.example.com,urn:example:api' });
    try {
      const { client, endpoint } = pairs[0];
      for (const audience of ['https://api.example.com', 'urn:example:api']) {
        const token = mint(audience);
        const answer = await client.call({ url: `${named.url}${endpoint}`, transport: endpoint, token, tool: 'whoami' });
        assert.ok(answer.text?.includes('alice'), JSON.stringify(answer));
      }
    } finally {
      await named.stop();
    }
  });
});
