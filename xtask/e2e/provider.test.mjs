// The example `provider`: official clients and a real browser, from the first request to the tool. One browser for all of it.
import { after, before, describe } from 'node:test';

import { launch, skip } from './lib/chromium.mjs';
import documents from './provider/documents.mjs';
import pages from './provider/pages.mjs';
import rustClient from './provider/rust-client.mjs';
import signIn from './provider/sign-in.mjs';
import { startProvider } from './provider/world.mjs';

describe('provider', { skip }, () => {
  let browser;
  let server;
  let context;
  before(async () => {
    [browser, server] = await Promise.all([launch(), startProvider()]);
    context = await browser.newContext();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** A window of the owner's browser, which stays signed in from one test to the next. */
  const world = { server: () => server, browser: () => browser, page: () => context.newPage() };
  signIn(world);
  pages(world);
  documents(world);
  rustClient(world);
});
