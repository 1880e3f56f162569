// What both providers make of `track`: an event for each token that it is about.

/**
 * An event as `POST /v1/events` takes it.
 * @typedef {{id: string, token: string, type: 'exposure', covariate?: number} |
 *   {id: string, token: string, type: 'reward', metric: string, value?: number}} Event
 */

/**
 * What an event is about: the flag, or the token itself where another process evaluated the flag. Without either a reward
 * goes to all flags of the person, each of which takes what its own metric counts. Where the metric is of values, `value` is
 * what this reward was worth, and `id` tells it from others, such as an order's number: what is tracked twice under one id
 * counts once. An exposure may have a `covariate`.
 * @typedef {{flag?: string, token?: string, value?: number, id?: string, covariate?: number}} About
 */

/** The name under which an exposure is tracked. Every other one is that of a metric. */
const EXPOSURE = 'exposure';

/** How many people's tokens are kept. At half a KiB for each flag, it is what a process can spare. */
const PEOPLE_LIMIT = 10_000;

/** The tokens of the last evaluations. */
export class Tokens {
  /** By person and flag; who was asked about last is last. @type {Map<string, Map<string, string>>} */
  #of = new Map();

  /** What remembers evaluations, as the SDKs call it. */
  get hook() {
    return {
      /** @param {{flagKey: string, context: {targetingKey?: string}}} asked @param {{flagMetadata?: object}} answer */
      after: ({ flagKey, context }, { flagMetadata }) =>
        this.#remember(context.targetingKey ?? '', flagKey, Object(flagMetadata).token),
    };
  }

  /** @param {string} person @param {string} flag @param {unknown} token */
  #remember(person, flag, token) {
    const flags = this.#of.get(person) ?? new Map();
    this.#of.delete(person);
    this.#of.set(person, flags);
    // What can't be counted, such as the copy of who does not want to be measured, has no token.
    if (typeof token === 'string') flags.set(flag, token);
    else flags.delete(flag);
    const [first] = this.#of.keys();
    if (this.#of.size > PEOPLE_LIMIT) this.#of.delete(first);
  }

  /**
   * The events of something that a person did.
   * @param {string} name @param {string} [person] @param {About} [about] @returns {Event[]}
   */
  events(name, person = '', { flag, token, ...more } = {}) {
    const flags = this.#of.get(person) ?? new Map();
    if (name === EXPOSURE && !flag && !token && flags.size > 1) {
      throw new Error('track("exposure") after several flags were evaluated: name the one that was shown, {flag: ".."}');
    }
    const tokens = token ? [token] : flag ? [flags.get(flag)] : [...flags.values()];
    return tokens.filter(Boolean).map((token) => event(name, token, more));
  }
}

/**
 * The last 43 letters of a token are its signature: with them an event has the same id, whoever tells of it.
 * What is worth something may happen again, and is another event then.
 * @param {string} name @param {string} token @param {About} about @returns {Event}
 */
function event(name, token, { value, id, covariate }) {
  const signature = token.slice(-43);
  if (name === EXPOSURE) return { id: signature, token, type: 'exposure', covariate };
  const own = id ?? (value === undefined ? '' : crypto.randomUUID());
  return { id: signature + name + own, token, type: 'reward', metric: name, value };
}

/** Where events go, unless it is said: to the gateway that was asked. @param {string} baseUrl */
export function eventsOf(baseUrl) {
  return `${baseUrl.replace(/\/+$/, '')}/v1/events`;
}
