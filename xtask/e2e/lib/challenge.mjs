// What a refusal must look like for real clients to find their way.
import assert from 'node:assert/strict';
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/client';

/** The official client's own reading of a challenge. */
export function read(challenge) {
  return extractWWWAuthenticateParams(new Response(null, { status: 401, headers: { 'www-authenticate': challenge } }));
}

/**
 * Asserts status and, where the client shows headers, the challenge.
 * `error` null means that none may be named.
 */
export function assertRefused(answer, { status, error, scope, metadata }) {
  assert.ok(answer.refused, `the call was let through: ${JSON.stringify(answer)}`);
  assert.equal(answer.refused.status, status);
  const { challenge } = answer.refused;
  if (challenge === undefined) return;
  assert.match(challenge, /^Bearer /, 'Bearer comes first');
  const read1 = read(challenge);
  assert.equal(read1.resourceMetadataUrl?.href, metadata);
  if (error === null) assert.doesNotMatch(challenge, /error=/);
  else assert.equal(read1.error, error);
  if (scope !== undefined) assert.equal(read1.scope, scope);
}
