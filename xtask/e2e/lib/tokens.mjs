// Access tokens of an issuer that exists only here (RFC 9068, HS256).
import { createHmac, randomBytes, randomUUID } from 'node:crypto';

export const ISSUER = 'https://issuer.example.com';
export const SECRET = randomBytes(48).toString('base64url');

/** What the example `token` needs to trust these tokens. */
export const TRUST = { JWT_ISSUER: ISSUER, JWT_SECRET: SECRET };

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token for one resource. `claims` replace or, when undefined, remove what is usual; `header` likewise. */
export function mint(audience, claims = {}, { header = {}, secret = SECRET } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const body = {
    iss: ISSUER,
    aud: audience,
    sub: 'alice',
    client_id: 'e2e-client',
    scope: 'demo:read',
    iat: now,
    exp: now + 600,
    jti: randomUUID(),
    ...claims,
  };
  const signed = `${part({ alg: 'HS256', typ: 'at+jwt', ...header })}.${part(body)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** A token that ended ten minutes ago, well beyond any leeway. */
export function expired(audience) {
  const now = Math.floor(Date.now() / 1000);
  return mint(audience, { iat: now - 1200, exp: now - 600 });
}

/** Signed with a key the server does not know. */
export function forged(audience) {
  return mint(audience, {}, { secret: randomBytes(48).toString('base64url') });
}

/** Not signed at all. */
export function unsigned(audience) {
  const [, body] = mint(audience).split('.');
  return `${part({ alg: 'none', typ: 'at+jwt' })}.${body}.`;
}
