// A small reverse proxy on loopback, as a deployment has one in front of an MCP server.
import http from 'node:http';
import { once } from 'node:events';

// RFC 9110, section 7.6.1: these concern one connection and are not passed on.
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

/**
 * Starts a proxy to a port of 127.0.0.1.
 *
 * `mount` is the path under which the server is published; `strip` takes it off before the request is passed on.
 * `headers` replace or add request headers. Everything else goes through untouched, `Host` included, and bodies
 * are piped as they come, so that an event stream stays one.
 */
export async function startProxy({ port = 0, target, mount = '', strip = false, headers = {} }) {
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const path = request.url.split('?', 1)[0];
    if (mount && path !== mount && !path.startsWith(`${mount}/`) && !path.startsWith('/.well-known/')) {
      response.writeHead(404).end();
      return;
    }
    const published = strip && (path === mount || path.startsWith(`${mount}/`));
    const url = published ? request.url.slice(mount.length) || '/' : request.url;
    const onward = http.request({
      host: '127.0.0.1',
      port: target,
      method: request.method,
      path: url,
      agent,
      headers: [...passed(request.rawHeaders, headers), ...Object.entries(headers).flat()],
      setHost: false,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode, passed(answer.rawHeaders));
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    // A client that goes away must be noticed by the server behind.
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address().port;
  return {
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    async close() {
      server.closeAllConnections();
      agent.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

// Name and value take turns in raw headers; a name that comes twice stays twice.
function passed(raw, replaced = {}) {
  return raw.filter((_, index) => {
    const name = raw[index - (index % 2)].toLowerCase();
    return !HOP_BY_HOP.has(name) && !(name in replaced);
  });
}
