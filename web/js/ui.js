/**
 * Small helpers for the document: find, build, show, and the banner for errors.
 * @module ui
 */

/** @typedef {import("./trouble.js").Trouble} Trouble */
/** @typedef {{label: string, run: () => void}} Action */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Find an element that the page is known to have.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function find(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page has no ${kind.name} with the id ${id}.`);
  return element;
}

/**
 * Build an element. Texts go in as text nodes, so nothing from outside is ever read as HTML.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean>} [attributes] true sets an empty attribute, false leaves it out.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function build(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * An icon from the page's sprite; decoration only, hidden from screen readers.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Change a text only when it differs, so that screen readers do not repeat it.
 * @param {Element} element
 * @param {string} text
 * @returns {void}
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Rows of a two or more column table; the first cell is the row's heading.
 * @param {HTMLElement} body
 * @param {string[][]} rows
 * @returns {void}
 */
export function fillRows(body, rows) {
  body.replaceChildren(
    ...rows.map(([heading = "", ...cells]) =>
      build("tr", {}, build("th", { scope: "row" }, heading), ...cells.map((cell) => build("td", {}, cell))),
    ),
  );
}

/**
 * Show what went wrong at the top of the page.
 * @param {Trouble} trouble
 * @param {...Action} actions Buttons beside the text.
 * @returns {void}
 */
export function showBanner(trouble, ...actions) {
  const banner = find("banner", HTMLElement);
  const text = build("div", { class: "banner-text" }, build("strong", {}, trouble.problem));
  if (trouble.remedy) text.append(build("p", {}, trouble.remedy));
  const buttons = actions.map(({ label, run }) => {
    const button = build("button", { type: "button", class: "button small" }, label);
    button.addEventListener("click", () => {
      hideBanner();
      run();
    });
    return button;
  });
  const close = build("button", { type: "button", class: "button quiet small", "aria-label": "Dismiss this message" });
  close.append(icon("close"));
  close.addEventListener("click", hideBanner);
  banner.replaceChildren(icon("warn"), text, build("div", { class: "actions" }, ...buttons, close));
  banner.hidden = false;
  banner.scrollIntoView({ block: "nearest" });
}

/** @returns {void} */
export function hideBanner() {
  const banner = find("banner", HTMLElement);
  banner.hidden = true;
  banner.replaceChildren();
}
