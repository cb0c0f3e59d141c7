// The official clients, as programs with an owner at a browser use them: `connect` signs in if it must.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import * as v2 from '@modelcontextprotocol/client';
import { UnauthorizedError as UnauthorizedV1 } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const NAME = { name: 'e2e', version: '1.0.0' };

const V1 = {
  Unauthorized: UnauthorizedV1,
  newClient: () => new ClientV1(NAME),
  Streamable: StreamableV1,
  Sse: SseV1,
  finish: (wire, callback) => wire.finishAuth(callback.searchParams.get('code')),
};
const V2 = {
  Unauthorized: v2.UnauthorizedError,
  Streamable: v2.StreamableHTTPClientTransport,
  Sse: v2.SSEClientTransport,
  finish: (wire, callback) => wire.finishAuth(callback.searchParams),
  // The older library refreshes instead, whose answer cannot hold more, and then gives up.
  stepsUp: true,
};

export const libraries = [
  { name: '@modelcontextprotocol/sdk', endpoints: ['/mcp', '/sse'], ...V1 },
  { name: '@modelcontextprotocol/client', endpoints: ['/mcp', '/sse'], ...V2, newClient: () => new v2.Client(NAME) },
  {
    name: '@modelcontextprotocol/client 2026-07-28',
    endpoints: ['/mcp'],
    ...V2,
    newClient: () => new v2.Client(NAME, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
  },
];

export const pairs = libraries.flatMap((library) => library.endpoints.map((endpoint) => ({ library, endpoint })));

/** What a program remembers of one server: who it is there, its tokens, and where it has to send its user. */
export class Memory {
  constructor(redirectUrl, { name, clientMetadataUrl }) {
    this.redirectUrl = redirectUrl;
    this.clientMetadataUrl = clientMetadataUrl;
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() {
    return (this.sent = randomUUID());
  }

  clientInformation() {
    return this.client;
  }

  saveClientInformation(client) {
    this.client = client;
  }

  tokens() {
    return this.saved;
  }

  saveTokens(tokens) {
    this.saved = tokens;
  }

  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }

  codeVerifier() {
    return this.verifier;
  }

  saveDiscoveryState(state) {
    this.discovered = state;
  }

  discoveryState() {
    return this.discovered;
  }

  redirectToAuthorization(url) {
    this.asked = url;
  }

  invalidateCredentials(what) {
    if (what === 'all' || what === 'tokens') this.saved = undefined;
    if (what === 'all' || what === 'client') this.client = undefined;
  }
}

/**
 * Connects, and runs `use(client)`. Where the server wants somebody to sign in, at whatever step, `signIn(address)` does
 * so and gives the address that the browser came back by; then all of it is done once more.
 */
export async function connect(library, url, memory, signIn, use) {
  const Transport = new URL(url).pathname.endsWith('/sse') ? library.Sse : library.Streamable;
  for (let tries = 0; ; tries++) {
    const client = library.newClient();
    const wire = new Transport(new URL(url), { authProvider: memory });
    memory.asked = undefined;
    try {
      await client.connect(wire);
      return await use(client);
    } catch (error) {
      if (!memory.asked || tries > 2) throw error;
      const callback = await signIn(memory.asked);
      assert.equal(callback.searchParams.get('state'), memory.sent, 'the state comes back');
      await library.finish(wire, callback);
    } finally {
      await client.close();
    }
  }
}

/** Calls a tool and gives its text. */
export async function call(client, tool, args = {}) {
  const result = await client.callTool({ name: tool, arguments: args });
  return (result.content ?? []).map((block) => block.text ?? '').join('\n');
}

/** The names of the tools that a client is shown. */
export async function toolsOf(client) {
  return (await client.listTools()).tools.map((tool) => tool.name);
}
