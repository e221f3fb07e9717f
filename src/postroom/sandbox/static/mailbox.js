// The page of the capture mailbox. What mails say is only ever put in as text, never as markup; their HTML is shown
// by a frame that may do nothing. The list looks for news every second and a half while the page is visible.

const PAGE = 50;
const MOST = 500;
const LOOK_EVERY = 1500;
const TABS = ["html", "text", "headers", "source"];

const $ = (id) => document.getElementById(id);
const UNIT = new URLSearchParams(location.search).get("accountId");
const state = { items: [], next: null, total: 0, words: "", mark: "", mail: null, tab: "html", asked: 0 };

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Error("The server does not answer. This page goes on by itself when it is back.");
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(body.message || `The server answered ${answer.status}.`), { status: answer.status });
  }
  return answer;
}

function trouble(problem) {
  $("trouble").textContent = problem ? problem.message : "";
  $("trouble").hidden = !problem;
}

// -- the list ---------------------------------------------------------------------------------------------------

function listPath(limit, before) {
  const query = new URLSearchParams({ limit });
  if (state.words) query.set("q", state.words);
  if (UNIT !== null) query.set("accountId", UNIT);
  if (before) query.set("before", before);
  return `/sandbox/messages?${query}`;
}

const markOf = (page) => `${page.items.length ? page.items[0].id : 0}/${page.total}`;

async function load() {
  const asked = ++state.asked;
  const limit = Math.min(MOST, Math.max(PAGE, state.items.length));
  const page = await (await call(listPath(limit))).json();
  if (asked !== state.asked) return; // a later search was faster
  Object.assign(state, { items: page.items, next: page.next, total: page.total, mark: markOf(page) });
  showList();
}

async function loadOlder() {
  const page = await (await call(listPath(PAGE, state.next))).json();
  const first = state.items.length;
  state.items = state.items.concat(page.items);
  state.next = page.next;
  showList();
  $("list").children[first]?.firstElementChild.focus();
}

async function look() {
  if (document.hidden) return;
  try {
    const page = await (await call(listPath(1))).json();
    if (markOf(page) !== state.mark) await load();
    await loadRules();
    trouble(null);
  } catch (problem) {
    trouble(problem);
  }
}

function when(stamp) {
  const moment = new Date(stamp);
  const today = moment.toDateString() === new Date().toDateString();
  return today ? moment.toLocaleTimeString() : moment.toLocaleDateString();
}

// The display name of a From field, or all of it when there is none.
const nameOf = (from) => from.replace(/^"?(.+?)"?\s*<[^<>]*>$/, "$1");

function row(mail) {
  const item = make("li");
  const link = make("a", undefined, { href: `#${mail.id}` });
  if (state.mail && state.mail.id === mail.id) link.setAttribute("aria-current", "true");
  link.append(
    make("span", mail.envelope.to.join(", "), { class: "who" }),
    make("time", when(mail.capturedAt), { datetime: mail.capturedAt, title: mail.capturedAt }),
    make("span", mail.subject || "(no subject)", { class: "what" }),
    make("span", `from ${nameOf(mail.from) || mail.envelope.from || "nobody"}`, { class: "from" }),
  );
  item.append(link);
  return item;
}

function showList() {
  const focused = document.activeElement?.getAttribute?.("href");
  const inList = $("list").contains(document.activeElement);
  $("list").replaceChildren(...state.items.map(row));
  if (inList) $("list").querySelector(`a[href="${focused}"]`)?.focus();
  const empty = state.total === 0;
  $("main").classList.toggle("bare", empty && !state.mail);
  $("empty").hidden = !empty || Boolean(state.mail);
  $("unread").hidden = empty || Boolean(state.mail);
  $("nothing-found").hidden = empty || state.items.length > 0;
  $("older").hidden = state.next === null;
  $("delete-all").hidden = empty;
  const all = `${state.total.toLocaleString()} ${state.total === 1 ? "mail" : "mails"}`;
  const shown = `${state.items.length.toLocaleString()}${state.next === null ? "" : " and more"}`;
  $("count").textContent = UNIT === null ? all : `${shown} of ${all}`;
}

