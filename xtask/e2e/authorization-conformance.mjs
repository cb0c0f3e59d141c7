// Runs the authorization mode of the official conformance suite against the example `provider` at a URL, with its owner at a
// browser: `authorization-conformance.mjs URL PORT RESULTS`. The suite waits at PORT for the browser to come back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import readline from 'node:readline';

import { launch, skip } from './lib/chromium.mjs';
import { answer } from './provider/world.mjs';

const SUITE = fileURLToPath(new URL('node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url));

if (skip) {
  console.error(skip);
  process.exit(3);
}
const [issuer, port, results] = process.argv.slice(2);
const callback = `http://127.0.0.1:${port}/callback`;

const registration = await fetch(`${issuer}/register`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    client_name: 'Conformance suite',
    redirect_uris: [callback],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  }),
});
const { client_id: clientId } = await registration.json();

const browser = await launch();
const page = await browser.newPage();
const suite = spawn(
  process.execPath,
  [SUITE, 'authorization', '--url', issuer, '--client-id', clientId, '--resource', `${issuer}/mcp`, '--port', port, '--output-dir', results],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
readline.createInterface({ input: suite.stdout }).on('line', (line) => {
  console.log(line);
  // It prints the address its user is to open, on a line of its own.
  if (line.startsWith(`${issuer}/authorize?`)) {
    answer(page, line, { until: callback }).catch((error) => {
      console.error(error);
      suite.kill();
    });
  }
});
const [code] = await once(suite, 'exit');
await browser.close();
// That something failed is in the results.
process.exitCode = code === null ? 1 : 0;
