"use strict";
// What a written page can do beyond showing itself: sort and filter tables, copy commands, open folded parts.
const order = new Intl.Collator("en", { numeric: true });

function valueOf(row, column) {
  const { dataset, textContent } = row.cells[column];
  return dataset.value ?? textContent.trim();
}

function makeSortable(table) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const text = head.classList.contains("text") || column === 0;
      const first = text ? "ascending" : "descending", second = text ? "descending" : "ascending";
      const direction = head.getAttribute("aria-sort") === first ? second : first;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      body.append(...[...body.rows].sort((one, two) => sign * order.compare(valueOf(one, column), valueOf(two, column))));
    });
  });
}

function makeSearchable(table) {
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = `Filter ${table.tBodies[0].rows.length} rows`;
  field.setAttribute("aria-label", "Filter the rows of this table");
  table.parentElement.before(field);
  field.addEventListener("input", () => {
    const query = field.value.trim().toLowerCase();
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(query);
  });
}

function addCopyButton(block) {
  const text = block.textContent.trim();
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {  // a browser that gives a file no clipboard: the text is selected instead
      getSelection().selectAllChildren(block.firstElementChild);
    }
  });
  block.append(button);
}

function makeThreshold(panel) {
  const points = JSON.parse(panel.dataset.points);  // [accepted, right] at 0, 0.001, … 1
  const [{ length }, slider] = [points, panel.querySelector("input")];
  const all = points[0][0], rightOfAll = points[0][1];
  const percent = (part, whole) => whole ? `${(100 * part / whole).toFixed(whole < 1000 ? 0 : 1)} %` : "–";
  const write = (name, text) => { panel.querySelector(`[data-is="${name}"]`).textContent = text; };
  const update = () => {
    const [accepted, right] = points[Math.min(length - 1, Math.round(slider.value * (length - 1)))];
    write("threshold", Number(slider.value).toFixed(3));
    write("accepted", percent(accepted, all));
    write("accepted-count", `${accepted} of ${all} answers`);
    write("accuracy", percent(right, accepted));
    write("accuracy-count", accepted ? `${right} of ${accepted} accepted answers` : "nothing is accepted");
    write("wrong", accepted - right);
    write("lost", rightOfAll - right);
  };
  slider.addEventListener("input", update);
  panel.hidden = false;
  update();
}

function makeSavable(bar) {
  const [head, ...rows] = JSON.parse(bar.dataset.table);
  const [id, accept] = [head.indexOf("id"), head.indexOf("accept")];
  const rowOf = new Map(rows.map((row) => [row[id], row]));
  const boxes = [...document.querySelectorAll("input[data-id]")];
  const status = bar.querySelector("[role=status]");
  let unsaved = false;
  const update = () => {
    const count = rows.filter((row) => /^(yes|y|true|1|x)$/i.test(row[accept])).length;
    status.textContent = `${count} of ${rows.length} suggestions accepted`;
  };
  for (const box of boxes) {
    box.addEventListener("change", () => {
      rowOf.get(box.dataset.id)[accept] = box.checked ? "yes" : "";
      unsaved = true;
      update();
    });
    box.closest("label").hidden = false;
  }
  bar.querySelector("button").addEventListener("click", () => {
    const quote = (cell) => /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
    const text = "\ufeff" + [head, ...rows].map((row) => row.map(quote).join(",") + "\n").join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = "findings.csv";
    link.click();
    URL.revokeObjectURL(link.href);
    unsaved = false;
  });
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
  bar.hidden = false;
  update();
}

function makeMap(figure) {
  const { side, columns } = figure.dataset;
  const [caption, preview] = [figure.querySelector("figcaption"), figure.querySelector(".preview")];
  const buttons = [...figure.parentElement.querySelectorAll("button[data-label]")];
  let chosen = null;
  const show = ({ target }) => {
    if (!(target instanceof SVGCircleElement)) return;
    chosen?.classList.remove("chosen");
    chosen = target;
    chosen.classList.add("chosen");
    const [index, scale] = [Number(target.dataset.index), preview.clientWidth / side || 2];
    preview.style.backgroundSize = `${columns * side * scale}px auto`;
    preview.style.backgroundPosition = `${-(index % columns) * side * scale}px ${-Math.floor(index / columns) * side * scale}px`;
    caption.lastElementChild.textContent = target.textContent;
    caption.hidden = false;
  };
  figure.addEventListener("pointerover", show);
  figure.addEventListener("click", show);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const only = button.getAttribute("aria-pressed") !== "true";
      for (const other of buttons) other.setAttribute("aria-pressed", only && other === button);
      for (const group of figure.querySelectorAll("g[data-label]")) {
        group.classList.toggle("dim", only && group.dataset.label !== button.dataset.label);
      }
    });
  }
}

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target?.scrollIntoView();
}

for (const table of document.querySelectorAll("table.sortable")) {
  makeSortable(table);
  if (table.tBodies[0].rows.length > 12) makeSearchable(table);
}
document.querySelectorAll("pre").forEach(addCopyButton);
document.querySelectorAll(".threshold").forEach(makeThreshold);
document.querySelectorAll(".save").forEach(makeSavable);
document.querySelectorAll(".map").forEach(makeMap);
addEventListener("hashchange", reveal);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((fold) => { fold.open = true; }));
if (location.hash) reveal();
