"use strict";
// The page of `shutterless review`: shows one photo after the other, and sends each answer at once.

// Digits first, then letters, without those that mean something else (N, S, U).
const KEYS = "1234567890QWERTYIOPADFGHJKLZXCVBM";
const element = (id) => document.getElementById(id);
const state = { items: [], labels: [], answers: {}, accuracy: null, position: 0, filed: false };
let sending = Promise.resolve();  // answers are sent one after the other
const unsent = new Map();  // photo's id → the answers that the server does not have yet, the last one last

async function request(path, document) {
  const options = document === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(document),
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The command has stopped. Start it again, and open the new address: every answer so far is saved.");
  }
  const content = await response.json();
  if (!response.ok) throw Object.assign(new Error(content.detail), { status: response.status });
  return content;
}

const history = {  // what U takes back, also after a reload
  get list() { return JSON.parse(sessionStorage.getItem("history") ?? "[]"); },
  push(entry) { sessionStorage.setItem("history", JSON.stringify([...this.list, entry].slice(-1000))); },
  pop() {
    const list = this.list, entry = list.pop();
    sessionStorage.setItem("history", JSON.stringify(list));
    return entry;
  },
  forget(id) {
    sessionStorage.setItem("history", JSON.stringify(this.list.filter(([other]) => other !== id)));
  },
};

function nextOpen(from) {
  const { items, answers } = state;
  for (let step = 0; step < items.length; step++) {
    const place = (from + step) % items.length;
    if (!answers[items[place].id]) return place;
  }
  return items.length;
}

function setAnswer(id, answer) {
  if (answer.choice) state.answers[id] = answer; else delete state.answers[id];
}

function takeOver({ labels, answers, accuracy }) {
  Object.assign(state, { labels, answers, accuracy });
  for (const [id, list] of unsent) if (list.length) setAnswer(id, list.at(-1));
}

function send(id, answer) {
  const earlier = state.answers[id] ?? { choice: null, label: "" };
  unsent.set(id, [...(unsent.get(id) ?? []), answer]);
  setAnswer(id, answer);
  sending = sending.then(() => request("/answers", { id, ...answer, earlier })).finally(() => {
    unsent.get(id).shift();
  }).then((progress) => {
    takeOver(progress);
    element("error").textContent = "";
    const item = state.items[state.position];  // another tab may have answered it meanwhile
    if (item && state.answers[item.id] && !state.isLooking) state.position = nextOpen(state.position);
    show();
  }).catch(async (error) => {
    element("error").textContent = error.message;
    history.forget(id);
    await refresh(error.status === 409 ? undefined : id).catch(() => {});
  });
  return sending;
}

function answer(choice, label = "") {
  const item = state.items[state.position];
  if (!item) return;
  history.push([item.id, state.answers[item.id] ?? { choice: null, label: "" }]);
  send(item.id, { choice, label });
  state.isLooking = false;
  state.position = nextOpen(state.position + 1);
  show();
}

function undo() {
  const entry = history.pop();
  if (!entry) return;
  const [id, earlier] = entry;
  const place = state.items.findIndex((item) => item.id === id);
  if (place < 0) return;
  send(id, earlier);
  state.isLooking = true;
  state.position = place;
  show();
}

function go(step) {
  const count = state.items.length;
  state.isLooking = true;
  state.position = Math.max(0, Math.min(count - 1, (state.position >= count ? count : state.position) + step));
  show();
}

function percent(share) { return `${Math.round(100 * share)} %`; }

function describe(item) {
  if (item.filed) return `Filed under ${item.label}`;
  const confidence = item.confidence === null ? "" : `, ${percent(item.confidence)}`;
  return `Answer: ${item.label}${confidence}${item.accepted === false ? ", not accepted" : ""}`;
}

