// Messages written by hand, for what no well-behaved client sends.

export const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } },
};

const POST = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** Posts a body; a string goes as it is. */
export function post(url, body, headers = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(url, { method: 'POST', headers: { ...POST, ...headers }, body: text });
}

/** A call of 2026-07-28: what the body says, and headers that say the same. */
export function modernCall(tool) {
  const version = '2026-07-28';
  return {
    headers: { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': tool },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: tool,
        arguments: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': version,
          'io.modelcontextprotocol/clientCapabilities': {},
          'io.modelcontextprotocol/clientInfo': { name: 'e2e', version: '1' },
        },
      },
    },
  };
}

export const bearer = (token) => ({ authorization: `Bearer ${token}` });
