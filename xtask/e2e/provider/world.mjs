// The example `provider`, its owner at a browser, and a place that browsers come back to.
import http from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { freePort, startExample } from '../lib/example.mjs';

export const PASSWORD = 'correct horse battery staple';

/** Starts the example on a database of its own; `restart` kills it and starts it again, on the same port and database. */
export async function startProvider(env = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'provider-'));
  const port = await freePort();
  const settings = { OWNER_PASSWORD: PASSWORD, MCP_DATA: path.join(folder, 'auth.db'), ...env };
  let running = await startExample('provider', settings, port);
  return {
    url: running.url,
    port,
    log: () => running.log(),
    async restart() {
      await running.stop();
      running = await startExample('provider', settings, port);
    },
    async stop() {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A web server of this machine; `answer` gives the answer to a path, most often a page. */
export async function serveHere(answer) {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://here');
    const { status = 200, headers = {}, body = '' } = answer(url) ?? { status: 404 };
    response.writeHead(status, { 'content-type': 'text/html', ...headers }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}`,
    /** The same place by another name: to a browser, another site. */
    alias: `http://localhost:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Where a native client waits for its code. */
export async function startCallback() {
  const server = await serveHere((url) => url.pathname === '/callback' && { body: '<!doctype html><title>done</title>Done.' });
  return { ...server, url: `${server.url}/callback` };
}

/**
 * The owner: opens an address, signs in if asked, and answers the consent page.
 *
 * `untick` names scopes to leave out, `action` the button to press. `at` is called before each step with its name:
 * `sign-in`, `consent`, and `callback` when the browser has come back to the client. Gives the address it came back by.
 */
export async function answer(page, address, { until, untick = [], action = 'allow', at = () => {} }) {
  await page.goto(String(address));
  return goOn(page, { until, untick, action, at });
}

/** As `answer`, from wherever the page is. */
export async function goOn(page, { until, untick = [], action = 'allow', at = () => {} }) {
  for (let steps = 0; steps < 6; steps++) {
    if (page.url().startsWith(until)) {
      await at('callback');
      return new URL(page.url());
    }
    const password = page.getByLabel('Password');
    if (await password.count()) {
      await at('sign-in');
      await password.fill(PASSWORD);
      await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Sign in' }).click()]);
      continue;
    }
    const allow = page.getByRole('button', { name: 'Allow' });
    if (!(await allow.count())) throw new Error(`a page that nobody expects at ${page.url()}: ${await page.innerText('body')}`);
    await at('consent');
    for (const scope of untick) await page.locator(`input[name="scope:${scope}"]`).uncheck();
    const button = action === 'allow' ? allow : page.getByRole('button', { name: 'Deny' });
    await Promise.all([page.waitForEvent('load'), button.click()]);
  }
  throw new Error(`the browser does not come back; it is at ${page.url()}`);
}
