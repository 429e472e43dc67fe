"use strict";
// Adds what needs a script: one metric at a time, sorting, filtering, and what marks say. Everything is readable without.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, facts = {}) => Object.assign(document.createElement(tag), facts);

for (const [number, box] of all(".switch").entries()) {
  const choices = all(":scope > .choice", box);
  const controls = make("fieldset");
  controls.append(make("legend", { textContent: box.dataset.label }));
  const show = chosen => choices.forEach(choice => { choice.hidden = choice !== chosen; });
  for (const choice of choices) {
    const label = make("label");
    const input = make("input", { type: "radio", name: `switch-${number}`, checked: choice === choices[0] });
    input.addEventListener("change", () => show(choice));
    label.append(input, choice.dataset.choice);
    controls.append(label);
    choice.querySelector("h3").hidden = true;
  }
  box.prepend(controls);
  show(choices[0]);
}

const worth = (row, column) => {
  const cell = row.cells[column];
  const number = parseFloat(cell.dataset.value ?? (cell.matches(".n") ? cell.textContent.replaceAll(",", "") : ""));
  return Number.isNaN(number) ? cell.textContent : number;
};
const compare = (one, other) => {
  if (typeof one === typeof other) return one < other ? -1 : one > other ? 1 : 0;
  return typeof one === "number" ? -1 : 1; // what is no number comes last
};
for (const box of all(".table")) {
  const table = box.querySelector("table"), body = table.tBodies[0], rows = [...body.rows];
  if (rows.length < 2) continue;
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = make("button", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") !== "ascending" : !head.matches(".n");
      all("th", table.tHead).forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sign = up ? 1 : -1;
      body.append(...[...rows].sort((a, b) => {
        const one = worth(a, column), other = worth(b, column);
        return typeof one === typeof other ? sign * compare(one, other) : compare(one, other);
      }));
    });
  }
  if (rows.length < 8) continue;
  const label = make("label", { textContent: "Rows with " });
  const input = make("input", { type: "search" });
  label.append(input);
  const left = make("span", { role: "status" });
  box.querySelector(".tools").append(label, left);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    rows.forEach(row => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
    left.textContent = wanted ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
  });
}

for (const head of all("thead th[data-group]")) {
  const rows = head.closest("table").tBodies[0].rows;
  for (const row of rows) row.cells[head.cellIndex].dataset.group ??= head.dataset.group;
}
for (const title of all("g.mark > title")) {
  title.parentNode.dataset.hint = title.textContent;
  title.remove(); // the browser would say it a second time
}
const groups = new Map();
for (const part of all("[data-group]")) {
  const name = part.dataset.group;
  if (name) groups.set(name, [...(groups.get(name) ?? []), part]);
}
let lit = "";
const light = name => {
  if (name === lit) return;
  for (const part of groups.get(lit) ?? []) part.classList.remove("lit");
  for (const part of groups.get(name) ?? []) part.classList.add("lit");
  lit = name;
  for (const canvas of all(".canvas")) canvas.classList.toggle("dimmed", Boolean(canvas.querySelector("g.lit")));
};
const hint = make("div", { id: "hint", hidden: true });
hint.setAttribute("role", "status");
document.body.append(hint);
const say = (mark, x, y) => {
  hint.hidden = !mark;
  if (!mark) return;
  hint.textContent = mark.dataset.hint;
  hint.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - hint.offsetWidth - 8))}px`;
  hint.style.top = `${y + 30 + hint.offsetHeight > innerHeight ? y - hint.offsetHeight - 8 : y + 18}px`;
};
document.addEventListener("pointerover", event => {
  const part = event.target.closest("[data-group]");
  light(part ? part.dataset.group : "");
  say(event.target.closest("g[data-hint]"), event.clientX, event.clientY);
});

for (const canvas of all(".canvas")) {
  const marks = all("g[data-hint]", canvas);
  if (!marks.length) continue;
  let at = -1;
  const leave = () => {
    marks[at]?.classList.remove("at");
    at = -1;
    light("");
    say(null);
  };
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  canvas.setAttribute("aria-label", `${canvas.getAttribute("aria-label")}; arrow keys go through its marks`);
  canvas.addEventListener("keydown", event => {
    if (event.key === "Escape") return leave();
    if (!(event.key in steps)) return;
    event.preventDefault();
    marks[at]?.classList.remove("at");
    at = at < 0 && steps[event.key] < 0 ? marks.length - 1 : (at + steps[event.key] + marks.length) % marks.length;
    marks[at].classList.add("at");
    light(marks[at].dataset.group);
    const box = marks[at].getBoundingClientRect();
    say(marks[at], box.right, box.top);
  });
  canvas.addEventListener("blur", leave);
}
addEventListener("beforeprint", () => all("details").forEach(fold => { fold.open = true; }));
