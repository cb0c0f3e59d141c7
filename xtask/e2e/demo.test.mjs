// The token example as somebody starts it who has no issuer yet: it must do what it prints.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';

import { pairs } from './lib/clients.mjs';
import { startExample } from './lib/example.mjs';

const run = promisify(execFile);
const hasCurl = await run('curl', ['--version']).then(() => true, () => false);
const skip = !hasCurl && process.env.CI !== 'true' && 'there is no curl';

const server = await startExample('token');
after(() => server.stop());
const printed = server.log();
const [, token] = printed.match(/^TOKEN=(\S+)$/m) ?? [];

describe('token without an issuer', () => {
  it('prints a token that opens every tool on both transports', async () => {
    assert.ok(token, printed);
    for (const { client, endpoint } of pairs.slice(0, 2)) {
      const url = `${server.url}${endpoint}`;
      const answer = await client.call({ url, transport: endpoint, token, tool: 'secret' });
      assert.ok(answer.result && !answer.result.isError, JSON.stringify(answer));
    }
  });

  it('prints commands that work', { skip }, async () => {
    const commands = printed.split('\n\n').filter((block) => block.startsWith('curl '));
    assert.ok(commands.length > 0, printed);
    for (const command of commands) {
      const script = `${command.trim()} --silent --show-error --fail --max-time 20`;
      const { stdout } = await run('sh', ['-c', script], { env: { ...process.env, TOKEN: token } });
      assert.match(stdout, /"result"/, command);
    }
  });
});
