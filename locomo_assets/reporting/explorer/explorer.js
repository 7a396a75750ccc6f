"use strict";
// The list of questions, and one question in a dialog. Texts of others only ever become text nodes.
(() => {
const PER_PAGE = 25;
const MARK = { correct: "✓", wrong: "✗", unscored: "?", unanswered: "!", "not judged": "·" };
const SIGN = { "+": "correct", "-": "wrong", "?": "unscored", "!": "unanswered", " ": "not asked" };
const find = id => document.getElementById(id);
const words = name => name.replaceAll("_", " ");

function make(tag, attributes, ...children) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) one.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) one.setAttribute(name, value === true ? "" : value);
  }
  one.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return one;
}

async function read() {
  const packed = Uint8Array.from(atob(find("data").textContent), letter => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// What a question is asked for in filters, columns and the search.
const idOf = one => `${one.conversation}/${one.question_index}`;
const linkOf = one => `#${encodeURIComponent(one.conversation)}/${one.question_index}`;
const now = one => one.sides[0];
const before = one => one.sides[1];
const scored = side => Boolean(side) && (side.verdict === "correct" || side.verdict === "wrong");

function change(one) {
  if (!scored(now(one)) || !scored(before(one))) return undefined;
  if (now(one).verdict === before(one).verdict) return "unchanged";
  return now(one).verdict === "correct" ? "gained" : "lost";
}

// Category 5 is in no count of the first screen, so it is not in what that leads to.
function apart(one, value) {
  return value !== undefined && one.category === 5 ? `${value}, category 5` : value;
}

function evidence(one) {
  const { evidence_retrieved: got } = now(one);
  const wanted = (one.evidence_turns || []).length;
  if (got === undefined || !wanted) return "unknown";
  return got >= wanted ? "all" : got > 0 ? "some" : "none";
}

function steadiness(one) {
  const { scored_times: times, correct_times: right } = now(one);
  if (!(times > 1)) return "asked once";
  return right > 0 && right < times ? "flaky" : "steady";
}

// Whether the judges of the release are of one mind.
function minds(one) {
  const said = [...(one.judged || "")].filter(sign => sign === "+" || sign === "-");
  if (said.length < 2) return undefined;
  return said.some(sign => sign !== said[0]) ? "judges disagree" : "judges agree";
}

function main(data) {
const categoryOf = one => `${one.category} ${data.categories[one.category]}`;
const FILTERS = [
  ["outcome", "Outcome", one => now(one).verdict],
  ["reason", "Where it failed", one => apart(one, now(one).reason)],
  ["changed", "Changed", one => apart(one, change(one))],
  ["step", "Changed at", one => apart(one, one.step)],
  ["category", "Category", categoryOf],
  ["conversation", "Conversation", one => one.conversation],
  ["evidence", "Evidence retrieved", evidence],
  ["flaky", "Over repeats", steadiness],
  ["judges", "Judges", one => apart(one, minds(one))],
];
const number = value => (value === undefined ? Infinity : value);
const COLUMNS = [
  ["Question", (a, b) => a.at - b.at],
  ["Verdict", (a, b) => now(a).verdict.localeCompare(now(b).verdict)],
  ["Before", (a, b) => (change(a) || "~").localeCompare(change(b) || "~")],
  ["Where it failed", (a, b) => (now(a).reason || "~").localeCompare(now(b).reason || "~")],
  ["Evidence", (a, b) => number(now(a).first_rank) - number(now(b).first_rank)],
  ["Last releases", (a, b) => a.strip.localeCompare(b.strip)],
  ["Category", (a, b) => a.category - b.category],
  ["ms", (a, b) => number(now(a).latency_ms) - number(now(b).latency_ms)],
  ["USD", (a, b) => number(now(a).cost_usd) - number(now(b).cost_usd)],
].filter(([name]) =>
  (name !== "Before" || data.releases.length > 1)
  && (name !== "Last releases" || data.last.length > 1)
  && (name !== "Where it failed" || data.questions.some(one => now(one).reason))
  && (name !== "Evidence" || data.questions.some(one => evidence(one) !== "unknown"))
  && (name !== "ms" || data.questions.some(one => now(one).latency_ms !== undefined))
  && (name !== "USD" || data.questions.some(one => now(one).cost_usd)));

const byId = new Map();
data.questions.forEach((one, at) => {
  one.at = at;
  byId.set(idOf(one), one);
});
const chosen = {};
let sortedBy = 0, downwards = false, found = [], first = 0, selected = -1;

function textOf(one) {
  one.text ??= [idOf(one), one.question, one.gold_answer, ...one.sides.flatMap(side =>
    side ? [side.answer, side.reasoning] : [])].join("\n").toLowerCase();
  return one.text;
}

function choose() {
  const wanted = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const active = FILTERS.filter(([name]) => chosen[name]);
  found = data.questions.filter(one =>
    active.every(([name, , of]) => of(one) === chosen[name])
    && wanted.every(word => byId.has(word) ? idOf(one) === word : textOf(one).includes(word)));
  const compare = COLUMNS[sortedBy][1];
  found.sort((a, b) => (downwards ? compare(b, a) : compare(a, b)) || a.at - b.at);
  first = 0;
  selected = -1;
  draw();
}

function badge(side) {
  if (!side) return "–";
  return make("span", { class: `verdict ${side.verdict.replace(" ", "-")}` }, `${MARK[side.verdict]} ${side.verdict}`);
}

function strip(one) {
  const said = [...one.strip].map((sign, at) => `${data.last[at]} ${SIGN[sign]}`).join(", ");
  return make("span", { class: "strip", title: said, role: "img", "aria-label": said },
    [...one.strip].map(sign => make("span", { class: SIGN[sign].replace(" ", "-") }, MARK[SIGN[sign]] || "·")));
}

function evidenceText(one) {
  if (evidence(one) === "unknown") return "–";
  const { evidence_retrieved: got, first_rank: rank } = now(one);
  return `${got} of ${one.evidence_turns.length}${rank ? `, rank ${rank}` : ""}`;
}

function flakiness(one) {
  const { scored_times: times, correct_times: right } = now(one);
  return times > 1 ? make("small", {}, ` right ${right} of ${times} times`) : null;
}

function divided(one) {
  return minds(one) === "judges disagree" ? make("small", {}, " judges disagree") : null;
}

function judgesOf(one) {
  return [...(one.judged || "")].map((sign, at) => make("div", {}, `${data.judges[at]}: `,
    make("span", { class: SIGN[sign].replace(" ", "-") }, SIGN[sign] === "not asked" ? "not judged" : SIGN[sign])));
}

const CELLS = {
  Verdict: one => [badge(now(one)), flakiness(one), divided(one)],
  Before: one => [badge(before(one)), ["gained", "lost"].includes(change(one))
    ? make("strong", { class: change(one) }, ` ${change(one)}`) : null],
  "Where it failed": one => words(now(one).reason || "–"),
  Evidence: evidenceText,
  "Last releases": strip,
  Category: categoryOf,
  ms: one => (now(one).latency_ms === undefined ? "–" : now(one).latency_ms.toFixed(0)),
  USD: one => (now(one).cost_usd === undefined ? "–" : now(one).cost_usd.toFixed(4)),
};

function cell(name, said) {
  return make("td", { "data-label": name, class: said === "–" && "none" }, said);
}

function draw() {
  const shown = found.slice(first, first + PER_PAGE);
  find("rows").replaceChildren(...shown.map((one, at) =>
    make("tr", { class: first + at === selected && "selected", "data-id": idOf(one) },
      make("th", { scope: "row" },
        make("a", { href: linkOf(one) }, one.question), make("small", {}, ` ${idOf(one)}`)),
      COLUMNS.slice(1).map(([name]) => cell(name, CELLS[name](one))))));
  const last = first + shown.length;
  find("shown").textContent = found.length
    ? `${first + 1}–${last} of ${found.length}${found.length < data.questions.length ? ` (all: ${data.questions.length})` : ""}`
    : `0 of ${data.questions.length}: no question fits`;
  find("earlier").disabled = first === 0;
  find("later").disabled = last >= found.length;
  find("sorts").replaceChildren(...COLUMNS.map(([name], at) =>
    make("th", { scope: "col", "aria-sort": at === sortedBy && (downwards ? "descending" : "ascending") },
      make("button", { type: "button", onclick: () => sort(at) },
        name, at === sortedBy ? (downwards ? " ▾" : " ▴") : ""))));
}

function sort(at) {
  downwards = at === sortedBy && !downwards;
  sortedBy = at;
  choose();
  find("sorts").querySelectorAll("button")[at].focus();
}

function turnPage(step) {
  first = Math.max(0, Math.min(first + step * PER_PAGE, Math.floor((found.length - 1) / PER_PAGE) * PER_PAGE));
  selected = -1;
  draw();
}

function select(place) {
  if (!found.length) return;
  selected = Math.max(0, Math.min(place, found.length - 1));
  first = Math.floor(selected / PER_PAGE) * PER_PAGE;
  draw();
  find("rows").children[selected - first].querySelector("a").focus();
}

function set(name, value) {
  chosen[name] = value;
  find(`by-${name}`).value = value;
}

function reset() {
  for (const select of find("filters").querySelectorAll("select")) set(select.dataset.name, "");
  find("search").value = "";
}

function makeFilters() {
  for (const [name, label, of] of FILTERS) {
    const counts = new Map();
    for (const one of data.questions) {
      const value = of(one);
      if (value !== undefined) counts.set(value, (counts.get(value) || 0) + 1);
    }
    // A filter that leaves all or nothing is none.
    if (!counts.size || (counts.size === 1 && counts.values().next().value === data.questions.length)) continue;
    const values = [...counts.keys()].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    const select = make("select", { id: `by-${name}`, "data-name": name, oninput: event => {
      chosen[name] = event.target.value;
      choose();
    } }, make("option", { value: "" }, "any"),
      values.map(value => make("option", { value }, `${words(value)} (${counts.get(value)})`)));
    find("filters").append(make("label", {}, `${label} `, select));
  }
}

// One question.
const dialog = find("question");
let open = null;

function field(name, ...value) {
  return [make("dt", {}, name), make("dd", {}, value)];
}

function turnsOf(one) {
  const wanted = new Set(one.evidence_turns || []);
  const there = data.conversations[one.conversation] || [];
  const places = there.filter(turn => wanted.has(turn.dia_id));
  const near = there.filter(turn => places.some(place =>
    place.session_index === turn.session_index && Math.abs(place.at - turn.at) <= 2));
  const missing = [...wanted].filter(dia => !places.some(turn => turn.dia_id === dia));
  const groups = [];
  for (const turn of near) {
    const last = groups.at(-1);
    if (last && last.at(-1).at + 1 === turn.at && last[0].session_index === turn.session_index) last.push(turn);
    else groups.push([turn]);
  }
  return make("section", { class: "turns" }, make("h3", {}, "Evidence"),
    wanted.size ? null : make("p", { class: "soft" }, "The data set names no evidence."),
    missing.length ? make("p", { class: "soft" }, `Not in the conversation: ${missing.join(", ")}.`) : null,
    groups.map(group => [
      make("p", { class: "soft" }, group[0].date_text || "no date"),
      make("ol", {}, group.map(turn => make("li", { class: wanted.has(turn.dia_id) && "evidence" },
        make("span", { class: "soft" }, `${turn.dia_id} `), make("b", {}, `${turn.speaker || ""}: `), turn.text || "–",
        turn.image_caption ? make("i", {}, ` [image: ${turn.image_caption}]`) : null,
        wanted.has(turn.dia_id) ? one.sides.map((side, at) => fate(side, turn.dia_id, data.releases[at])) : null)))]));
}

// Evidence without a rank that was there all the same: the message had it, and memory was off.
function wasGiven(piece) {
  return piece.retrieved === true && !piece.retrieved_rank;
}

// What became of an evidence turn in a release.
function fate(side, dia, release) {
  const piece = side && (side.evidence || []).find(each => each.dia_id === dia);
  if (!piece) return null;
  let text = "not known", kind = "lost";
  if (piece.retrieved_rank) text = `retrieved, rank ${piece.retrieved_rank}`;
  else if (wasGiven(piece)) [text, kind] = ["in the message", "soft"];
  else if (piece.stored === false) {
    const status = piece.operation_status;
    text = `never stored${status && status !== "completed" ? ` (operation: ${words(status)})` : ""}`;
  } else if (piece.stored && side.evidence_retrieved !== undefined) text = "not retrieved";
  else kind = "soft";
  return make("span", { class: `fate ${piece.retrieved_rank ? "gained" : kind}` }, `${release}: ${text}`);
}

function memoriesOf(one, side) {
  const wanted = new Set(one.evidence_turns || []);
  if (!side.retrieved) {
    if ((side.evidence || []).some(wasGiven)) {
      return make("p", { class: "soft" }, "None: the evidence was in the message, and memory was off.");
    }
    const why = side.memories_retrieved === 0 ? "Nothing was retrieved." : "It is not known what was retrieved.";
    return make("p", { class: "soft" }, why);
  }
  return make("ol", { class: "memories" }, side.retrieved.map(([rank, place]) => {
    const memory = data.memories[place];
    const held = memory.turns.filter(dia => wanted.has(dia));
    return make("li", { value: rank, class: held.length && "evidence" },
      held.length ? make("strong", {}, `evidence, rank ${rank}: `) : null, memory.text || "–",
      make("small", {}, memory.turns.length
        ? ` ${memory.turns.join(", ")}${memory.traced_by === "words" ? ", by its words" : ""}` : " not traced"));
  }));
}

function idField(name, column, value) {
  return value ? field(name, make("code", {}, `${column} = '${value}'`)) : null;
}

function sideOf(one, side, release) {
  if (!side) return make("section", { class: "side" }, make("h3", {}, release), make("p", {}, "Not asked."));
  const spent = (side.cost_usd || 0) + (side.judge_cost_usd || 0);
  const costs = side.cost_usd === undefined && side.judge_cost_usd === undefined ? "–" : `${spent.toFixed(5)} USD`;
  const stage = side.reason || (side.stage === "unknown" ? undefined : side.stage);
  return make("section", { class: "side" },
    make("h3", {}, `${release} `, badge(side), flakiness(one.sides[0] === side ? one : { sides: [side] })),
    make("dl", {},
      field("answer", side.answer || side.why_no_verdict || "–"),
      field("the judge", side.reasoning || side.why_no_verdict || "–"),
      stage ? field(side.reason ? "where it failed" : "stage", make("strong", {}, words(stage)),
        side.detail ? ` – ${side.detail}` : "") : null,
      field("time, cost", side.latency_ms === undefined ? "– ms" : `${side.latency_ms.toFixed(0)} ms`, ` · ${costs}`)),
    make("h4", {}, "Retrieved memories"), memoriesOf(one, side),
    make("details", {}, make("summary", {}, "Where it comes from, for SQL"), make("dl", {},
      idField("answer", "answer_id", side.answer_id), idField("verdict", "judgement_id", side.judgement_id),
      idField("memory", "ingestion_id", side.ingestion_id),
      side.judgement_id ? field("all of it", make("code", {},
        `FROM lineage WHERE judgement_id = '${side.judgement_id}' AND release = '${release}'`)) : null)));
}

function show(one) {
  open = one;
  const place = found.indexOf(one);
  dialog.replaceChildren(
    make("form", { method: "dialog", class: "bar-top" },
      make("button", { type: "button", disabled: place <= 0, onclick: () => step(-1) }, "← previous"),
      make("button", { type: "button", disabled: place < 0 || place >= found.length - 1, onclick: () => step(1) }, "next →"),
      make("span", { class: "soft" }, place < 0 ? "" : `${place + 1} of ${found.length}`),
      make("button", { class: "close" }, "close")),
    make("p", { class: "soft" }, make("a", { href: linkOf(one) }, idOf(one)), ` · category ${categoryOf(one)} `,
      data.last.length > 1 ? strip(one) : null),
    make("h2", { id: "asked", tabindex: "-1" }, one.question),
    make("dl", {}, field("gold answer", one.gold_answer || "–"),
      one.judged ? field("judges", judgesOf(one)) : null,
      one.adversarial_answer ? field("the trap", one.adversarial_answer) : null,
      one.step ? field("changed at", words(one.step)) : null),
    turnsOf(one),
    make("div", { class: "sides" }, one.sides.map((side, at) => sideOf(one, side, data.releases[at]))));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  find("asked").focus({ preventScroll: true });
}

function step(by) {
  const next = found[found.indexOf(open) + by];
  if (next) location.replace(linkOf(next));
}

// The question that the address names.
function named() {
  try {
    return byId.get(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return undefined;
  }
}

function follow() {
  const one = named();
  if (one) show(one);
  else if (dialog.open) dialog.close();
}

dialog.addEventListener("close", () => {
  if (named()) history.replaceState(null, "", location.href.split("#")[0]);
  const place = found.indexOf(open);
  open = null;
  if (place >= 0) select(place);
});
dialog.addEventListener("click", event => event.target === dialog && dialog.close());
window.addEventListener("hashchange", follow);
find("search").addEventListener("input", choose);
find("earlier").addEventListener("click", () => turnPage(-1));
find("later").addEventListener("click", () => turnPage(1));
find("reset").addEventListener("click", () => { reset(); choose(); });
document.querySelector("form.filters").addEventListener("submit", event => {
  event.preventDefault();
  select(0);
});
for (const link of document.querySelectorAll("a[data-filter]")) {
  link.addEventListener("click", () => {
    if (!find(`by-${link.dataset.filter}`)) return;
    reset();
    set(link.dataset.filter, link.dataset.value);
    choose();
  });
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") {
      event.preventDefault();  // a browser would empty the field and not say so
      event.target.blur();
    }
    return;
  }
  const by = { j: 1, k: -1 }[event.key];
  if (by && dialog.open) step(by);
  else if (by) select(selected < 0 ? first : selected + by);
  else if (event.key === "/" && !dialog.open) {
    event.preventDefault();
    find("search").focus();
    find("search").select();
  }
});

makeFilters();
choose();
find("closed").hidden = true;
find("explorer").hidden = false;
performance.mark("opened");
follow();
}

read().then(main, error => {
  find("closed").className = "warning";
  find("closed").textContent = `The questions can't be opened: ${error.message}. A browser of 2023 or later can.`;
});
})();
