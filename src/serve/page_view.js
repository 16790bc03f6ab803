const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; texts are never read as markup. */
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

const draw = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

const picture = (className, width, height, title) =>
  draw("svg", { class: className, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title },
    draw("title", {}, title));

const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
const words = (name) => name.replaceAll("_", " ");

/** A mask's short form ("a3,f10-12*1.04") as the sets of layers left out. */
const readMask = (text) => {
  const out = { a: new Set(), f: new Set() };
  for (const [, kind, first, last] of text.matchAll(/([af])(\d+)(?:-(\d+))?/g)) {
    for (let layer = Number(first); layer <= Number(last ?? first); ++layer) out[kind].add(layer);
  }
  return out;
};

/** Layer by sublayer: a full square is computed, a hollow one is left out. */
const drawMask = (mask, layers) => {
  const STEP = 10;
  const out = readMask(mask);
  const count = out.a.size + out.f.size;
  const title = count === 0 ? `nothing is left out of ${2 * layers} sublayers`
    : `${count} of ${2 * layers} sublayers are left out: ${mask}`;
  const svg = picture("mask", 40 + STEP * layers, 2 * STEP + 2, title);
  for (const [row, [kind, name]] of [["a", "attn"], ["f", "ffn"]].entries()) {
    svg.append(draw("text", { x: 0, y: row * STEP + 9, "font-size": 9 }, name));
    for (let layer = 0; layer < layers; ++layer) {
      svg.append(draw("rect", { x: 40 + layer * STEP + 1, y: row * STEP + 2, width: STEP - 3, height: STEP - 3,
        class: out[kind].has(layer) ? "out" : "in" }));
    }
  }
  return make("div", {}, svg, make("p", { class: "quiet" }, title));
};

/** The confidence in each token, its mean over the rule's window, the threshold, and where the text ended. */
class ConfidenceChart {
  constructor(rule) {
    this.rule = rule;
    this.values = [];
    this.svg = picture("confidence", 100, 40, "confidence: no token yet");
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.each = draw("polyline", { class: "each" });
    this.mean = draw("polyline", { class: "mean" });
    this.limit = draw("line", { x1: 0, x2: 100 });
    this.svg.append(this.each, this.mean);
    if (rule.threshold !== null) this.svg.append(this.limit);
  }

  add(value) {
    this.values.push(value);
    this.redraw();
  }

  means() {
    const { window } = this.rule;
    return this.values.map((_, i) => {
      const part = this.values.slice(Math.max(0, i + 1 - window), i + 1);
      return part.reduce((sum, value) => sum + value, 0) / part.length;
    });
  }

  redraw() {
    const { threshold } = this.rule;
    const all = threshold === null ? this.values : [...this.values, threshold];
    const low = Math.min(...all);
    const height = (value) => 37 - 34 * (value - low) / (Math.max(...all) - low || 1);
    const along = (i) => (this.values.length === 1 ? 50 : 100 * i / (this.values.length - 1));
    const line = (values) => values.map((value, i) => `${along(i).toFixed(2)},${height(value).toFixed(2)}`).join(" ");
    this.each.setAttribute("points", line(this.values));
    this.mean.setAttribute("points", line(this.means()));
    if (threshold !== null) {
      this.limit.setAttribute("y1", height(threshold));
      this.limit.setAttribute("y2", height(threshold));
    }
    this.tell(`last ${this.values.at(-1).toFixed(2)}`);
  }

  tell(state) {
    const { threshold, confidence, window } = this.rule;
    const limit = threshold === null ? "no threshold"
      : `the text ends when the mean of ${window} is at most ${threshold.toFixed(2)}`;
    const title = `${words(confidence)}, ${this.values.length} tokens, ${state}; ${limit}`;
    this.svg.setAttribute("aria-label", title);
    this.svg.querySelector("title").textContent = title;
  }

