// Clients that are known by a document of their own instead of a registration (Client ID Metadata Documents).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Memory, call, connect, libraries } from './clients.mjs';
import { answer, startCallback, startProvider } from './world.mjs';

const LONG = process.env.E2E_LONG === 'true';

/** A certificate for 127.0.0.1 that nobody trusts but who is told to, and its key; undefined where there is no openssl. */
function certificate(folder) {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  // It is trusted itself, but only as what it is: rustls takes no authority for a server.
  request.push('-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'subjectAltName=IP:127.0.0.1');
  request.push('-subj', '/CN=e2e', '-keyout', key, '-out', cert);
  try {
    execFileSync('openssl', request, { stdio: 'pipe' });
  } catch (error) {
    if (error.code === 'ENOENT' && process.env.CI !== 'true') return undefined;
    throw error;
  }
  return { file: cert, key: readFileSync(key), cert: readFileSync(cert) };
}

/** A host of documents, and how often each was asked for. */
async function startHost(folder) {
  const identity = certificate(folder);
  if (!identity) return undefined;
  const documents = new Map();
  const asked = [];
  const server = https.createServer(identity, (request, response) => {
    asked.push(request.url);
    const document = documents.get(request.url);
    if (!document) return response.writeHead(404).end();
    const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=300' };
    return response.writeHead(200, headers).end(JSON.stringify(document));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${server.address().port}`;
  return {
    trust: identity.file,
    asked,
    /** Publishes a document and gives its address: the client's identifier. */
    publish(at, document) {
      documents.set(at, { client_id: `${url}${at}`, ...document });
      return `${url}${at}`;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export default function (world) {
  describe('clients known by a document', () => {
    let folder;
    let host;
    let server;
    let callback;
    let page;
    before(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'documents-'));
      host = await startHost(folder);
      if (!host) return;
      callback = await startCallback();
      server = await startProvider({ MCP_DANGEROUS_ALLOW_LOOPBACK_FETCH: '1', SSL_CERT_FILE: host.trust });
      page = await (await world.browser().newContext()).newPage();
    });
    after(async () => {
      await page?.context().close();
      await server?.stop();
      callback?.close();
      host?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const signIn = (address) => answer(page, address, { until: callback.url });

    for (const library of libraries) {
      for (const endpoint of LONG ? library.endpoints : library.endpoints.slice(-1)) {
        // covers: AUTH-52, AUTH-76
        it(`${library.name} over ${endpoint} needs no registration`, async (test) => {
          if (!host) return test.skip('there is no openssl');
          const at = `/${encodeURIComponent(library.name)}${endpoint}.json`;
          const memory = new Memory(callback.url, { name: 'By document' });
          memory.clientMetadataUrl = host.publish(at, memory.clientMetadata);
          const url = `${server.url}${endpoint}`;
          const text = await connect(library, url, memory, signIn, (client) => call(client, 'whoami'));
          assert.ok(text.includes(memory.clientMetadataUrl), text);
          assert.equal(memory.client.client_id, memory.clientMetadataUrl);
          assert.equal(host.asked.filter((asked) => asked === at).length, 1, 'fetched once, then remembered');
          // The server forgets what it fetched when it ends, and the client notices nothing.
          await server.restart();
          const old = memory.saved;
          memory.saved = { ...old, access_token: `${old.access_token.slice(0, -4)}AAAA` };
          const never = () => assert.fail('nobody should have to sign in');
          await connect(library, url, memory, never, (client) => call(client, 'whoami'));
          assert.notEqual(memory.saved.refresh_token, old.refresh_token);
          return undefined;
        });
      }
    }

    it('the consent page says where the document is', async (test) => {
      if (!host) return test.skip('there is no openssl');
      const memory = new Memory(callback.url, { name: 'Shown' });
      memory.clientMetadataUrl = host.publish('/shown.json', memory.clientMetadata);
      let text;
      const look = async (address) => {
        await page.goto(String(address));
        text = await page.getByRole('main').innerText();
        return signIn(address);
      };
      await connect(libraries[1], `${server.url}/mcp`, memory, look, (client) => call(client, 'whoami'));
      assert.match(text, /Shown asks for access/);
      assert.match(text, /It is described at 127\.0\.0\.1/);
      return undefined;
    });

    it('a document that says otherwise than its address leads nowhere', async (test) => {
      if (!host) return test.skip('there is no openssl');
      const memory = new Memory(callback.url, { name: 'Wrong' });
      memory.clientMetadataUrl = host.publish('/wrong.json', { ...memory.clientMetadata, client_id: 'https://other.example.com/' });
      let refused;
      const look = async (address) => {
        refused = await page.goto(String(address));
        throw new Error('no way back');
      };
      await assert.rejects(
        connect(libraries[1], `${server.url}/mcp`, memory, look, (client) => call(client, 'whoami')),
        /no way back/,
      );
      assert.equal(refused.status(), 400);
      assert.ok(page.url().startsWith(server.url), 'the browser stays here');
      return undefined;
    });
  });
}
