// What a browser does with the pages: windows, tabs, keys, redirects, and how they look.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

import { PASSWORD, answer, goOn, serveHere, startCallback } from './world.mjs';

const OUT = process.env.E2E_OUT ?? fileURLToPath(new URL('../../../target/e2e', import.meta.url));

/** A client written by hand: registers, and makes addresses that ask for authorization. */
async function register(server, redirectUri, name = 'By hand') {
  const answer = await fetch(`${server.url}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: name,
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
    }),
  });
  assert.equal(answer.status, 201);
  const { client_id } = await answer.json();
  const verifier = randomBytes(32).toString('base64url');
  const ask = (more = {}) =>
    `${server.url}/authorize?${new URLSearchParams({
      response_type: 'code',
      client_id,
      redirect_uri: redirectUri,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      scope: 'notes:read notes:write',
      resource: `${server.url}/mcp`,
      ...more,
    })}`;
  const redeem = async (code) => {
    const body = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      client_id,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    });
    const response = await fetch(`${server.url}/token`, { method: 'POST', body });
    return { status: response.status, ...(await response.json()) };
  };
  return { ask, redeem };
}

export default function (world) {
  describe('the pages', () => {
    let callback;
    let context;
    before(async () => {
      callback = await startCallback();
    });
    after(() => callback.close());

    /** A window of a browser that nobody is signed in with. */
    async function fresh(settings = {}) {
      context = await world.browser().newContext(settings);
      return context.newPage();
    }

    // covers: PX17
    it('two tabs sign in at once, and each goes its way', async () => {
      const server = world.server();
      const first = await fresh();
      const second = await context.newPage();
      const [one, two] = await Promise.all([1, 2].map((n) => register(server, callback.url, `Tab ${n}`)));
      await first.goto(one.ask({ state: 'one' }));
      await second.goto(two.ask({ state: 'two' }));
      // The first signs in and waits at the consent page; the second still shows the form.
      await first.getByLabel('Password').fill(PASSWORD);
      await first.getByRole('button', { name: 'Sign in' }).click();
      await first.getByRole('button', { name: 'Allow' }).waitFor();
      const late = await goOn(second, { until: callback.url });
      const early = await goOn(first, { until: callback.url });
      assert.equal(early.searchParams.get('state'), 'one');
      assert.equal(late.searchParams.get('state'), 'two');
      assert.equal((await one.redeem(early.searchParams.get('code'))).status, 200);
      assert.equal((await two.redeem(late.searchParams.get('code'))).status, 200);
      await context.close();
    });

    it('the buttons "back" and "reload" repeat no answer', async () => {
      const page = await fresh();
      const client = await register(world.server(), callback.url);
      const back = await answer(page, client.ask(), { until: callback.url });
      assert.equal((await client.redeem(back.searchParams.get('code'))).status, 200);
      await page.goBack();
      // Nothing of it is kept by the browser: the server says the same again, and the code is used.
      const again = await goOn(page, { until: callback.url });
      assert.equal(again.href, back.href);
      assert.equal((await client.redeem(again.searchParams.get('code'))).error, 'invalid_grant');
      await context.close();
    });

    // covers: CO01
    it('a window that a page opened gives its result to its opener', async () => {
      const script = `<!doctype html><title>app</title><script>
        addEventListener('message', (event) => { document.title = event.data; });
      </script>`;
      const told = `<!doctype html><title>back</title><script>
        opener.postMessage(new URLSearchParams(location.search).get('code') ? 'signed in' : 'not', '*'); close();
      </script>`;
      const app = await serveHere((url) => ({ body: url.pathname === '/back' ? told : script }));
      // To the browser, localhost and 127.0.0.1 are different sites.
      const client = await register(world.server(), `${app.alias}/back`);
      const page = await fresh();
      await page.goto(app.alias);
      const [popup] = await Promise.all([
        page.waitForEvent('popup'),
        page.evaluate((url) => void open(url, 'sign-in', 'popup,width=500,height=700'), client.ask()),
      ]);
      await popup.getByLabel('Password').fill(PASSWORD);
      await popup.getByRole('button', { name: 'Sign in' }).click();
      await popup.getByRole('button', { name: 'Allow' }).click();
      await page.waitForFunction(() => document.title === 'signed in');
      await context.close();
      app.close();
    });

    // covers: CO02
    it('the way back may lead over other hosts', async () => {
      const end = await serveHere(() => ({ body: '<!doctype html><title>end</title>' }));
      const hop = await serveHere((url) => ({ status: 302, headers: { location: `${end.alias}/end${url.search}` } }));
      const start = await serveHere((url) => ({ status: 302, headers: { location: `${hop.alias}/hop${url.search}` } }));
      const client = await register(world.server(), `${start.url}/callback`);
      const page = await fresh();
      const back = await answer(page, client.ask(), { until: `${end.alias}/end` });
      assert.equal((await client.redeem(back.searchParams.get('code'))).status, 200);
      await context.close();
      for (const server of [start, hop, end]) server.close();
    });

    it('everything can be done by keys alone', async () => {
      const client = await register(world.server(), callback.url);
      const page = await fresh();
      await page.goto(client.ask());
      // The browser moves the focus there some time after the page has loaded: what is typed before is lost.
      await page.waitForFunction(() => document.activeElement.name === 'password');
      await page.keyboard.type(PASSWORD);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Allow' }).waitFor();
      const focused = () => page.evaluate(() => document.activeElement.name + document.activeElement.value);
      const order = [];
      for (let presses = 0; presses < 3; presses++) {
        await page.keyboard.press('Tab');
        order.push(await focused());
        if (order.at(-1) === 'scope:notes:writeon') await page.keyboard.press('Space');
      }
      assert.deepEqual(order, ['scope:notes:readon', 'scope:notes:writeon', 'actionallow']);
      await Promise.all([page.waitForURL((url) => url.href.startsWith(callback.url)), page.keyboard.press('Enter')]);
      const granted = await client.redeem(new URL(page.url()).searchParams.get('code'));
      assert.equal(granted.scope, 'notes:read');
      await context.close();
    });

    it('they fit phones and desktops, in the light and in the dark', async () => {
      mkdirSync(OUT, { recursive: true });
      const name = 'A client with a rather long name that goes on and on';
      const client = await register(world.server(), callback.url, name);
      for (const [size, viewport] of [['phone', { width: 360, height: 740 }], ['desktop', { width: 1280, height: 800 }]]) {
        for (const colorScheme of ['light', 'dark']) {
          const page = await fresh({ viewport, colorScheme });
          const blocked = [];
          page.on('console', (message) => message.type() === 'error' && blocked.push(message.text()));
          const shoot = async (what) => {
            const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(wide <= 0, `${what} is ${wide} px wider than a ${size}`);
            await page.screenshot({ path: path.join(OUT, `${what}-${size}-${colorScheme}.png`), fullPage: true });
          };
          await page.goto(client.ask());
          await shoot('sign-in');
          await page.getByLabel('Password').fill('a wrong password');
          await page.getByRole('button', { name: 'Sign in' }).click();
          await page.getByRole('alert').waitFor();
          await shoot('wrong-password');
          await page.getByLabel('Password').fill(PASSWORD);
          await page.getByRole('button', { name: 'Sign in' }).click();
          await page.getByRole('button', { name: 'Allow' }).waitFor();
          await shoot('consent');
          await page.goto(client.ask({ redirect_uri: 'https://evil.example.com/' }));
          await shoot('refused');
          await page.goto(`${world.server().url}/sign-out`);
          await shoot('sign-out');
          // Nothing of a page is held up by its own policy. What a browser says of a status is no such thing.
          assert.deepEqual(blocked.filter((text) => !text.startsWith('Failed to load resource')), []);
          await context.close();
        }
      }
    });
  });
}