  end(record) {
    if (record.stop_reason !== "low_confidence") return;
    this.svg.append(draw("line", { class: "end", x1: 99.5, x2: 99.5, y1: 0, y2: 40 }));
    this.tell("stopped for low confidence");
  }
}

/** One stage of one arm; its branches are columns. */
class StageView {
  constructor({ stage, options, layers, mask, exit }) {
    this.state = make("p", { class: "quiet" }, "reads …");
    this.branches = (options.length ? options : [""]).map((option) => {
      const chart = new ConfidenceChart(exit);
      const written = make("p", { class: "written" });
      const end = make("p", { class: "quiet" });
      const element = make("div", { class: "branch" }, ...(option ? [make("h4", {}, `Option ${option}`)] : []),
        written, chart.svg, end);
      chart.svg.toggleAttribute("hidden", true);
      return { element, written, chart, end };
    });
    const width = options.length > 1 ? "stage broad running" : "stage running";  // branches are columns
    this.element = make("section", { class: width }, make("h3", {}, stage), this.state,
      make("div", { class: "branches" }, ...this.branches.map(({ element }) => element)), drawMask(mask, layers));
    this.element.setAttribute("aria-label", `stage ${stage}`);
  }

  addText(branch, text) {
    this.state.textContent = "writes …";
    this.branches[branch].written.append(text);
  }

  addConfidence(branch, value) {
    const { chart } = this.branches[branch];
    chart.svg.toggleAttribute("hidden", false);
    chart.add(value);
  }

  end(records) {
    this.element.classList.remove("running");
    const sum = (key) => records.reduce((total, record) => total + record[key], 0);
    const fresh = sum("prompt_tokens") - sum("reused_tokens");
    this.ms = sum("prefill_ms") + sum("decode_ms");
    this.state.textContent = `${seconds(sum("prefill_ms"))} reading ${fresh} tokens (${sum("reused_tokens")} known), `
      + `${seconds(sum("decode_ms"))} writing ${sum("tokens")}`;
    for (const [i, record] of records.entries()) {
      const branch = this.branches[i];
      branch.written.textContent = record.text;
      branch.end.textContent = `${record.tokens} tokens, ended by ${words(record.stop_reason)}`;
      branch.chart.end(record);
    }
  }
}

/** One way of answering, with the full model or by a plan. */
class ArmView {
  constructor(name, { model, program }, lanes) {
    const title = name === "full" ? `Full model, ${program}` : `Plan ${model}`;
    this.name = name;
    this.views = new Map();
    this.answer = make("p", { class: "answer" });
    this.timeline = make("ol", { class: "timeline", "aria-label": "time of each stage" });
    this.stages = make("div", { class: "stages" });
    this.element = make("section", { class: "arm", "aria-label": title }, make("h2", {}, title), this.answer,
      this.timeline, this.stages);
    this.bar = make("div", { class: "run" });
    this.time = make("span", { class: "time" });
    this.started = performance.now();
    lanes.append(make("div", { class: `lane ${name}` }, make("span", {}, name === "full" ? "Full model" : "Plan"),
      make("div", { class: "track" }, this.bar), this.time));
  }

  get elapsed() { return this.total ?? performance.now() - this.started; }

  tick(longest) {
    this.bar.style.width = `${100 * this.elapsed / longest}%`;
    this.time.textContent = seconds(this.elapsed);
  }

  begin(event) {
    const view = new StageView(event);
    this.views.set(event.stage, view);
    this.stages.append(view.element);
  }

  endStage({ stage, records }) {
    const view = this.views.get(stage);
    view.end(records);
    const part = make("li", { title: `${stage}: ${seconds(view.ms)}` }, `${stage} ${seconds(view.ms)}`);
    part.style.flexGrow = view.ms;
    this.timeline.append(part);
  }

  end({ answer, total_ms: total }) {
    this.total = total;
    this.result = answer;
    this.answer.textContent = answer === null ? "No answer was found." : `Answer: ${answer}`;
  }
}
