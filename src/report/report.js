"use strict";
// The browser of questions. Whatever a model or a question set wrote is put in as text, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("question-data").textContent);
  const root = document.getElementById("browser");

  /** An element with properties, and children that are elements or texts. */
  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  const taskOf = (entry) => data.questions[entry.question].task;

  /** A labelled choice; `values` are [value, name] pairs. */
  const makeFilter = (label, values) => {
    const select = make("select", {}, ...values.map(([value, name]) => make("option", { value }, name)));
    return { select, field: make("label", {}, label, select) };
  };

  const unique = (values) => [...new Set(values)];
  const task = makeFilter("Task", [["", "all"], ...data.tasks.map((name, i) => [String(i), name])]);
  const policy = makeFilter("Policy", [
    ["", "all"], ...unique(data.entries.map((entry) => entry.policy)).map((name) => [name, name])]);
  const kind = makeFilter("Compared with the full model", [
    ["", "lost and gained"], ["lost", "lost: full alone is right"], ["gained", "gained: full alone is wrong"]]);
  const words = make("input", { type: "search", placeholder: "in question or texts" });
  const wordsField = make("label", {}, "Contains", words);
  const count = make("output", { ariaLive: "polite" });
  const list = make("ul", { className: "entries" });
  list.setAttribute("aria-label", "Questions");
  const detail = make("div", { className: "detail" });
  detail.setAttribute("role", "region");
  detail.setAttribute("aria-label", "Chosen question");

  /** Everything of a question that can be searched, in small letters; made when it is first asked for. */
  const searchable = new Map();
  const textOf = (number) => {
    if (!searchable.has(number)) {
      const question = data.questions[number];
      const texts = Object.values(question.answers).flatMap((answer) => answer.stages.map((stage) => stage.text));
      searchable.set(number, [question.id, question.text, ...texts].join("\n").toLowerCase());
    }
    return searchable.get(number);
  };

  const matches = (entry) =>
    (task.select.value === "" || String(taskOf(entry)) === task.select.value) &&
    (policy.select.value === "" || entry.policy === policy.select.value) &&
    (kind.select.value === "" || entry.kind === kind.select.value) &&
    (words.value.trim() === "" || textOf(entry.question).includes(words.value.trim().toLowerCase()));

  const kindMark = (entry) => make("span", { className: `kind ${entry.kind}` }, entry.kind);

  const optionList = (question, answers) => {
    const items = question.options.map(([letter, text]) => {
      const notes = answers.filter(([, answer]) => answer.prediction === letter).map(([name]) => name);
      if (letter === question.gold) notes.unshift("right");
      const item = make("li", {}, `(${letter}) ${text} `);
      if (notes.length > 0) item.append(make("small", {}, `← ${notes.join(", ")}`));
      return item;
    });
    return make("ul", { className: "options" }, ...items);
  };

  /** How many characters two texts have in common at their beginnings, whole words alone. */
  const commonLength = (left, right) => {
    let length = 0;
    while (length < left.length && left[length] === right[length]) length += 1;
    if (length === left.length && length === right.length) return length;
    return left.lastIndexOf(" ", length - 1) + 1;
  };

  /** Nothing for what was answered beside other questions. */
  const timeText = (ms) => (ms === null ? "" : `, ${ms.toFixed(0)} ms`);

  const textBox = (name, stage, common) => {
    const box = make("div", {}, make("h5", {}, name));
    if (stage === undefined) {
      box.append(make("small", {}, "has no such stage"));
      return box;
    }
    box.append(make("pre", {}, make("span", { className: "same" }, stage.text.slice(0, common)),
      stage.text.slice(common)));
    const mask = ["", "none"].includes(stage.mask) ? "" : `, without ${stage.mask}`;
    box.append(make("small", {},
      `${stage.tokens} tokens${timeText(stage.ms)}, ended by ${stage.stop.replaceAll("_", " ")}${mask}`));
    return box;
  };

  const keyOf = (stage) => `${stage.name}\n${stage.option}`;
  const titleOf = (stage) => (stage.option === "" ? stage.name : `${stage.name} (${stage.option})`);

  /** Both texts of every stage that either of the two has. */
  const stageTexts = (full, other) => {
    const parts = [];
    const places = unique([...full.answer.stages, ...other.answer.stages].map(keyOf));
    for (const place of places) {
      const left = full.answer.stages.find((stage) => keyOf(stage) === place);
      const right = other.answer.stages.find((stage) => keyOf(stage) === place);
      const common = left && right ? commonLength(left.text, right.text) : 0;
      parts.push(make("h4", {}, titleOf(left ?? right)),
        make("div", { className: "texts" }, textBox(full.name, left, common), textBox(other.name, right, common)));
    }
    return parts;
  };

  const verdict = ({ name, answer }) =>
    `${name}: ${answer.prediction === "" ? "no answer" : answer.prediction}, ` +
    `${answer.correct ? "right" : "wrong"}${timeText(answer.ms)}`;

  const show = (entry) => {
    const question = data.questions[entry.question];
    const [full, other] = [data.full[question.task], entry.policy].map(
      (name) => ({ name, answer: question.answers[name] }));
    detail.replaceChildren(
      make("h3", {}, question.text),
      optionList(question, [[full.name, full.answer], [other.name, other.answer]]),
      make("p", {}, kindMark(entry), ` · right: ${question.gold} · ${verdict(full)} · ${verdict(other)}`),
      ...stageTexts(full, other));
  };

  // A list of thousands is drawn a portion at a time.
  const PORTION = 200;
  let matching = [];  // numbers of entries
  let chosen = null;  // the button

  /** Makes a button the chosen one: the only one that Tab comes to. */
  const choose = (button) => {
    if (chosen !== null) {
      chosen.tabIndex = -1;
      chosen.setAttribute("aria-current", "false");
    }
    chosen = button;
    chosen.tabIndex = 0;
    chosen.setAttribute("aria-current", "true");
    show(data.entries[Number(button.dataset.entry)]);
  };

  const more = make("button", { type: "button", className: "more" });
  const buttons = () => [...list.querySelectorAll("button")];

  const itemOf = (number) => {
    const entry = data.entries[number];
    const question = data.questions[entry.question];
    const button = make("button", { type: "button", tabIndex: -1 }, kindMark(entry), ` ${question.id}`,
      make("small", {}, `${entry.policy} · ${data.tasks[question.task]}`));
    button.dataset.entry = String(number);
    button.setAttribute("aria-current", "false");
    return make("li", {}, button);
  };

  const drawMore = (most = PORTION) => {
    const drawn = list.childElementCount;
    list.append(...matching.slice(drawn, drawn + most).map(itemOf));
    const left = matching.length - list.childElementCount;
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(PORTION, left)} more of ${left}`;
  };

  const refresh = () => {
    matching = [...data.entries.keys()].filter((number) => matches(data.entries[number]));
    list.replaceChildren();
    chosen = null;
    drawMore();
    count.textContent = `${matching.length} of ${data.entries.length}`;
    if (matching.length > 0) choose(list.querySelector("button"));
    else detail.replaceChildren(make("p", { className: "quiet" }, "No question is left by these filters."));
  };

  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button);
  });
  list.addEventListener("keydown", (event) => {
    const at = buttons().indexOf(document.activeElement);
    const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: matching.length - 1 }[event.key];
    if (at < 0 || target === undefined) return;
    event.preventDefault();
    if (target >= list.childElementCount) drawMore(Math.max(PORTION, target + 1 - list.childElementCount));
    const all = buttons();
    const button = all[Math.min(Math.max(target, 0), all.length - 1)];
    button.focus();
    choose(button);
  });
  more.addEventListener("click", () => {
    const first = list.childElementCount;
    drawMore();
    buttons()[first].focus();
  });
  for (const filter of [task, policy, kind]) filter.select.addEventListener("change", refresh);
  words.addEventListener("input", refresh);

  root.append(make("div", { className: "filters" }, task.field, policy.field, kind.field, wordsField, count),
    make("div", { className: "browser" }, make("div", {}, list, more), detail));
  refresh();
  root.hidden = false;
})();
