// Puts the page together: the table of candidates, the items, the charts, and picking a candidate.
let picked = startName;
let candidateTable = null;

function pick(name) {
  const row = rowByName.get(name);
  if (!row) return;
  markPicked(name);
  showCandidate(row, pick);
}

function markPicked(name) {
  picked = name;
  showPicked(name);
  candidateTable?.draw();
  document.querySelectorAll("[data-picked-name]").forEach((node) => { node.textContent = name; });
  document.querySelectorAll("[data-look-at]").forEach((node) => { node.setAttribute("aria-pressed", String(node.dataset.lookAt === name)); });
  document.querySelectorAll("[data-path-words]").forEach((node) => { node.textContent = pathWords(name); });
  document.querySelector("[data-chart=path]")?.setAttribute("aria-label", `The path of ${name}: ${pathWords(name)}.`);
  document.querySelectorAll("[data-weights-of]").forEach((node) => { node.textContent = weightsOf(name); });
  document.querySelectorAll("[data-made-of]").forEach((node) => { node.replaceChildren(...compositionParts(rowByName.get(name))); });
}

function pathWords(name) {
  const row = rowByName.get(name);
  const { words } = compositionOf(row);
  if (words) return words;
  const parents = parentsOf(recipeOf(row));
  if (parents.length === 1) return `all layers of ${parents[0]}, each once, in their order`;
  return `each layer is merged from the same layer of ${listed(parents)}, in their order`;
}

function listed(words) {
  return [words.slice(0, -1).join(", "), ...words.slice(-1)].filter(Boolean).join(" and ");
}

function weightsOf(name) {
  const { layers, merge } = weighed(rowByName.get(name));
  if (merge !== null) return `The weights of ${merge}, which the path runs through. Where the path says "${merge} 4", see layer 4 here:`;
  return layers.some((source) => Object.keys(source.values).length) ? "" : "It copies layers: no weights of a merge are in it.";
}

function drawCandidates(host) {
  const score = (task) => ({ key: task, title: task, number: true, value: (row) => row.by_task[task], text: (row) => fixed(row.by_task[task]) });
  candidateTable = sortedTable(host, {
    label: "candidates", rows, sort: page.is_raced ? { key: "generation", descending: true } : { key: "fitness", descending: true },
    hint: "filter: g05, or fitness>0.7 generation<4",
    open: (row) => pick(row.name),
    isMarked: (row) => row.name === picked,
    columns: [
      { key: "name", title: "candidate", value: (row) => row.name },
      { key: "generation", title: "generation", number: true, value: (row) => row.generation, text: (row) => (row.generation === -1 ? "scan" : String(row.generation)) },
      { key: "fitness", title: "fitness", number: true, value: (row) => row.fitness, text: (row) => (row.fitness === null ? "failed" : fixed(row.fitness)) },
      { key: "stderr", title: "±", number: true, value: (row) => row.stderr, text: (row) => fixed(row.stderr) },
      { key: "items", title: "items", number: true, value: (row) => row.items },
      ...page.tasks.map(score),
      { key: "id", title: "id", value: (row) => row.id, text: (row) => row.id.slice(0, 12) },
    ],
  });
}

function start() {
  const candidateHost = document.getElementById("candidate-table");
  if (candidateHost && rows.length) drawCandidates(candidateHost);
  const itemHost = document.getElementById("item-table");
  if (itemHost && page.items) drawItems(itemHost);
  document.querySelectorAll("[data-candidate]").forEach((node) => node.addEventListener("click", () => pick(node.dataset.candidate)));
  document.querySelectorAll("[data-look-at]").forEach((node) => node.addEventListener("click", () => markPicked(node.dataset.lookAt)));
  const regions = () => document.querySelectorAll("body > .scroll, section .scroll");
  regions().forEach(saysItScrolls);
  for (const event of ["resize", "toggle"]) window.addEventListener(event, () => regions().forEach(saysItScrolls), true);
  const open = () => {
    const wanted = location.hash.match(/^#candidate=(.*)$/);
    if (wanted) pick(decodeURIComponent(wanted[1]));
  };
  window.addEventListener("hashchange", open);
  drawCharts(picked, pick).then(() => { markPicked(picked); open(); });
}

start();
