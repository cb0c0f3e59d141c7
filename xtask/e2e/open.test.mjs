// The example without sign-in, called by every client over both transports.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { pairs } from './lib/clients.mjs';
import { startExample } from './lib/example.mjs';
import { mint } from './lib/tokens.mjs';

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

    // Clients send the token they have to every server they are given; here it says nothing of them.
    it(`${client.name} is as welcome with a token over ${endpoint}`, async () => {
      for (const token of [mint(`${server.url}${endpoint}`), 'nonsense']) {
        const { text, tools } = await call('whoami', {}, token);
        assert.equal(text, 'anonymous');
        assert.ok(!tools?.includes('secret'), 'a token opens nothing that is closed');
      }
    });
  }

  const [{ client, endpoint }] = pairs;
  it('keeps a tool that needs a scope from everybody', async () => {
    const url = `${server.url}${endpoint}`;
    for (const token of [undefined, mint(url, { scope: 'demo:secret' })]) {
      const answer = await client.call({ url, transport: endpoint, token, tool: 'secret' });
      assert.equal(answer.refused?.status, 403);
    }
  });

  it('offers no metadata: there is nobody to ask for a token', async () => {
    const answer = await fetch(`${server.url}/.well-known/oauth-protected-resource/mcp`);
    assert.equal(answer.status, 404);
  });
});
