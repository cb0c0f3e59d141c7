// The examples published under a path, by a reverse proxy that strips it and by one that does not.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { assertRefused, read } from './lib/challenge.mjs';
import { pairs } from './lib/clients.mjs';
import { freePort, startExample } from './lib/example.mjs';
import { startProxy } from './lib/proxy.mjs';
import { ISSUER, TRUST, mint } from './lib/tokens.mjs';

const MOUNT = '/tools/x';

for (const strip of [true, false]) {
  const front = await freePort();
  const server = await startExample('token', { ...TRUST, MCP_PUBLIC_URL: `http://127.0.0.1:${front}${MOUNT}` });
  const proxy = await startProxy({ port: front, target: server.port, mount: MOUNT, strip });
  after(async () => {
    await proxy.close();
    await server.stop();
  });
  const resource = (endpoint) => `${server.url}${endpoint}`;
  const metadata = (endpoint) => `${proxy.url}/.well-known/oauth-protected-resource${MOUNT}${endpoint}`;

  describe(`token, behind a proxy that ${strip ? 'strips' : 'keeps'} the path`, { concurrency: true }, () => {
    for (const { client, endpoint } of pairs) {
      const call = (token) => client.call({ url: resource(endpoint), transport: endpoint, token, tool: 'whoami' });

      // covers: AUTH-39, AUTH-41, SSE-04
      it(`${client.name} is let in over ${endpoint}`, async () => {
        const { text } = await call(mint(resource(endpoint)));
        assert.ok(text.includes('alice'), text);
      });

      // covers: AUTH-34
      it(`${client.name} is sent to metadata it can reach from ${endpoint}`, async () => {
        const answer = await call(undefined);
        const { challenge } = answer.refused;
        // Only a library shows the header.
        const url = challenge === undefined ? metadata(endpoint) : read(challenge).resourceMetadataUrl?.href;
        assertRefused(answer, { status: 401, error: null, metadata: url });
        const found = await (await fetch(url)).json();
        assert.equal(found.resource, resource(endpoint));
        assert.deepEqual(found.authorization_servers, [ISSUER]);
      });
    }

    for (const endpoint of ['/mcp', '/sse']) {
      // covers: AUTH-35
      it(`the metadata of ${endpoint} is where RFC 9728 puts it, and below the path`, async () => {
        const below = `${server.url}/.well-known/oauth-protected-resource${endpoint}`;
        for (const url of [metadata(endpoint), below]) {
          const answer = await fetch(url);
          assert.equal(answer.status, 200, url);
          assert.equal((await answer.json()).resource, resource(endpoint));
        }
      });

      // covers: AUTH-09, RS06
      it(`a token for the inner address does not open ${endpoint}`, async () => {
        const token = mint(`http://127.0.0.1:${server.port}${endpoint}`);
        const { client } = pairs[0];
        const answer = await client.call({ url: resource(endpoint), transport: endpoint, token, tool: 'whoami' });
        assert.equal(answer.refused?.status, 401);
      });
    }
  });

  const openFront = await freePort();
  const open = await startExample('no-auth', { MCP_PUBLIC_URL: `http://127.0.0.1:${openFront}${MOUNT}` });
  const openProxy = await startProxy({ port: openFront, target: open.port, mount: MOUNT, strip });
  after(async () => {
    await openProxy.close();
    await open.stop();
  });

  describe(`no-auth, behind a proxy that ${strip ? 'strips' : 'keeps'} the path`, { concurrency: true }, () => {
    for (const { client, endpoint } of pairs) {
      // covers: SSE-04
      it(`${client.name} calls its tools over ${endpoint}`, async () => {
        const answer = await client.call({ url: `${open.url}${endpoint}`, transport: endpoint, tool: 'whoami' });
        assert.equal(answer.text, 'anonymous');
      });
    }
  });
}
