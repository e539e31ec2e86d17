// Measures the slide that is shown, in pixels of a 1280 x 720 slide. Returns {problems: [...], prose, text, figures}.
// Arguments: none. Fragments have to be visible, see deck.py.
const section = Reveal.getCurrentSlide();
const slide = section.querySelector(".slide");
const area = slide.getBoundingClientRect();
const scale = area.width / 1280;
const footer = slide.querySelector("footer");
const floor = footer.getBoundingClientRect().top;
const problems = [];
const found = new Set();

function name(element) {
  const text = (element.innerText || element.alt || "").trim().replace(/\s+/g, " ").slice(0, 50);
  return `<${[element.tagName.toLowerCase(), ...element.classList].join(".")}> "${text}"`;
}

function report(element, what, pixels) {
  // What is in an element that was reported sticks out with it.
  for (const other of found) if (other.contains(element)) return;
  found.add(element);
  problems.push(`${name(element)} ${what} by ${Math.ceil(pixels / scale)} px`);
}

function outside(element, box) {
  if (!box.width || !box.height) return;
  const sides = {
    "is below the space of the slide": box.bottom - floor,
    "sticks out at the right": box.right - area.right,
    "sticks out at the left": area.left - box.left,
    "sticks out at the top": area.top - box.top,
  };
  for (const [what, pixels] of Object.entries(sides)) if (pixels / scale > 1) report(element, what, pixels);
}

const elements = [...slide.querySelectorAll("*")].filter((e) => !footer.contains(e) && e.checkVisibility());
for (const element of elements) {
  const look = getComputedStyle(element);
  if (look.display === "contents") continue;
  outside(element, element.getBoundingClientRect());
  if (look.display.startsWith("inline") || element instanceof SVGElement || element.tagName === "IMG") continue;
  const wide = element.scrollWidth - element.clientWidth;
  const high = element.scrollHeight - element.clientHeight;
  // Letters and the padding of inline code may reach some pixels over a line; a lost line is 20 or more.
  if (element.clientWidth && wide > 2) report(element, "has content that is wider than itself", wide * scale);
  if (element.clientHeight && high > 12) report(element, "has content that is higher than itself", high * scale);
}

// Blocks one under the other must not cover each other.
const blocks = [...slide.querySelectorAll(":scope > :not(.part):not(footer), :scope > .part > *")];
for (let i = 1; i < blocks.length; i++) {
  const over = blocks[i - 1].getBoundingClientRect().bottom - blocks[i].getBoundingClientRect().top;
  if (over / scale > 1) report(blocks[i], "covers what stands over it", over);
}

// The smallest letters: of prose, and of anything (code, outputs, tables).
let prose = Infinity, text = Infinity;
const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const parent = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || footer.contains(parent) || !parent.checkVisibility()) continue;
  if (parent.closest("style, script")) continue;
  const range = document.createRange();
  range.selectNodeContents(walker.currentNode);
  for (const box of range.getClientRects()) outside(parent, box);
  const size = parseFloat(getComputedStyle(parent).fontSize) * (parent.currentCSSZoom || 1);
  text = Math.min(text, size);
  if (!parent.closest("code, pre, .outputs, table")) prose = Math.min(prose, size);
}

// Figures: shown size over the size that they were drawn for (they are stored with two pixels for one).
const figures = [...slide.querySelectorAll("img")].filter((img) => img.checkVisibility()).map((img) => {
  const box = img.getBoundingClientRect();
  return Math.min(box.width / img.naturalWidth, box.height / img.naturalHeight) / scale * 2;
});
if ([...slide.querySelectorAll("img")].some((img) => !img.complete || !img.naturalWidth)) problems.push("an image is broken");
return { problems, prose, text, figures };
