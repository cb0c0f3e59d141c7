// The example without sign-in, called by every client over both transports.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { pairs } from './lib/clients.mjs';
import { startExample } from './lib/example.mjs';

const server = await startExample('no-auth');
after(() => server.stop());

describe('no-auth', { concurrency: true }, () => {
  for (const { client, endpoint } of pairs) {
    const call = (tool, args, token) =>
      client.call({ url: `${server.url}${endpoint}`, transport: endpoint, token, tool, args });

    // covers: AUTH-02, TR-30, SSE-01, SSE-02, SSE-04, SSE-07
    it(`${client.name} calls its tools over ${endpoint}`, async () => {
      const echoed = await call('echo', { message: 'hello' });
      assert.match(echoed.text, /hello/);
      if (echoed.tools) assert.ok(['whoami', 'echo', 'add'].every((name) => echoed.tools.includes(name)));
      assert.match((await call('add', { a: 19, b: 23 })).text, /42/);
    });
  }

  const [{ client, endpoint }] = pairs;
  it('keeps a tool that needs a scope from everybody', async () => {
    const answer = await client.call({ url: `${server.url}${endpoint}`, transport: endpoint, tool: 'secret' });
    assert.equal(answer.refused?.status, 403);
  });

  it('offers no metadata: there is nobody to ask for a token', async () => {
    const answer = await fetch(`${server.url}/.well-known/oauth-protected-resource/mcp`);
    assert.equal(answer.status, 404);
  });
});
