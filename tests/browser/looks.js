// What must be true of every screen however it is looked at: each check returns what is wrong, a line each.
window.looks = (() => {
const TARGETS = 'a[href], button, input:not([type=radio], [type=hidden]), select, textarea, summary, .choice';
const named = (one) => (one.textContent.trim() || one.ariaLabel || one.name || one.id || one.className).slice(0, 30);
const scroller = (one) => {
  for (let at = one.parentElement; at; at = at.parentElement)
    if (/auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  return null;
};
const covered = (one) => {
  const box = one.getBoundingClientRect();
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return Boolean(top) && !one.contains(top) && !top.contains(one) && !top.closest('label')?.contains(one);
};
const there = () => [...document.querySelectorAll(TARGETS)].filter((one) => one.checkVisibility() && !covered(one));
const works = (one) => !one.closest('.inert, [aria-disabled=true], :disabled');
const linear = (v) => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const parse = (text) => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
const seen = (colour) => colour.length < 4 || colour[3] > 0.5;
const behind = (one) => {
  for (let at = one; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (seen(colour)) return colour;
  }
  return [11, 14, 18];
};
const ratio = (one, other) => {
  const [a, b] = [light(one), light(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};

const reach = ({ least, gap, letter, letterGap }) => {
  const wrong = [];
  const boxes = there().map((one) => ({ one, box: one.getBoundingClientRect(), keys: Boolean(one.closest('.keyboard')) }));
  for (const { one, box, keys } of boxes) {
    const small = keys ? letter : least;
    if (box.width < small - 0.5 || box.height < small - 0.5)
      wrong.push(`${named(one)} is ${Math.round(box.width)} x ${Math.round(box.height)}`);
    if (box.x < -0.5 || box.right > innerWidth + 0.5) wrong.push(`${named(one)} is beside the screen`);
    if (!scroller(one) && (box.y < -0.5 || box.bottom > innerHeight + 0.5))
      wrong.push(`${named(one)} is off the screen, ${Math.round(box.y)} to ${Math.round(box.bottom)}`);
  }
  boxes.forEach((a, at) => boxes.slice(at + 1).forEach((b) => {
    if (a.one.contains(b.one) || b.one.contains(a.one) || scroller(a.one) !== scroller(b.one)) return;
    const across = Math.max(a.box.x, b.box.x) - Math.min(a.box.right, b.box.right);
    const down = Math.max(a.box.y, b.box.y) - Math.min(a.box.bottom, b.box.bottom);
    const apart = Math.max(across, down);
    if (apart < (a.keys && b.keys ? letterGap : gap) - 0.5)
      wrong.push(`${named(a.one)} and ${named(b.one)} are ${apart.toFixed(1)} px apart`);
  }));
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) wrong.push('the page is wider than the screen');
  if (page.scrollHeight > innerHeight) wrong.push('the page is higher than the screen');
  for (const one of document.querySelectorAll('.strip')) {
    if (!one.checkVisibility() || covered(one)) continue;
    const box = one.getBoundingClientRect();
    if (box.bottom > innerHeight + 0.5 || box.x < -0.5 || box.right > innerWidth + 0.5)
      wrong.push(`what warns is off the screen: ${named(one)}`);
  }
  return wrong;
};

const contrast = ({ text, edge }) => {
  const wrong = [];
  const says = (one) => one.checkVisibility() && [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  for (const one of [...document.querySelectorAll('body *')].filter(says).filter(works)) {
    if (one.closest('script, style, svg, .unseen')) continue;
    const style = getComputedStyle(one);
    const found = ratio(parse(style.color), behind(one));
    if (found < text) wrong.push(`${named(one)}: ${found.toFixed(1)}`);
    if (parseFloat(style.fontSize) < 16) wrong.push(`${named(one)}: ${style.fontSize}`);
  }
  for (const one of there().filter(works)) {
    if (!one.matches('.key, .row, input:not([type=checkbox]), .hg-button, .badge')) continue;
    const style = getComputedStyle(one), around = behind(one.parentElement);
    const inside = parse(style.backgroundColor);
    const found = Math.max(
      parseFloat(style.borderTopWidth) ? ratio(parse(style.borderTopColor), around) : 1,
      seen(inside) ? ratio(inside, around) : 1);
    if (found < edge) wrong.push(`the edge of ${named(one)}: ${found.toFixed(1)}`);
  }
  for (const one of document.querySelectorAll('.mark, .dot, .box, .triangle')) {
    if (!one.checkVisibility() || !works(one)) continue;
    const style = getComputedStyle(one), around = behind(one.parentElement), inside = parse(style.backgroundColor);
    const found = Math.max(
      parseFloat(style.borderTopWidth) ? ratio(parse(style.borderTopColor), around) : 1,
      seen(inside) ? ratio(inside, around) : 1);
    if (found < edge) wrong.push(`${one.className} at ${named(one.parentElement)}: ${found.toFixed(1)}`);
  }
  return wrong;
};

const grey = () => {
  const wrong = [], shapes = {};
  for (const one of document.querySelectorAll('.mark')) {
    if (!one.checkVisibility()) continue;
    const kind = one.className.replace(/\b(mark|big)\b/g, '').trim();
    if (!one.parentElement.textContent.trim()) wrong.push(`the sign ${kind} has no word`);
    const style = getComputedStyle(one);
    const [width, height] = [parseFloat(style.width), parseFloat(style.height)];
    shapes[kind] = `${style.clipPath} ${style.borderTopLeftRadius} ${(width / height).toFixed(1)}`;
  }
  const kinds = Object.keys(shapes);
  kinds.forEach((a, at) => kinds.slice(at + 1).forEach((b) => {
    if (shapes[a] === shapes[b]) wrong.push(`the signs ${a} and ${b} differ by their colour only`);
  }));
  const chosen = (one) => one.matches('[aria-pressed=true], .chosen, :has(> input:checked)');
  for (const one of document.querySelectorAll('[aria-pressed=true], .key.chosen, .choice:has(input:checked)')) {
    const other = [...one.parentElement.children].find((each) => each.tagName === one.tagName && !chosen(each));
    if (!other || !one.checkVisibility() || one.querySelector('.box')) continue;
    const face = (each) => getComputedStyle(each.matches('.choice') ? each.querySelector('span') : each);
    const [mine, its] = [face(one), face(other)];
    const shape = (style) => [style.borderTopWidth, style.borderTopStyle, style.fontWeight, style.textDecorationLine].join();
    if (shape(mine) === shape(its) && ratio(parse(mine.backgroundColor), parse(its.backgroundColor)) < 3)
      wrong.push(`${named(one)} is chosen by its colour only`);
  }
  return wrong;
};

const focus = () => {
  const wrong = [];
  const before = document.activeElement;
  for (const one of [...document.querySelectorAll(TARGETS + ', input[type=radio]')].filter((each) => each.checkVisibility())) {
    if (one.matches('.choice') || covered(one) || !works(one) || one.closest('.keyboard')) continue;
    one.focus({ preventScroll: true });
    if (document.activeElement !== one) { wrong.push(`${named(one)} takes no focus`); continue; }
    const face = one.matches('[type=radio], [type=checkbox]') ? one.nextElementSibling : one;
    const style = getComputedStyle(face);
    if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2)
      wrong.push(`${named(one)} does not show that it has the focus`);
  }
  before?.focus?.({ preventScroll: true });
  return wrong;
};

const forced = () => [...document.querySelectorAll('.mark, .ring, .dot')].filter((one) => one.checkVisibility()).filter((one) => {
  const style = getComputedStyle(one);
  const inside = parseFloat(style.borderTopWidth) ? style.borderTopColor : style.backgroundColor;
  return ratio(parse(inside), behind(one.parentElement)) < 1.5;
}).map((one) => `${one.className} at ${named(one.parentElement)} is not seen`);

const mirrored = (left) => {
  const wrong = [], place = (one) => one.getBoundingClientRect();
  const side = document.querySelector('main > .side');
  const beside = side && [...document.querySelectorAll('main > :is(section, .left, .stage)')].find((one) => one.checkVisibility());
  if (beside && place(side).y < place(beside).bottom && (place(side).x < place(beside).x) !== left)
    wrong.push('the keys are on the wrong side');
  for (const row of document.querySelectorAll('.answer')) {
    const keys = [...row.querySelectorAll('.key')].filter((one) => one.checkVisibility());
    const next = keys.findIndex((one) => one.matches('.next'));
    if (keys.length < 2 || next !== keys.length - 1) continue;
    if ((place(keys[next]).x < place(keys[0]).x) !== left) wrong.push(`${named(keys[next])} is on the wrong side`);
  }
  return wrong;
};

const rightToLeft = () => {
  const wrong = [], place = (one) => one.getBoundingClientRect();
  const bar = [...document.querySelectorAll('.bar > *')].filter((one) => one.checkVisibility());
  bar.slice(1).forEach((one, at) => {
    if (place(one).right > place(bar[at]).x + 1) wrong.push(`${named(one)} does not follow ${named(bar[at])} to the left`);
  });
  for (const row of document.querySelectorAll('.row .middle, .strip, .fate')) {
    if (!row.checkVisibility() || covered(row)) continue;
    const [first, next] = row.children;
    if (first?.matches('.mark') && next && place(next).right > place(first).right + 1)
      wrong.push(`the sign of ${named(row)} is not at its beginning`);
  }
  return wrong;
};

return { reach, contrast, grey, focus, forced, mirrored, rightToLeft };
})();
