// Who solves which item of the test split, and the items that the champion gained and lost.
function drawItems(host) {
  const { models, outcomes, higher_is_better: isBetter } = page.items;
  const sign = (task) => (isBetter[task] ? 1 : -1);
  const isRight = (outcome, i) => outcome.scores[i] !== null && outcome.scores[i] * sign(outcome.task) > (isBetter[outcome.task] ? 0.5 : -0.5);
  const ahead = (outcome, i) => (outcome.scores[0] === null || outcome.scores[i] === null ? 0 : sign(outcome.task) * (outcome.scores[0] - outcome.scores[i]));
  const near = models.map((model, i) => i).filter((i) => ["champion", "parent", "base"].includes(models[i].kind));
  const hasWords = outcomes.some((outcome) => outcome.prompt !== undefined);
  const tests = { "all items": () => true, "only the champion solves": (o) => isRight(o, 0) && models.every((_, i) => i === 0 || !isRight(o, i)), "nobody solves": (o) => models.every((_, i) => !isRight(o, i)) };
  models.forEach((model, i) => {
    if (i === 0) return;
    tests[`gained against ${model.name}`] = (o) => ahead(o, i) > 0;
    tests[`lost against ${model.name}`] = (o) => ahead(o, i) < 0;
  });
  const which = element("select", { "aria-label": "which items" }, ...Object.keys(tests).map((text) => element("option", {}, text)));
  const task = element("select", { "aria-label": "task" }, element("option", { value: "" }, "all tasks"), ...Object.keys(isBetter).map((name) => element("option", { value: name }, name)));
  const every = element("input", { type: "checkbox" });
  const tableHost = element("div");
  host.replaceChildren(
    element("div", { class: "bar" }, element("label", {}, "show", which), element("label", {}, "of", task), element("label", {}, every, "all models")),
    tableHost);
  let table;
  const rebuild = () => {
    const shown = every.checked ? models.map((_, i) => i) : near;
    table = sortedTable(tableHost, {
      label: "items", rows: outcomes, size: 20, hint: "filter by text, such as 7 + 5",
      sort: { key: "task", descending: false },
      open: (outcome) => showItem(outcome, models),
      columns: [
        { key: "item", title: hasWords ? "question" : "item", value: (o) => o.prompt ?? o.item, isShort: true, class: () => "short" },
        { key: "task", title: "task", value: (o) => o.task },
        ...shown.map((i) => ({
          key: models[i].name, title: models[i].name, value: (o) => o.scores[i], text: (o) => mark(o.scores[i]),
          class: (o) => (o.scores[i] === 1 ? "yes" : o.scores[i] === 0 ? "no" : "number"),
        })),
      ],
    });
    apply();
  };
  const apply = () => table.filter((o) => tests[which.value](o) && (!task.value || o.task === task.value));
  which.addEventListener("change", apply);
  task.addEventListener("change", apply);
  every.addEventListener("change", rebuild);
  document.querySelectorAll("[data-show-items]").forEach((button) => button.addEventListener("click", () => {
    which.value = button.dataset.showItems;
    task.value = button.dataset.task;
    if (!near.some((i) => models[i].name === button.dataset.model)) every.checked = true; // its answers are to be seen
    rebuild();
    which.focus();
    host.scrollIntoView();
  }));
  rebuild();
}

function mark(score) {
  if (score === 1) return "✓";
  if (score === 0) return "✗";
  return fixed(score);
}

function showItem(outcome, models) {
  const answers = outcome.answers ?? {};
  openDialog(
    `Item ${outcome.item}`,
    element("p", {}, `Task ${outcome.task}.`),
    outcome.prompt === undefined ? element("p", { class: "note" }, "The words of this item are not on record.") : element("pre", {}, outcome.prompt),
    outcome.target ? element("p", {}, "Right answer: ", element("code", {}, outcome.target)) : null,
    plainTable(["model", "kind", ["score", "number"], "answer"], models.map((model, i) => [
      model.name, model.kind, [mark(outcome.scores[i]), outcome.scores[i] === 1 ? "yes" : outcome.scores[i] === 0 ? "no" : "number"], [answers[model.name] ?? (outcome.answers ? element("small", {}, "not kept") : ""), "wrap"]])),
  );
}
