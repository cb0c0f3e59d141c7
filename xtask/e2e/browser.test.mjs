// A web page on another origin, in a real browser: what it may send, and what it may read. At the example that asks for
// tokens, and at the open one, which nothing else protects from the pages of strangers.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import http from 'node:http';
import { once } from 'node:events';

import { launch, skip } from './lib/chromium.mjs';
import { freePort, startExample } from './lib/example.mjs';
import { TRUST, mint } from './lib/tokens.mjs';
import { INITIALIZE, bearer, post } from './lib/wire.mjs';

/** An empty page on an origin of its own. */
async function servePage(host) {
  const site = http.createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>');
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  return { origin: `http://${host}:${site.address().port}`, close: () => site.close() };
}

describe('a page on another origin', { skip }, () => {
  let browser;
  let friend;
  let stranger;
  let server;
  let open;
  let trusted;
  let untrusted;

  before(async () => {
    friend = await servePage('app.example.com');
    stranger = await servePage('foreign.example.com');
    const port = await freePort();
    server = await startExample('token', { ...TRUST, MCP_ALLOW_ORIGINS: friend.origin }, port);
    open = await startExample('no-auth', { MCP_ALLOW_ORIGINS: friend.origin });
    browser = await launch();
    [trusted, untrusted] = await Promise.all([friend, stranger].map(async ({ origin }) => {
      const page = await browser.newPage();
      await page.goto(origin);
      return page;
    }));
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    await open?.stop();
    friend?.close();
    stranger?.close();
  });

  /** Runs `fetch` in the page and shows what its script can see. */
  const request = (page, path, init) => requestAt(server, page, path, init);
  const requestAt = ({ url }, page, path, { method = 'GET', headers = {}, body } = {}) =>
    page.evaluate(
      async ([url, init]) => {
        try {
          const answer = await fetch(url, init);
          const headers = Object.fromEntries(answer.headers);
          return { status: answer.status, headers, text: await answer.text() };
        } catch (error) {
          return { blocked: String(error) };
        }
      },
      [`${url}${path}`, { method, headers, body: body && JSON.stringify(body) }],
    );

  const posted = (token) => ({
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: INITIALIZE,
  });

  it('opens a session with its token, and reads the session id', async () => {
    const answer = await request(trusted, '/mcp', posted(mint(`${server.url}/mcp`)));
    assert.equal(answer.status, 200, JSON.stringify(answer));
    assert.ok(answer.headers['mcp-session-id'], JSON.stringify(answer.headers));
  });

  it('reads the challenge that says where to sign in', async () => {
    const answer = await request(trusted, '/mcp', posted());
    assert.equal(answer.status, 401, JSON.stringify(answer));
    assert.match(answer.headers['www-authenticate'], /^Bearer .*resource_metadata="/);
  });

  // covers: AUTH-45
  it('reads the metadata, with the header its SDK adds', async () => {
    const path = '/.well-known/oauth-protected-resource/mcp';
    const answer = await request(trusted, path, { headers: { 'mcp-protocol-version': '2025-11-25' } });
    assert.equal(answer.status, 200, JSON.stringify(answer));
    assert.equal(JSON.parse(answer.text).resource, `${server.url}/mcp`);
  });

  it('speaks over /sse', async () => {
    const token = mint(`${server.url}/sse`);
    const answer = await trusted.evaluate(
      async ([url, token, message]) => {
        const authorization = `Bearer ${token}`;
        const stream = await fetch(url, { headers: { authorization, accept: 'text/event-stream' } });
        const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
        let seen = '';
        const until = async (pattern) => {
          for (;;) {
            const found = seen.match(pattern);
            if (found) return found;
            const { value, done } = await reader.read();
            if (done) throw new Error(`the stream ended: ${seen}`);
            seen += value;
          }
        };
        const [, endpoint] = await until(/event: ?endpoint\r?\ndata: ?(.*)\r?\n/);
        const headers = { authorization, 'content-type': 'application/json' };
        const accepted = await fetch(new URL(endpoint, url), { method: 'POST', headers, body: JSON.stringify(message) });
        const [, data] = await until(/event: ?message\r?\ndata: ?(.*)\r?\n/);
        await reader.cancel();
        return { status: accepted.status, message: JSON.parse(data) };
      },
      [`${server.url}/sse`, token, INITIALIZE],
    );
    assert.equal(answer.status, 202);
    assert.equal(answer.message.id, 1);
    assert.ok(answer.message.result.serverInfo);
  });

  // covers: TR-04, SSE-03
  it('is turned away when its origin is not allowed', async () => {
    for (const [path, init] of [
      ['/mcp', posted(mint(`${server.url}/mcp`))],
      ['/sse', { headers: { authorization: `Bearer ${mint(`${server.url}/sse`)}` } }],
    ]) {
      const answer = await request(untrusted, path, init);
      assert.ok(answer.blocked, `${path}: ${JSON.stringify(answer)}`);
    }
    const headers = { ...bearer(mint(`${server.url}/mcp`)), origin: stranger.origin };
    const direct = await post(`${server.url}/mcp`, INITIALIZE, headers);
    assert.equal(direct.status, 403);
  });

  it('calls the open server if it is allowed to', async () => {
    const answer = await requestAt(open, trusted, '/mcp', posted());
    assert.equal(answer.status, 200, JSON.stringify(answer));
    assert.ok(answer.headers['mcp-session-id'], JSON.stringify(answer.headers));
  });

  // covers: TR-04, SSE-03
  it('is turned away by the open server otherwise', async () => {
    for (const [path, init] of [['/mcp', posted()], ['/sse', {}]]) {
      const answer = await requestAt(open, untrusted, path, init);
      assert.ok(answer.blocked, `${path}: ${JSON.stringify(answer)}`);
    }
    const direct = await post(`${open.url}/mcp`, INITIALIZE, { origin: stranger.origin });
    assert.equal(direct.status, 403);
  });

  // covers: TR-05, SEC-06
  it('gains nothing by a name of its own for the open server', async () => {
    // As after DNS rebinding: to the browser, this page and the server are one origin.
    const rebound = `http://rebound.example.com:${open.port}`;
    const page = await browser.newPage();
    await page.goto(`${rebound}/healthz`);
    for (const [path, init] of [['/mcp', posted()], ['/sse', {}]]) {
      const answer = await requestAt({ url: rebound }, page, path, init);
      assert.equal(answer.status, 421, `${path}: ${JSON.stringify(answer)}`);
    }
    await page.close();
  });
});
