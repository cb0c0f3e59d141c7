// The example that validates tokens, called by every client over both transports.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { discoverOAuthProtectedResourceMetadata } from '@modelcontextprotocol/client';
import { discoverOAuthProtectedResourceMetadata as discoverV1 } from '@modelcontextprotocol/sdk/client/auth.js';

import { assertRefused } from './lib/challenge.mjs';
import { pairs } from './lib/clients.mjs';
import { startExample } from './lib/example.mjs';
import { ISSUER, TRUST, expired, forged, mint, unsigned } from './lib/tokens.mjs';

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
        const { text } = await call(mint(resource(endpoint)));
        for (const part of ['alice', 'e2e-client', 'demo:read']) assert.ok(text.includes(part), text);
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
        const expected = { status: 403, error: 'insufficient_scope', scope: 'demo:secret' };
        assertRefused(answer, { metadata: metadata(endpoint), ...expected });
      });

      it('may use that tool with the scope', async () => {
        const answer = await call(mint(resource(endpoint), { scope: 'demo:read demo:secret' }), 'secret');
        assert.ok(answer.result && !answer.result.isError, JSON.stringify(answer));
      });
    });
  }

  for (const endpoint of ['/mcp', '/sse']) {
    // covers: AUTH-32, AUTH-35, AUTH-38, AUTH-39, AUTH-41
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

  const post = (headers, path = '/mcp') =>
    fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
    });

  // covers: AUTH-07, RS12
  it('does not look for a token in the query', async () => {
    const answer = await post({}, `/mcp?access_token=${mint(resource('/mcp'))}`);
    assert.equal(answer.status, 401);
    assert.doesNotMatch(answer.headers.get('www-authenticate'), /error=/);
  });

  // covers: RS12
  it('does not take another scheme for a token', async () => {
    const basic = Buffer.from(`alice:${mint(resource('/mcp'))}`).toString('base64');
    assert.equal((await post({ authorization: `Basic ${basic}` })).status, 401);
  });

  // covers: TL-05, SSE-05
  it('does not show a session to another user', async () => {
    const initialize = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } },
    };
    const send = (sub, body, session) =>
      fetch(resource('/mcp'), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${mint(resource('/mcp'), { sub })}`,
          ...(session ? { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' } : {}),
        },
        body: JSON.stringify(body),
      });
    const opened = await send('alice', initialize);
    const session = opened.headers.get('mcp-session-id');
    await opened.text();
    assert.ok(session);
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    assert.equal((await send('mallory', list, session)).status, 404);
    const own = await send('alice', list, session);
    assert.equal(own.status, 200);
    await own.text();
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
