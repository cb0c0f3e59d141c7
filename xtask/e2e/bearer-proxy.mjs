// A proxy that adds a bearer token: `BEARER_TOKEN=… node bearer-proxy.mjs FRONT BACK` (two ports of 127.0.0.1).
import { startProxy } from './lib/proxy.mjs';

const [front, back] = process.argv.slice(2).map(Number);
const proxy = await startProxy({ port: front, target: back, headers: { authorization: `Bearer ${process.env.BEARER_TOKEN}` } });
console.log(`listening on ${proxy.url}`);
