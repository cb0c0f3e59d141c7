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

/** A request of 2026-07-28: what the body says, and headers that say the same. */
export function modern(method, params = {}) {
  const version = '2026-07-28';
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'e2e', version: '1' },
  };
  return {
    headers: {
      'mcp-protocol-version': version,
      'mcp-method': method,
      ...(params.name ? { 'mcp-name': params.name } : {}),
    },
    body: { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } },
  };
}

export const modernCall = (tool) => modern('tools/call', { name: tool, arguments: {} });

/** The answer to a request, whether it came as JSON or as the last event of a stream. */
export async function answerIn(response) {
  const text = await response.text();
  if (response.headers.get('content-type').startsWith('application/json')) return JSON.parse(text);
  const data = text.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim());
  return JSON.parse(data.filter(Boolean).at(-1));
}

export const bearer = (token) => ({ authorization: `Bearer ${token}` });
