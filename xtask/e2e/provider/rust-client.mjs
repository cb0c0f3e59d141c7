// The official Rust SDK's client, as a program of its own: it prints the addresses that its user has to open.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import readline from 'node:readline';
import { describe, it } from 'node:test';

import { BINARIES } from '../lib/example.mjs';
import { answer } from './world.mjs';

export default function (world) {
  describe('rmcp', () => {
    // covers: AUTH-24
    it('signs in, steps up and refreshes', async () => {
      const page = await world.page();
      const child = spawn(path.join(BINARIES, 'examples/rmcp_client'), [`${world.server().url}/mcp`], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let errors = '';
      child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
      const lines = [];
      const opened = [];
      for await (const line of readline.createInterface({ input: child.stdout })) {
        lines.push(line);
        if (!line.startsWith('open ')) continue;
        const address = new URL(line.slice('open '.length));
        opened.push(address.searchParams.get('scope'));
        await answer(page, address, { until: address.searchParams.get('redirect_uri') });
      }
      if (child.exitCode === null) await once(child, 'exit');
      assert.equal(child.exitCode, 0, `${lines.join('\n')}\n${errors}`);
      const said = (what) => lines.find((line) => line.startsWith(`${what}: `)) ?? '';
      assert.match(said('whoami'), /Owner .*: notes:read$/);
      assert.match(said('add_note'), /That is note \d+/);
      assert.match(said('refreshed'), /notes:read notes:write$/);
      assert.equal(opened.length, 2);
      await page.close();
    });
  });
}
