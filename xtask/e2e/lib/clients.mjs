// Clients that nobody here wrote, behind one form: `client.call({ url, transport, token, tool, args })` answers
// `{ text, result }` when the tool was called, `{ refused }` when the server did not let it, and `{ hidden }` when the
// client did not even try because the server does not list the tool.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import * as v2 from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const NAME = { name: 'e2e', version: '1.0.0' };
const BOTH = ['/mcp', '/sse'];

/** Fetches, and keeps the last answer that refused. */
function watchedFetch(seen) {
  return async (url, init) => {
    const response = await fetch(url, init);
    if (response.status === 401 || response.status === 403) {
      seen.refused = { status: response.status, challenge: response.headers.get('www-authenticate') };
    }
    return response;
  };
}

function library(name, endpoints, { newClient, Streamable, Sse }) {
  return {
    name,
    endpoints,
    async call({ url, transport, token, tool, args = {} }) {
      const seen = {};
      const options = {
        fetch: watchedFetch(seen),
        requestInit: token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } },
      };
      const client = newClient();
      const wire = new (transport === '/sse' ? Sse : Streamable)(new URL(url), options);
      try {
        await client.connect(wire);
        const { tools } = await client.listTools();
        const result = await client.callTool({ name: tool, arguments: args });
        return { tools: tools.map((offered) => offered.name), result, text: textOf(result), session: wire.sessionId };
      } catch (error) {
        if (seen.refused) return { refused: seen.refused };
        throw error;
      } finally {
        await client.close();
      }
    },
  };
}

const INSPECTOR = fileURLToPath(
  new URL('../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', import.meta.url),
);

// A process of its own each time: more than a few at once only wait for each other, up to its time limit.
const turns = [Promise.resolve(), Promise.resolve(), Promise.resolve()];
let next = 0;

function inTurn(task) {
  const turn = next++ % turns.length;
  const done = turns[turn].then(task);
  turns[turn] = done.catch(() => {});
  return done;
}

function inspector(name, endpoints, era) {
  const run = async ({ url, transport, token, rest }) => {
    // It keeps a catalogue and sign-ins in the home folder; neither may leak from one run into the next.
    const home = mkdtempSync(path.join(tmpdir(), 'inspector-'));
    const flags = ['--cli', url, '--transport', transport === '/sse' ? 'sse' : 'http', '--protocol-era', era];
    flags.push('--stored-auth-only', '--format', 'json', '--quiet', ...rest);
    if (token !== undefined) flags.push('--header', `Authorization: Bearer ${token}`);
    try {
      return await new Promise((resolve) => {
        const settings = { env: { ...process.env, HOME: home }, timeout: 60_000 };
        execFile(process.execPath, [INSPECTOR, ...flags], settings, (error, stdout, stderr) =>
          resolve({ code: error ? error.code : 0, stdout, stderr }),
        );
      });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  };
  return {
    name,
    endpoints,
    async call({ url, transport, token, tool, args = {} }) {
      const rest = ['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args)];
      const { code, stdout, stderr } = await inTurn(() => run({ url, transport, token, rest }));
      if (code === 0) {
        const { result } = JSON.parse(stdout);
        return { result, text: textOf(result) };
      }
      const told = outcomeIn(stderr);
      if (told) return told;
      throw new Error(`the Inspector ended with ${code}: ${stderr}${stdout}`);
    },
  };
}

// It prints one JSON object with a code of its own. There is no header to look at.
function outcomeIn(stderr) {
  const line = stderr.split('\n').find((text) => text.startsWith('{"error"'));
  if (!line) return undefined;
  const { code, message } = JSON.parse(line).error;
  if (code === 'auth_required') return { refused: { status: 401 } };
  if (code === 'tool_not_found') return { hidden: message };
  return undefined;
}

function textOf(result) {
  return (result?.content ?? []).map((block) => block.text ?? '').join('\n');
}

const V1 = { newClient: () => new ClientV1(NAME), Streamable: StreamableV1, Sse: SseV1 };
const V2 = { Streamable: v2.StreamableHTTPClientTransport, Sse: v2.SSEClientTransport };

export const clients = [
  library('@modelcontextprotocol/sdk', BOTH, V1),
  library('@modelcontextprotocol/client', BOTH, { ...V2, newClient: () => new v2.Client(NAME) }),
  library('@modelcontextprotocol/client 2026-07-28', ['/mcp'], {
    ...V2,
    newClient: () => new v2.Client(NAME, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
  }),
  inspector('inspector', BOTH, 'legacy'),
  inspector('inspector 2026-07-28', ['/mcp'], 'modern'),
];

/** Every client with every endpoint it can speak to. */
export const pairs = clients.flatMap((client) => client.endpoints.map((endpoint) => ({ client, endpoint })));
