"""What can be pressed on a page, and is smaller than a thumb: fewer than 44 px wide or high, as `45-pages.md` has it.

A tick box is pressed by its label too, and a link whose ground is a whole card by the card. Links within a sentence are as
large as its words (the exception of WCAG 2.5.8), and so are those of texts that people have written. Mails are no pages.
"""

from __future__ import annotations

LEAST_PX = 44
SMALL_TARGETS = """
(least) => {
  if (!document.querySelector("link[href$='/app.css']")) return [];
  const PRESSED = "a[href], button, summary, select, textarea, input:not([type=hidden]), label:has(input)";
  const around = (a, b) => {
    const left = Math.min(a.left, b.left), top = Math.min(a.top, b.top);
    return { left, top, right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom) };
  };
  const rectOf = (element) => {
    let rect = element.getBoundingClientRect();
    for (const part of ["::before", "::after"]) {
      const style = getComputedStyle(element, part);
      if (style.content === "none" || style.position !== "absolute") continue;
      const ground = getComputedStyle(element).position === "static" ? element.offsetParent : element;
      const box = ground.getBoundingClientRect();
      const at = (side) => parseFloat(style[side]) || 0;
      const grown = { left: box.left + at("left"), top: box.top + at("top") };
      rect = around(rect, { ...grown, right: box.right - at("right"), bottom: box.bottom - at("bottom") });
    }
    return [...(element.labels ?? [])].reduce((all, label) => around(all, label.getBoundingClientRect()), rect);
  };
  const isShown = (element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) &&
    ![element, ...ancestors(element)].some((one) => getComputedStyle(one).clipPath === "inset(50%)");
  const ancestors = (element) => (element.parentElement ? [element.parentElement, ...ancestors(element.parentElement)] : []);
  const isInline = (element) => getComputedStyle(element).display === "inline";
  const wordsBeside = (node, element) =>
    [...node.childNodes].some((child) => {
      if (child === element || child.matches?.("a, button, .unseen, .icon")) return false;
      if (child.nodeType === Node.TEXT_NODE) return /[\\p{L}\\p{N}]/u.test(child.data);
      return child.nodeType === Node.ELEMENT_NODE && isInline(child) && wordsBeside(child, element);
    });
  const isInSentence = (element) => {
    if (!element.matches("a, button, summary") || !isInline(element)) return false;
    if (element.closest(".prose")) return true;
    const block = ancestors(element).find((one) => !isInline(one));
    return wordsBeside(block, element);
  };
  const wrong = [];
  for (const element of document.querySelectorAll(PRESSED)) {
    if (!isShown(element) || isInSentence(element) || element.closest(".prose")) continue;
    const { left, top, right, bottom } = rectOf(element);
    const [width, height] = [right - left, bottom - top];
    if (width >= least - 0.5 && height >= least - 0.5) continue;
    const words = (element.textContent || element.name || element.id || "").trim().replace(/\\s+/g, " ").slice(0, 40);
    const name = element.localName + [...element.classList].map((one) => `.${one}`).join("");
    wrong.push(`${name} "${words}" in ${element.parentElement.localName}.${element.parentElement.className}: ${Math.round(width)}x${Math.round(height)}`);
  }
  return wrong;
}
"""