// -- rules by which calls fail ----------------------------------------------------------------------------------

const isSpent = (rule) => rule.times !== undefined && rule.hits >= rule.times;

function effect(rule) {
  const said = [];
  if (rule.delayMs) said.push(`waits ${rule.delayMs.toLocaleString()} ms`);
  if (rule.status) said.push(`is answered ${rule.status}${rule.retryAfter ? `, Retry-After ${rule.retryAfter}` : ""}`);
  if (rule.cut === "before") said.push("loses the connection before it is carried out");
  if (rule.cut === "after") said.push("is carried out and loses the connection before the answer");
  return said.join(", then ");
}

function ruleItem(rule) {
  const item = make("li");
  const unit = rule.accountId === undefined ? "" : ` of business unit ${rule.accountId}`;
  const often = [];
  if (rule.share !== undefined && rule.share < 1) often.push(`${Number((rule.share * 100).toPrecision(3))} % of the calls`);
  often.push(rule.times === undefined ? `${rule.hits.toLocaleString()} so far` : `${rule.hits.toLocaleString()} of ${rule.times.toLocaleString()}`);
  if (isSpent(rule)) often.push("used up");
  item.append(make("code", `${rule.method ?? "any"} ${rule.path ?? "/**"}`), `${unit}: ${effect(rule)} (${often.join(", ")})`);
  return item;
}

async function loadRules() {
  const { rules } = await (await call("/sandbox/chaos")).json();
  const text = JSON.stringify(rules);
  if ($("rules").dataset.shown === text) return;
  $("rules").dataset.shown = text;
  $("rules").replaceChildren(...rules.map(ruleItem));
  $("chaos").hidden = rules.every(isSpent);
}

// -- one mail ---------------------------------------------------------------------------------------------------

function facts(mail) {
  const named = [
    ["From", mail.from || mail.envelope.from],
    ["To", mail.to],
    ["Delivered to", mail.envelope.to.join(", ")],
    ["Message key", mail.messageKey],
    ["Business unit", mail.accountId === null ? "" : unitLink(mail)],
    ["Captured", `${new Date(mail.capturedAt).toLocaleString()} · ${mail.size.toLocaleString()} bytes`],
  ];
  return named.filter(([, value]) => value).flatMap(([name, value]) => {
    const shown = make("dd");
    shown.append(value);
    return [make("dt", name), shown];
  });
}

const unitLink = (mail) => make("a", mail.accountId, { href: `/sandbox?accountId=${mail.accountId}#${mail.id}` });

function attachment(part, index) {
  const name = part.filename || part.contentType;
  const link = make("a", `${name} · ${part.size.toLocaleString()} bytes`, {
    class: "button", href: `/sandbox/messages/${state.mail.id}/attachments/${index}`,
  });
  const item = make("li");
  item.append(link);
  return item;
}

async function openMail() {
  const id = location.hash.slice(1);
  if (!/^\d+$/.test(id)) return closeMail();
  try {
    const mail = await (await call(`/sandbox/messages/${id}`)).json();
    if (location.hash.slice(1) !== id) return;
    state.mail = mail;
    showMail();
  } catch (problem) {
    closeMail();
    trouble(problem);
  }
}

function closeMail() {
  state.mail = null;
  $("mail").hidden = true;
  $("main").classList.remove("reading");
  $("frame").removeAttribute("src");
  document.title = "Captured mail · Postroom";
  showList();
}

function showMail() {
  const mail = state.mail;
  document.title = `${mail.subject || "(no subject)"} · Postroom`;
  $("subject").textContent = mail.subject || "(no subject)";
  $("facts").replaceChildren(...facts(mail));
  $("attachments").replaceChildren(...mail.attachments.map(attachment));
  $("attachments").hidden = mail.attachments.length === 0;
  $("download").href = `/sandbox/messages/${mail.id}/raw`;
  $("download").download = `${mail.id}.eml`;
  $("text").textContent = mail.text ?? "";
  $("source").textContent = "";
  $("source").dataset.of = "";
  $("headers").replaceChildren(...mail.headers.map(({ name, value }) => {
    const line = make("tr");
    line.append(make("th", name, { scope: "row" }), make("td", value));
    return line;
  }));
  $("tab-html").disabled = mail.html === null;
  $("tab-text").disabled = mail.text === null;
  $("frame").removeAttribute("src");
  $("mail").hidden = false;
  $("main").classList.add("reading");
  showList();
  chooseTab($(`tab-${state.tab}`).disabled ? TABS.find((name) => !$(`tab-${name}`).disabled) : state.tab);
  if (!$("list").contains(document.activeElement)) $("subject").focus();
}