function makeLabel(label, index, item) {
  const button = document.createElement("button"), given = state.answers[item.id];
  button.type = "button";
  button.classList.toggle("likely", item.likely.slice(0, 3).includes(label));
  button.classList.toggle("suggested", label === item.likely[0]);
  button.setAttribute("aria-pressed", given?.choice === "label" && given.label === label);
  if (KEYS[index]) {
    const key = document.createElement("kbd");
    key.textContent = KEYS[index];
    button.append(key);
    button.setAttribute("aria-keyshortcuts", KEYS[index]);
  }
  const name = document.createElement("span");
  name.textContent = label;
  button.append(name);
  button.addEventListener("click", () => answer("label", label));
  return button;
}

function makeOption(label) {
  const option = document.createElement("option");
  option.value = label;
  return option;
}

function showPhoto(item) {
  const photo = element("photo"), address = `/photo/${encodeURIComponent(item.id)}`;
  if (photo.getAttribute("src") === address) return;
  photo.hidden = false;
  element("no-photo").hidden = true;
  photo.src = address;
  photo.alt = `The photo ${item.name}`;
  for (const next of state.items.slice(state.position + 1, state.position + 4)) {
    new Image().src = `/photo/${encodeURIComponent(next.id)}`;
  }
}

function show() {
  const { items, answers, labels, accuracy, position } = state;
  const done = items.filter((item) => answers[item.id]).length, item = items[position];
  element("progress").textContent = `${done} of ${items.length} photos`;
  element("bar").max = items.length;
  element("bar").value = done;
  element("work").hidden = !item;
  element("end").hidden = Boolean(item);
  element("undo").disabled = history.list.length === 0;
  element("accuracy").textContent = accuracy === null ? "" :
    `${accuracy.right} of ${accuracy.photos} answers to randomly chosen photos were right: ` +
    `an accuracy of ${percent(accuracy.interval[0])} to ${percent(accuracy.interval[1])} (95 % interval).`;
  if (!item) return;
  showPhoto(item);
  element("guess").textContent = describe(item);
  element("name").textContent = item.name;
  element("labels").replaceChildren(...labels.map((label, index) => makeLabel(label, index, item)));
  element("known").replaceChildren(...labels.map(makeOption));
  for (const choice of ["none", "skip"]) {
    element(choice).setAttribute("aria-pressed", answers[item.id]?.choice === choice);
  }
}

async function refresh(id) {
  const description = await request("/photos");
  state.items = description.items;
  takeOver(description);
  const place = id === undefined ? -1 : state.items.findIndex((item) => item.id === id);
  if (place >= 0) state.position = place;
  else if (!state.isLooking) state.position = nextOpen(Math.min(state.position, state.items.length - 1));
  show();
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === element("text")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.toUpperCase(), index = KEYS.indexOf(key), item = state.items[state.position];
  const isButton = event.target.closest?.("button");
  if (key === "U") undo();
  else if (key === "ARROWLEFT") go(-1);
  else if (key === "ARROWRIGHT") go(1);
  else if (!item) return;
  else if (key === "N") answer("none");
  else if (key === "S") answer("skip");
  else if (key === "ENTER" && !isButton && item.likely.length) answer("label", item.likely[0]);
  else if (key === "+" || key === "/") element("text").focus();
  else if (key.length === 1 && index >= 0 && state.labels[index]) answer("label", state.labels[index]);
  else return;
  event.preventDefault();
}

element("none").addEventListener("click", () => answer("none"));
element("skip").addEventListener("click", () => answer("skip"));
element("undo").addEventListener("click", undo);
element("back").addEventListener("click", () => go(-1));
element("photo").addEventListener("error", async () => {
  const address = element("photo").getAttribute("src");
  element("photo").hidden = true;
  element("no-photo").hidden = false;
  element("reason").textContent = await request(address).then(() => "it is damaged", (error) => error.message);
});
element("new").addEventListener("submit", (event) => {
  event.preventDefault();
  const label = element("text").value.trim();
  if (!label) return;
  element("text").value = "";
  element("text").blur();
  answer("label", label);
});
document.addEventListener("keydown", press);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) sending.then(() => refresh()).catch((error) => { element("error").textContent = error.message; });
});
refresh().catch((error) => { element("error").textContent = error.message; });
