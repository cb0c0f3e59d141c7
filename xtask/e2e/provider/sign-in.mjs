// Every official client signs in through the browser, over both transports.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Memory, call, connect, libraries, pairs, toolsOf } from './clients.mjs';
import { answer, startCallback } from './world.mjs';

/** The page that a client sends its user to, when it asks for more than the server told it to. */
function asking(address, scope) {
  const wider = new URL(address);
  wider.searchParams.set('scope', scope);
  return wider;
}

const EVERYTHING = 'notes:read notes:write';

export default function (world) {
  const { server } = world;
  let callback;

  async function signIn(address, choices = {}) {
    const page = await world.page();
    try {
      return await answer(page, address, { until: callback.url, ...choices });
    } finally {
      await page.close();
    }
  }

  const never = () => assert.fail('nobody should have to sign in');

  describe('signing in', () => {
    before(async () => (callback = await startCallback()));
    after(() => callback.close());

    for (const { library, endpoint } of pairs) {
      const url = () => `${server().url}${endpoint}`;

      // covers: AUTH-34, AUTH-46, AUTH-66, CO04
      it(`${library.name} over ${endpoint}, with a scope ticked off`, async () => {
        const memory = new Memory(callback.url, { name: `${library.name} ${endpoint}` });
        const tick = (address) => signIn(asking(address, EVERYTHING), { untick: ['notes:write'] });
        const text = await connect(library, url(), memory, tick, async (client) => {
          const tools = await toolsOf(client);
          assert.ok(tools.includes('list_notes') && !tools.includes('add_note'), String(tools));
          return call(client, 'whoami');
        });
        assert.match(text, /^Owner \(owner\), by the client .*: notes:read$/);
        assert.equal(memory.saved.scope, 'notes:read', 'the answer says what was granted');
      });

      it(`${library.name} over ${endpoint} stays signed in over a restart, and refreshes`, async () => {
        const memory = new Memory(callback.url, { name: `${library.name} ${endpoint} again` });
        const everything = (address) => signIn(asking(address, EVERYTHING));
        await connect(library, url(), memory, everything, (client) => call(client, 'whoami'));
        await server().restart();
        await connect(library, url(), memory, never, async (client) => {
          assert.match(await call(client, 'add_note', { text: 'milk' }), /note \d+/);
          assert.match(await call(client, 'list_notes'), /milk/);
        });
        // The access token is over, and the client does by itself what it has to.
        const old = memory.saved;
        memory.saved = { ...old, access_token: `${old.access_token.slice(0, -4)}AAAA` };
        const text = await connect(library, url(), memory, never, (client) => call(client, 'whoami'));
        assert.match(text, /notes:write/);
        assert.notEqual(memory.saved.refresh_token, old.refresh_token, 'the refresh token is rotated');
      });
    }

    for (const library of libraries) {
      const url = () => `${server().url}/mcp`;

      it(`${library.name} is told that the owner said no`, async () => {
        const memory = new Memory(callback.url, { name: `${library.name} denied` });
        let back;
        const deny = async (address) => (back = await signIn(address, { action: 'deny' }));
        await assert.rejects(connect(library, url(), memory, deny, (client) => call(client, 'whoami')));
        assert.equal(back.searchParams.get('error'), 'access_denied');
        assert.equal(back.searchParams.get('iss'), server().url);
        assert.equal(memory.saved, undefined);
      });

      // covers: RV05
      it(`${library.name} signs in again when its grant was revoked`, async () => {
        const memory = new Memory(callback.url, { name: `${library.name} revoked` });
        await connect(library, url(), memory, signIn, (client) => call(client, 'whoami'));
        const token = memory.saved.refresh_token;
        const body = new URLSearchParams({ token, client_id: memory.client.client_id });
        const revoked = await fetch(`${server().url}/revoke`, { method: 'POST', body });
        assert.equal(revoked.status, 200);
        let asked = 0;
        const again = (address) => {
          asked += 1;
          return signIn(address);
        };
        await connect(library, url(), memory, again, (client) => call(client, 'whoami'));
        assert.equal(asked, 1);
        assert.notEqual(memory.saved.refresh_token, token);
      });
    }

    // covers: AUTH-24, AUTH-25, AUTH-26
    for (const library of libraries.filter(({ stepsUp }) => stepsUp)) {
      it(`${library.name} asks for more when it needs it, and the old grant stays`, async () => {
        const memory = new Memory(callback.url, { name: `${library.name} step-up` });
        await connect(library, `${server().url}/mcp`, memory, signIn, (client) => call(client, 'whoami'));
        const before = memory.saved;
        assert.equal(before.scope, 'notes:read');
        let asked;
        const more = (address) => {
          asked = address.searchParams.get('scope').split(' ').sort();
          return signIn(address);
        };
        const note = (client) => call(client, 'add_note', { text: 'eggs' });
        assert.match(await connect(library, `${server().url}/mcp`, memory, more, note), /note \d+/);
        assert.deepEqual(asked, ['notes:read', 'notes:write'], 'the union of what is held and what is needed');
        assert.notEqual(memory.saved.refresh_token, before.refresh_token);
        memory.saved = before;
        const text = await connect(library, `${server().url}/mcp`, memory, never, (client) => call(client, 'whoami'));
        assert.match(text, /: notes:read$/);
      });
    }

    it('the server may be killed before any step', async () => {
      const [, , library] = libraries;
      const memory = new Memory(callback.url, { name: 'killed' });
      const steps = [];
      const at = async (step) => {
        steps.push(step);
        await server().restart();
      };
      const context = await world.browser().newContext();
      const killed = async (address) => {
        await server().restart();
        return answer(await context.newPage(), address, { until: callback.url, at });
      };
      const text = await connect(library, `${server().url}/mcp`, memory, killed, (client) => call(client, 'whoami'));
      assert.match(text, /Owner/);
      assert.deepEqual(steps, ['sign-in', 'consent', 'callback']);
      await context.close();
    });
  });
}
