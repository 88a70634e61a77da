// The reference's script (scalar.js) in a page with a strict Content-Security-Policy. Loaded before that script.
//
// It makes style sheets without saying that they are of this page.
const { content: nonce } = document.head.querySelector("meta[property=csp-nonce]");
const create = document.createElement;
document.createElement = function (name, options) {
  const element = create.call(this, name, options);
  if (name === "style") element.nonce = nonce;
  return element;
};

// It tries whether it may compile its validators, unless it is told not to.
globalThis.__zod_globalConfig = { jitless: true };
