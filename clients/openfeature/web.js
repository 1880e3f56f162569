// OpenFeature in a page: copy by OFREP, and `track` by beacons, which arrive even when the page closes.

import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { Tokens, eventsOf } from './events.js';

/** How long events wait for others, in milliseconds. */
const GATHERED_FOR = 500;

/** Browsers let 64 KiB be under way from a page that closes, and an event is half a KiB, or one with long names. */
const AT_ONCE = 50;

/** @typedef {import('./events.js').Event} Event */

/** OFREP's provider with `track`: `exposure`, or the name of a metric. */
export class BroadsideWebProvider extends OFREPWebProvider {
  metadata = { name: 'Broadside' };
  #tokens = new Tokens();
  #beacons;
  #logger;
  hooks = [this.#tokens.hook];

  /**
   * @param {import('@openfeature/ofrep-web-provider').OFREPWebProviderOptions & {eventsUrl?: string}} options OFREP's,
   *   and where events go: `/v1/events` of `baseUrl`, unless it is said
   * @param {import('@openfeature/web-sdk').Logger} [logger]
   */
  constructor({ eventsUrl, ...options }, logger) {
    // An exposure counts for a day after its decision, and a cache in the page would hold tokens for a month.
    super({ cacheMode: 'disabled', ...options }, logger);
    this.#beacons = new Beacons(eventsUrl ?? eventsOf(options.baseUrl));
    this.#logger = logger ?? console;
  }

  /**
   * Tells the gateway what happened. It never throws: a page goes on without us.
   * @param {string} name @param {{targetingKey?: string}} context @param {import('./events.js').About} [about]
   */
  track(name, context, about) {
    try {
      this.#beacons.put(this.#tokens.events(name, context?.targetingKey, about));
    } catch (error) {
      this.#logger.warn(String(error));
    }
  }

  async onClose() {
    this.#beacons.close();
    await super.onClose?.();
  }
}

/** A queue that is sent after a moment, or when the page closes. */
class Beacons {
  #url;
  /** @type {Event[]} */
  #queue = [];
  /** The ids of exposures that were told. @type {Set<string>} */
  #exposed = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #send = () => this.send();

  /** @param {string} url */
  constructor(url) {
    this.#url = url;
    globalThis.addEventListener?.('pagehide', this.#send);
    globalThis.addEventListener?.('visibilitychange', this.#send);
  }

  /** @param {Event[]} events */
  put(events) {
    // Who does not want to be measured is not; browsers say so to the gateway too, which then gives no token.
    if (Object(globalThis.navigator).globalPrivacyControl) return;
    for (const event of events) this.#queue.push(...this.#withExposure(event));
    this.#timer ??= setTimeout(this.#send, GATHERED_FOR);
  }

  /**
   * Beacons overtake each other, and a reward before its exposure does not count: so the exposure travels along.
   * @param {Event} event @returns {Event[]}
   */
  #withExposure(event) {
    const id = event.token.slice(-43);
    if (event.type === 'exposure') {
      this.#exposed.add(id);
      return [event];
    }
    const isOnItsWay = this.#exposed.has(id) && !this.#queue.some((queued) => queued.id === id);
    return isOnItsWay ? [{ id, token: event.token, type: 'exposure' }, event] : [event];
  }

  send() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#queue.length) {
      // As plain text, since for any other type a browser asks the gateway first, and a page that closes can't wait.
      const body = JSON.stringify({ events: this.#queue.splice(0, AT_ONCE) });
      if (!globalThis.navigator?.sendBeacon?.(this.#url, body)) {
        fetch(this.#url, { method: 'POST', mode: 'no-cors', keepalive: true, body }).catch(() => {});
      }
    }
  }

  close() {
    this.send();
    globalThis.removeEventListener?.('pagehide', this.#send);
    globalThis.removeEventListener?.('visibilitychange', this.#send);
  }
}
