// Draws the stacks. A node of the data is [name, samples, [nodes]].
"use strict";

const ROW = 18;
// Bars that are narrower, in percent of the page, are not drawn.
const NARROWEST = 0.05;
const KERNEL = "_[k]";

const [view, told, find, found] = ["view", "told", "find", "found"].map((id) => document.getElementById(id));

function node([name, samples, calls], outer, depth) {
  const made = { name, samples, outer, depth };
  made.calls = calls.map((call) => node(call, made, depth + 1)).sort((a, b) => b.samples - a.samples);
  return made;
}

const all = node(JSON.parse(document.getElementById("stacks").textContent), null, 0);
let shown = all;

const share = (samples) => `${((samples * 100) / all.samples).toFixed(2)} %`;
const sought = () => find.value.trim().toLowerCase();
const matches = (name, text) => text !== "" && name.toLowerCase().includes(text);

// Warm colours by name, so that a function has the same one everywhere; processes darker, the kernel grey.
function colour({ name, depth }) {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) % 997;
  if (name.endsWith(KERNEL)) return `hsl(210 8% ${76 + (hash % 10)}%)`;
  return depth < 2 ? `hsl(${20 + (hash % 30)} 75% 66%)` : `hsl(${18 + (hash % 38)} 88% ${74 + (hash % 9)}%)`;
}

function bar(node, left, width, text) {
  const made = document.createElement("div");
  made.textContent = node.name;
  made.style.cssText = `left:${left}%;width:${width}%;top:${node.depth * ROW}px;background:${colour(node)}`;
  made.classList.toggle("found", matches(node.name, text));
  made.classList.toggle("outer", node.depth < shown.depth);
  made.title = `${node.name}: ${share(node.samples)}`;
  made.onclick = () => show(node);
  made.onmouseenter = () => {
    told.textContent = `${share(node.samples)} (${node.samples} of ${all.samples} samples): ${node.name}`;
  };
  view.append(made);
}

function draw() {
  const text = sought();
  let depth = 0;
  view.replaceChildren();
  for (let outer = shown.outer; outer; outer = outer.outer) bar(outer, 0, 100, text);
  const below = (node, left) => {
    const width = (node.samples * 100) / shown.samples;
    if (width < NARROWEST) return;
    bar(node, left, width, text);
    depth = Math.max(depth, node.depth);
    let next = left;
    for (const call of node.calls) {
      below(call, next);
      next += (call.samples * 100) / shown.samples;
    }
  };
  below(shown, 0);
  view.style.height = `${(depth + 1) * ROW}px`;
}

function show(node) {
  shown = node;
  draw();
}

// The share of what is found, each sample once, however often its stack names it.
function count(node, text) {
  if (matches(node.name, text)) return node.samples;
  return node.calls.reduce((sum, call) => sum + count(call, text), 0);
}

find.oninput = () => {
  const text = sought();
  found.textContent = text === "" ? "" : share(count(all, text));
  draw();
};

document.onkeydown = (event) => {
  if (event.key === "Escape") show(all);
};

draw();
