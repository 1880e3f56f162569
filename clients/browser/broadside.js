// Tells the gateway what people really saw of copy, and what they did. README.md in the folder above says how to use it.
// Pages load broadside.min.js, which `make generate` writes from this file.
(() => {
  if (window.broadside) return;

  const queue = [];
  const told = new Set();
  let timer;
  let token;

  // Whatever is odd about a page or a browser, the page goes on without us.
  const safely = (run) => (...given) => {
    try {
      run(...given);
    } catch {}
  };

  const send = safely(() => {
    clearTimeout(timer);
    timer = 0;
    while (queue[0]) {
      // Browsers let 64 KiB be under way from a page that closes, and an event is half a KiB, or one with long names.
      const body = JSON.stringify({ events: queue.splice(0, 50) });
      // As plain text, since for any other type a browser asks the gateway first, and a page that closes can't wait.
      if (!navigator.sendBeacon?.(api.events, body)) {
        fetch(api.events, { method: 'POST', mode: 'no-cors', keepalive: true, body }).catch(() => {});
      }
    }
  });

  const put = (token, type, metric) => {
    queue.push({ id: id(token, metric), token, type, metric });
    timer ||= setTimeout(send, 500);
  };

  // The last 43 letters of a token are its signature. So ids stay the same over a reload, and nothing is stored for it.
  const id = (token, metric = '') => token.slice(-43) + metric;

  const isNews = (token, metric) =>
    token && !navigator.globalPrivacyControl && !told.has(id(token, metric)) && told.add(id(token, metric));

  // A link of the gateway's tells its token to the page that it leads to. What people share from there is without it.
  safely(() => {
    const address = location.href.replace(/([?&])broadside=([^&#]+)(&?)/, (_, before, found, behind) => {
      token = found;
      return behind && before;
    });
    if (token) history.replaceState(history.state, '', address);
  })();

  const api = (window.broadside = {
    token,

    events: document.currentScript?.dataset.events || '/v1/events',

    expose: safely((token) => {
      if (isNews(token)) put(token, 'exposure');
    }),

    reward: safely((token, metric) => {
      if (!isNews(token, metric)) return;
      // Beacons overtake each other, and a reward before its exposure does not count: so the exposure travels along.
      if (told.has(id(token)) && !queue.some((event) => event.id == id(token))) put(token, 'exposure');
      put(token, 'reward', metric);
    }),
  });

  const mark = 'data-broadside-token';
  const marked = `[${mark}]`;
  const tokenOf = (element) => element.dataset.broadsideToken;

  // Who clicks on copy has seen it, however shortly.
  const click = safely(({ target, button }) => {
    const cause = target.closest('[data-broadside-reward]');
    const copy = cause?.closest(marked);
    if (!copy || button > 1) return;
    api.expose(tokenOf(copy));
    api.reward(tokenOf(copy), cause.dataset.broadsideReward);
  });

  addEventListener('click', click, true);
  addEventListener('auxclick', click, true);
  addEventListener('pagehide', send);
  addEventListener('visibilitychange', send);

  safely(() => {
    // Elements that are in view, each with the timer that counts its second.
    const inView = new Map();

    const isShown = (element) =>
      !document.hidden && element.checkVisibility?.({ opacityProperty: true, visibilityProperty: true }) !== false;

    const wait = (element, wasShown) => {
      const second = safely(() => {
        const isStill = isShown(element);
        if (wasShown && isStill) api.expose(tokenOf(element));
        else wait(element, isStill);
      });
      inView.set(element, setTimeout(second, 1000));
    };

    const forget = (element) => {
      clearTimeout(inView.get(element));
      inView.delete(element);
    };

    // Seen is what was in view to one half for one second, as the Media Rating Council has it. What is larger than the
    // window is in view when it fills half of that; the steps below one half are for it.
    const observer = new IntersectionObserver(
      safely((entries) => {
        for (const { target, intersectionRatio, intersectionRect } of entries) {
          const area = intersectionRect.width * intersectionRect.height;
          const isEnough = area && (intersectionRatio >= 0.5 || area >= (innerWidth * innerHeight) / 2);
          if (!isEnough) forget(target);
          else if (!inView.has(target)) wait(target, isShown(target));
        }
      }),
      { threshold: [...Array(11).keys()].map((step) => step / 20) },
    );

    const look = () => document.querySelectorAll(marked).forEach((element) => observer.observe(element));

    const restart = (element) => {
      forget(element);
      observer.unobserve(element);
    };

    const changes = new MutationObserver(
      safely((records) => {
        for (const { type, target } of records) if (type == 'attributes') restart(target);
        look();
      }),
    );
    changes.observe(document, { subtree: true, childList: true, attributeFilter: [mark] });

    const restartAll = () => {
      [...inView.keys()].forEach(restart);
      look();
    };
    addEventListener('visibilitychange', safely(restartAll));
    look();
  })();
})();
