// Evaluates a flag for two people with OpenFeature's SDK for servers and tracks what they do, once with the gateway and
// once with a ledger that is away at first. Prints a line of JSON for each.
//
// usage: server.mjs GATEWAY

import { createServer } from 'node:http';
import { OpenFeature } from '@openfeature/server-sdk';
import { BroadsideProvider } from './server.js';

const [baseUrl] = process.argv.slice(2);
const flag = 'shop.cart-and-hero.hero';
const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((targetingKey) => ({ targetingKey }));

async function clientOf(options) {
  await OpenFeature.setProviderAndWait(new BroadsideProvider({ baseUrl, ...options }));
  return OpenFeature.getClient();
}

let client = await clientOf({});
const evaluated = await client.getObjectDetails(flag, { headline: 'Our own headline' }, alice);
const { token } = (await client.getObjectDetails(flag, {}, bob)).flagMetadata;
client.track('exposure', alice, { flag });
client.track('product-view', alice);
client.track('exposure', alice);
client.track('exposure', carol, { flag });
client.track('exposure', {}, { token });
await OpenFeature.close();
console.log(JSON.stringify(evaluated));

const bodies = [];
const ledger = createServer(async (request, response) => {
  bodies.push([request.headers.authorization, await new Response(request).json()]);
  response.writeHead(bodies.length > 1 ? 202 : 503).end('{}');
});
await new Promise((listening) => ledger.listen(0, '127.0.0.1', listening));
client = await clientOf({
  eventsUrl: `http://127.0.0.1:${ledger.address().port}/events`,
  headersFactory: async () => [['Authorization', 'Bearer of shop']],
});
client.track('product-view', {}, { token, value: 1, id: 'order-7' });
await OpenFeature.close();
ledger.close();
console.log(JSON.stringify(bodies));