async function chooseTab(chosen) {
  const { id, html } = state.mail;
  for (const name of TABS) {
    const isChosen = name === chosen;
    $(`tab-${name}`).setAttribute("aria-selected", String(isChosen));
    $(`tab-${name}`).tabIndex = isChosen ? 0 : -1;
    $(`panel-${name}`).hidden = !isChosen;
  }
  if (chosen === "html" && html !== null) $("frame").src = `/sandbox/messages/${id}/html`;
  if (chosen === "source" && $("source").dataset.of !== String(id)) {
    $("source").dataset.of = String(id);
    try {
      const source = await (await call(`/sandbox/messages/${id}/raw`)).text();
      if (state.mail?.id === id) $("source").textContent = source;
    } catch (problem) {
      $("source").dataset.of = "";
      trouble(problem);
    }
  }
}

// -- what people do ---------------------------------------------------------------------------------------------

async function attempt(action) {
  try {
    await action();
    trouble(null);
  } catch (problem) {
    trouble(problem);
  }
}

for (const name of TABS) {
  $(`tab-${name}`).addEventListener("click", () => {
    state.tab = name;
    chooseTab(name);
  });
}
document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const usable = TABS.filter((name) => !$(`tab-${name}`).disabled);
  const at = usable.findIndex((name) => $(`tab-${name}`) === document.activeElement);
  const tab = $(`tab-${usable[(at + step + usable.length) % usable.length]}`);
  tab.focus();
  tab.click();
});

let typing;
function search() {
  clearTimeout(typing);
  state.words = $("words").value.trim();
  state.items = [];
  return attempt(load);
}
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
$("words").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(search, 200);
});
$("clear-search").addEventListener("click", () => {
  if (UNIT !== null && !state.words) {
    location.assign("/sandbox");
    return;
  }
  $("words").value = "";
  $("words").focus();
  search();
});
$("older").addEventListener("click", () => attempt(loadOlder));

$("delete").addEventListener("click", () => attempt(async () => {
  const at = state.items.findIndex((mail) => mail.id === state.mail.id);
  const following = state.items[at + 1] ?? state.items[at - 1];
  await call(`/sandbox/messages/${state.mail.id}`, { method: "DELETE" });
  location.hash = following ? `#${following.id}` : "";
  await load();
}));
$("delete-all").addEventListener("click", () => {
  const which = UNIT === null ? `${state.total.toLocaleString()} captured mails` : `captured mails of business unit ${UNIT}`;
  $("question").textContent = `Delete all ${which}? They cannot be brought back.`;
  $("confirm").returnValue = "no";
  $("confirm").showModal();
});
$("confirm").addEventListener("close", () => {
  if ($("confirm").returnValue !== "yes") return;
  attempt(async () => {
    const which = UNIT === null ? "" : `?${new URLSearchParams({ accountId: UNIT })}`;
    await call(`/sandbox/messages${which}`, { method: "DELETE" });
    history.replaceState(null, "", location.pathname + location.search);
    closeMail();
    await load();
  });
});
$("remove-chaos").addEventListener("click", () => attempt(async () => {
  await call("/sandbox/chaos", { method: "DELETE" });
  await loadRules();
  $("list").focus();
}));
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    $("words").focus();
  }
});

$("wait-example").textContent = `curl '${location.origin}/sandbox/wait?to=you@example.com&timeout=10'`;
window.addEventListener("hashchange", openMail);
document.addEventListener("visibilitychange", look);
$("unit").hidden = UNIT === null;
$("unit-name").textContent = `Business unit ${UNIT}`;
await attempt(load);
await attempt(loadRules);
await openMail();
setInterval(look, LOOK_EVERY);
