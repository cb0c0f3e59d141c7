// The example servers: started on a free port, taken down at the end.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import readline from 'node:readline';

/** Where cargo puts programs. */
export const BINARIES = process.env.E2E_BIN_DIR ?? fileURLToPath(new URL('../../../target/debug', import.meta.url));
const PATIENCE_MS = 30_000;

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** A port of 127.0.0.1 that nobody uses now. */
export async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** What no test takes over from whoever started it. */
const CLEAN = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(MCP_|JWT_|CONFORMANCE_|OWNER_PASSWORD$|STORE$)/.test(name)),
);

/** Starts an example and waits for its line `listening on …`. */
export async function startExample(name, env = {}, port = undefined) {
  const bound = port ?? (await freePort());
  const child = spawn(path.join(BINARIES, name), {
    env: { ...CLEAN, MCP_BIND: `127.0.0.1:${bound}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let said = '';
  const hear = (text) => (said = (said + text).slice(-20_000));
  child.stderr.setEncoding('utf8').on('data', hear);
  await new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${name} ${why}\n${said}`));
    const timer = setTimeout(() => fail('did not say that it listens'), PATIENCE_MS);
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal} before it listened`));
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      hear(`${line}\n`);
      if (!line.startsWith('listening on ')) return;
      clearTimeout(timer);
      resolve();
    });
  }).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    port: bound,
    url: env.MCP_PUBLIC_URL ?? `http://127.0.0.1:${bound}`,
    /** What it printed, for messages of failing tests. */
    log: () => said,
    async stop() {
      running.delete(child);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
