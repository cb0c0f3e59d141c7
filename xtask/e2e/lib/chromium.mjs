// The browser of the end-to-end tests. Whoever needs one shares it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = BROWSERS.find(existsSync);
// Offline machines refuse what a browser asks of its maker, many times over.
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];
QUIET.push('--disable-background-networking', '--disable-component-update');
// Names that only this browser knows. Pages of localhost would not do: they are welcome at a server on localhost.
QUIET.push('--host-resolver-rules=MAP *.example.com 127.0.0.1');

/** Why tests with a browser are skipped, or false. In CI they fail instead. */
export const skip = !executablePath && process.env.CI !== 'true' && 'there is no Chromium';

export function launch() {
  assert.ok(executablePath, 'there is no Chromium');
  return chromium.launch({ executablePath, args: QUIET });
}
