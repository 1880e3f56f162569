// OpenFeature in a server: copy by OFREP, and `track` by requests that are sent again until the ledger has them.

import { setTimeout as pause } from 'node:timers/promises';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { Tokens, eventsOf } from './events.js';

/** How long events wait for others, in milliseconds. */
const GATHERED_FOR = 50;

/** How many events go in one request; the ledger takes a thousand. */
const AT_ONCE = 500;

/** How many events wait while the ledger is away: some ten megabytes. The oldest go first. */
const WAITING_LIMIT = 20_000;

/** The longest pause between two tries, in milliseconds. */
const LONGEST_PAUSE = 30_000;

/** How long a request may take, in milliseconds; the ledger ends one that takes longer. */
const ANSWERED_WITHIN = 30_000;

/** How long the end may take, in milliseconds. */
const END_WITHIN = 5_000;

/** @typedef {import('./events.js').Event & {at: string}} Event */

/** OFREP's provider with `track`: `exposure`, or the name of a metric. */
export class BroadsideProvider extends OFREPProvider {
  metadata = { name: 'Broadside' };
  #tokens = new Tokens();
  #sender;
  #logger;
  hooks = [this.#tokens.hook];

  /**
   * @param {import('@openfeature/ofrep-provider').OFREPProviderOptions & {eventsUrl?: string}} options OFREP's, and where
   *   events go: `/v1/events` of `baseUrl`, unless it is said
   * @param {Pick<Console, 'warn'>} [logger]
   */
  constructor({ eventsUrl, ...options }, logger = console) {
    super(options);
    this.#sender = new Sender(eventsUrl ?? eventsOf(options.baseUrl), () => headersOf(options), logger);
    this.#logger = logger;
  }

  /**
   * Tells the ledger what happened. It never throws and never waits.
   * @param {string} name @param {{targetingKey?: string}} context @param {import('./events.js').About} [about]
   */
  track(name, context, about) {
    try {
      const at = new Date().toISOString();
      this.#sender.put(this.#tokens.events(name, context?.targetingKey, about).map((event) => ({ ...event, at })));
    } catch (error) {
      this.#logger.warn(String(error));
    }
  }

  /** Sends what waits, five seconds at most. */
  async onClose() {
    await this.#sender.close();
  }
}

/**
 * The headers of OFREP's own requests: a key that opens decisions opens events.
 * @param {import('@openfeature/ofrep-provider').OFREPProviderOptions} options
 */
async function headersOf({ headers, headersFactory }) {
  const lists = [headers ?? [], (await headersFactory?.()) ?? []];
  const all = new Headers(lists.flatMap((list) => (Array.isArray(list) ? list : Object.entries(list))));
  all.set('Content-Type', 'application/json');
  return all;
}

/** A queue that is sent in its order, each part until the ledger has it. */
class Sender {
  #url;
  #headers;
  #logger;
  /** @type {Event[]} */
  #queue = [];
  /** @type {Promise<void> | undefined} */
  #running;
  #ended = new AbortController();

  /** @param {string} url @param {() => Promise<Headers>} headers @param {Pick<Console, 'warn'>} logger */
  constructor(url, headers, logger) {
    this.#url = url;
    this.#headers = headers;
    this.#logger = logger;
  }

  /** @param {Event[]} events */
  put(events) {
    this.#queue.push(...events);
    const over = this.#queue.length - WAITING_LIMIT;
    if (over > 0) this.#queue.splice(0, over);
    this.#running ??= this.#run();
  }

  async close() {
    const end = setTimeout(() => this.#ended.abort(), END_WITHIN);
    await this.#running;
    clearTimeout(end);
  }

  async #run() {
    await pause(GATHERED_FOR);
    let tries = 0;
    while (this.#queue.length && !this.#ended.signal.aborted) {
      const batch = this.#queue.splice(0, AT_ONCE);
      if (await this.#isTaken(batch)) {
        tries = 0;
      } else {
        this.#queue.unshift(...batch);
        await this.#rest(tries++);
      }
    }
    this.#running = undefined;
  }

  /**
   * With a chance in it, so that servers that failed together do not come back together.
   * @param {number} tries
   */
  async #rest(tries) {
    const longest = Math.min(LONGEST_PAUSE, 500 * 2 ** tries);
    const rested = pause(longest * (0.5 + Math.random() / 2), undefined, { signal: this.#ended.signal, ref: false });
    await rested.catch(() => {});
  }

  /** Whether the ledger has them, or never will. @param {Event[]} events */
  async #isTaken(events) {
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(ANSWERED_WITHIN)]);
    const send = async () =>
      fetch(this.#url, { method: 'POST', headers: await this.#headers(), body: JSON.stringify({ events }), signal });
    const answer = await send().catch(() => undefined);
    if (!answer || [408, 429].includes(answer.status) || answer.status >= 500) return false;
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) this.#logger.warn(`events were refused: ${said.message ?? answer.status}`);
    for (const { outcome, message } of said.outcomes ?? []) {
      if (outcome === 'invalid') this.#logger.warn(`an event was refused: ${message}`);
    }
    return true;
  }
}
