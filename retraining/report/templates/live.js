"use strict";
// Fetches the parts of the page every five seconds while somebody looks, and puts in those that changed.
const EVERY = 5000, LATE = 15000, PATIENCE = 20000;
const age = document.getElementById("age");
const shown = new Map(); // id of a part -> its markup as the service sent it
let answered = Date.now(), asking = false, clock = null;

for (const part of document.querySelectorAll("[data-part]")) shown.set(part.id, part.outerHTML);

function tell() {
  const seconds = Math.round((Date.now() - answered) / 1000);
  const words = "No answer for " + seconds + " s; this page is of " + age.dataset.drawn + ".";
  const text = Date.now() - answered > LATE ? words : "as of " + age.dataset.drawn;
  if (age.textContent !== text) age.textContent = text;
}

function isSelectedIn(part) {
  const chosen = getSelection();
  return chosen !== null && !chosen.isCollapsed && part.contains(chosen.anchorNode);
}

function same(focused, part) {
  if (focused.id !== "") return document.getElementById(focused.id);
  return [...part.querySelectorAll("a")].find(link => link.href === focused.href);
}

function put(part) {
  const old = document.getElementById(part.id);
  if (old === null || shown.get(part.id) === part.outerHTML || isSelectedIn(old)) return;
  shown.set(part.id, part.outerHTML);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const open = [...old.querySelectorAll("details[open]")].map(one => one.id);
  const scrolled = [...old.querySelectorAll(".wide")].map(one => [one.id, one.scrollLeft]);
  old.replaceWith(document.adoptNode(part));
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, left] of scrolled) {
    const table = document.getElementById(id);
    if (table !== null) table.scrollLeft = left;
  }
  if (focused !== null) same(focused, part)?.focus({ preventScroll: true });
}

async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const options = { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) };
    const answer = await fetch(age.dataset.fragment, options);
    if (answer.status === 401 || answer.status === 403) return location.reload();
    if (answer.ok) {
      const parts = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of [...parts.querySelectorAll("[data-part]")]) put(part);
      document.title = document.getElementById("part-verdict").dataset.title;
      age.dataset.drawn = answer.headers.get("X-Drawn");
      answered = Date.now();
    }
  } catch {
    // the service is away: `tell` says for how long
  } finally {
    asking = false;
    tell();
  }
}

function watch() {
  clearInterval(clock);
  clock = null;
  if (document.hidden) return;
  clock = setInterval(refresh, EVERY);
  refresh();
}

history.replaceState(null, "", location.pathname + location.hash); // a refusal is told once
document.addEventListener("visibilitychange", watch);
tell();
watch();
