const EXAMPLES = [
  { name: "What a magnet picks up", question: "Which of these would a magnet pick up?",
    options: ["a paper cup", "a rubber band", "a wooden pencil", "a steel nail"] },
  { name: "A shadow at noon", question: "When is your shadow outdoors the shortest?",
    options: ["at sunrise", "around noon", "at sunset", "at midnight"] },
  { name: "Yes or no: boiling water", question: "Is boiling water hot enough to burn your skin?", options: ["yes", "no"] },
  { name: "A number: boxes of eggs",
    question: "A farmer packs 7 boxes with 12 eggs each and has 5 eggs left. How many eggs were there?", options: [] },
];

const part = (id) => document.getElementById(id);
const say = (text) => { part("said").textContent = text; };

let offers = [];
let running = null;  // an AbortController while a question is answered

const plansOf = (program) =>
  offers.filter(({ litestage }) => litestage.kind === "plan" && litestage.program === program);

const fill = (select, values, label = (value) => value) =>
  select.replaceChildren(...values.map((value, i) => make("option", { value: String(value.id ?? i) }, label(value))));

const showPlans = () => {
  const plans = plansOf(part("program").value);
  fill(part("plan"), plans.length ? plans : [{ id: "" }], ({ id }) => (id ? id.split("@").at(-1) : "none for this program"));
  for (const radio of part("ask").elements.mode) {
    if (radio.value === "full") continue;
    radio.disabled = plans.length === 0;
    if (radio.disabled && radio.checked) part("ask").elements.mode.value = "full";
  }
  part("plan").disabled = plans.length === 0;
};

const showOffers = async () => {
  try {
    offers = await readOffers(part("key").value);
  } catch (fault) {
    part("state").textContent = fault.status === 401 ? "The server asks for its API key." : `Not ready: ${fault.message}`;
    if (fault.status === 401) part("access").open = true;
    else setTimeout(showOffers, 2000);
    return;
  }
  const programs = offers.filter(({ litestage }) => litestage.kind === "program");
  const usual = programs.find(({ id }) => plansOf(id).length > 0)?.id;
  fill(part("program"), programs, ({ id }) => id);
  if (usual) part("program").value = usual;
  const [{ id, litestage }] = offers;
  part("state").textContent = `${id} (${litestage.architecture}) is ready.`;
  showPlans();
  if (plansOf(part("program").value).length > 0) part("ask").elements.mode.value = "both";
};

const showExample = () => {
  const { question, options } = EXAMPLES[Number(part("example").value)];
  part("question").value = question;
  part("options").value = options.join("\n");
};

const request = () => {
  const options = part("options").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const mode = part("ask").elements.mode.value;
  return {
    question: part("question").value, program: part("program").value, mode, confidence: true,
    ...(options.length ? { options } : {}),
    ...(mode === "full" ? {} : { plan: part("plan").value }),
  };
};

/** What can be said when both have answered. */
const verdict = (arms) => {
  const [full, plan] = arms;
  if (!plan?.total || !full.total) return "";
  const ratio = full.total / plan.total;
  const speed = ratio >= 1 ? `${ratio.toFixed(2)} times as fast as` : `${(1 / ratio).toFixed(2)} times as slow as`;
  return `The plan is ${speed} the full model here, with ${full.result === plan.result ? "the same" : "another"} answer.`;
};

/** Draws what comes of one question. */
const follow = () => {
  const arms = new Map();
  const tick = () => {
    const longest = Math.max(1, ...[...arms.values()].map((arm) => arm.elapsed));
    for (const arm of arms.values()) arm.tick(longest);
  };
  const clock = setInterval(tick, 100);
  return {
    onEvent(name, event) {
      const arm = arms.get(event.arm);
      if (name === "begin") {
        const view = new ArmView(event.arm, event, part("lanes"));
        arms.set(event.arm, view);
        part("arms").append(view.element);
      } else if (name === "stage_begin") {
        arm.begin(event);
        say(`stage ${event.stage} begins`);
      } else if (name === "text") {
        arm.views.get(event.stage).addText(event.branch, event.text);
      } else if (name === "confidence") {
        arm.views.get(event.stage).addConfidence(event.branch, event.value);
      } else if (name === "stage_end") {
        arm.endStage(event);
      } else if (name === "answer") {
        arm.end(event);
        say(arm.answer.textContent);
      }
    },
    end() {
      clearInterval(clock);
      for (const arm of arms.values()) arm.total ??= performance.now() - arm.started;
      tick();
    },
    verdict: () => verdict([...arms.values()]),
  };
};

const ask = async () => {
  if (running) return;
  running = new AbortController();
  part("start").disabled = true;
  part("stop").disabled = false;
  part("fault").textContent = "";
  part("verdict").textContent = "";
  part("lanes").replaceChildren();
  part("arms").replaceChildren();
  part("race").hidden = false;
  const shown = follow();
  try {
    await askInStages(request(), part("key").value, running.signal, shown.onEvent);
    shown.end();
    part("verdict").textContent = shown.verdict();
  } catch (fault) {
    shown.end();
    part("fault").textContent = fault.name === "AbortError" ? "Stopped." : fault.message;
    if (fault.status === 401) part("access").open = true;
  }
  running = null;
  part("start").disabled = false;
  part("stop").disabled = true;
};

fill(part("example"), EXAMPLES, ({ name }) => name);
showExample();
part("example").addEventListener("change", showExample);
part("program").addEventListener("change", showPlans);
part("key").addEventListener("change", showOffers);
part("stop").addEventListener("click", () => running?.abort());
part("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
  if (event.key === "Enter" && event.ctrlKey && part("ask").reportValidity()) ask();
});
showOffers();
