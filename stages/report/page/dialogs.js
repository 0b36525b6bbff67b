// What opens when a candidate or an item is clicked.
const dialog = document.getElementById("details");
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));

function openDialog(title, ...parts) {
  const close = element("button", { type: "button", onclick: () => dialog.close() }, "close");
  dialog.replaceChildren(element("div", { class: "bar" }, element("h2", {}, title), close), ...parts.filter((part) => part !== null));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelectorAll(".scroll").forEach(saysItScrolls);
}

function showCandidate(row, pick) {
  const champion = rowByName.get(startName);
  openDialog(
    row.name,
    element("p", {}, standing(row)),
    row.error ? element("pre", { class: "error" }, row.error) : null,
    element("h3", {}, "Make its model again"),
    commandLine(`germline materialize ${shellWord(row.name)} OUT`),
    element("div", { class: "columns" },
      element("section", {}, element("h3", {}, "Scores"), scoreTable(row)),
      element("section", {}, element("h3", {}, "Ancestors"), names(row.ancestors, pick),
        element("h3", {}, "Children"), names(row.children, pick))),
    element("h3", {}, champion && champion !== row ? `Genes, and how they differ from ${champion.name}` : "Genes"), geneTable(row, champion),
    element("h3", {}, "What it is made of"), ...compositionParts(row),
    element("details", {}, element("summary", {}, "Recipe"), element("pre", {}, JSON.stringify(recipeOf(row), null, 2))),
    element("p", { class: "note" }, `id ${row.id}`, element("br"), `weights ${row.weights_hash ?? "none: it failed"}`),
  );
  history.replaceState(null, "", `#candidate=${encodeURIComponent(row.name)}`);
}

function generationOf(row) {
  return row.generation === -1 ? "Scan before the search" : `Generation ${row.generation}`;
}

function standing(row) {
  if (row.fitness === null) return `${generationOf(row)}. It failed and has no scores.`;
  const score = `fitness ${fixed(row.fitness)} ± ${fixed(row.stderr)} on ${row.items} search items`;
  if (!row.ended) return `${generationOf(row)}: ${score}. A race stopped it early.`;
  const order = page.is_raced ? "" : `, number ${row.rank} of ${ended.length} by search fitness`;
  return `${generationOf(row)}: ${score}${order}${row.unbeaten ? "; no other is at least as good in every task and better in one" : ""}.`;
}

function commandLine(text) {
  const copy = element("button", { type: "button", class: "no-print", onclick: async () => {
    try { await navigator.clipboard.writeText(text); copy.textContent = "copied"; } catch { getSelection().selectAllChildren(line); copy.textContent = "marked: press Ctrl+C"; }
  } }, "copy");
  const line = element("code", {}, text);
  return element("p", {}, line, " ", copy);
}

function shellWord(name) {
  return /^[\w.@%+:,/-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}

function names(list, pick) {
  if (!list.length) return element("p", {}, "none");
  const shown = list.slice(0, 60).flatMap((name) => [rowByName.has(name) ? linkButton(name, () => pick(name)) : name, " "]);
  return element("p", {}, ...shown, list.length > 60 ? `and ${list.length - 60} more` : null);
}

function scoreTable(row) {
  const ofSplit = (split) => page.candidates.scores[split] ?? {};
  const splits = ["search", "validation", "test"].filter((split) => Object.values(ofSplit(split)).some((scores) => scores[row.index]));
  const named = new Set(splits.flatMap((split) => Object.keys(ofSplit(split))));
  const tasks = [...page.tasks.filter((task) => named.has(task)), ...[...named].filter((task) => !page.tasks.includes(task))];
  const lines = tasks.map((task) => [task, ...splits.map((split) => {
    const score = page.candidates.scores[split][task]?.[row.index];
    return [score ? `${fixed(score[0])} ± ${fixed(score[1])}` : "", "number"];
  })]);
  return lines.length ? plainTable(["task", ...splits.map((split) => [split, "number"])], lines) : element("p", {}, "none");
}

function compositionParts(row) {
  return partsOf(compositionOf(row));
}

function partsOf({ layers, path = [], words = "", exceptions = [], merges = {} }) {
  const parts = exceptions.map((text) => element("p", {}, text));
  if (path.length) {
    parts.push(element("p", {}, words));
    parts.push(plainTable(["layer", "comes from", ["attention gain", "number"], ["MLP gain", "number"]], path.map((hop) => [
      String(hop.layer), `${hop.ancestor} layer ${hop.source_layer}`, [fixed(hop.attention_gain, 4), "number"], [fixed(hop.mlp_gain, 4), "number"]])));
  }
  for (const [name, merge] of Object.entries(merges)) parts.push(element("h4", {}, `${name}, which the path runs through`), ...partsOf(merge));
  const isPlain = layers.every((source) => Object.keys(source.values).length === 0);
  if (!isPlain || !path.length) parts.push(plainTable(["layers", "component", "method", "values"], layers.map((source) => [layerName(source), source.component && source.first !== undefined ? source.component : "all", source.method, [valueText(source.values), "wrap"]])));
  return parts;
}

function layerName(source) {
  if (source.first === undefined) return "outside the layers";
  return source.first === source.last ? `${source.first}` : `${source.first} to ${source.last}`;
}

function valueText(values) {
  return Object.entries(values).map(([key, value]) => {
    if (value === null || typeof value !== "object") return `${key} ${value}`;
    return `${key}: ${Object.entries(value).map(([parent, one]) => `${parent} ${one}`).join(", ")}`;
  }).join("; ");
}

function geneTable(row, champion) {
  const genes = Object.entries(row.values).filter(([, value]) => value !== null);
  if (!genes.length) return element("p", {}, "none");
  if (!champion || champion === row) return plainTable(["gene", ["value", "number"]], genes.map(([gene, value]) => [gene, [fixed(value, 4), "number"]]));
  const compared = genes.map(([gene, value]) => [gene, value, champion.values[gene] ?? null]);
  const size = ([, value, other]) => (other === null ? 0 : Math.abs(value - other));
  compared.sort((a, b) => size(b) - size(a));
  return plainTable(["gene", [row.name, "number"], [champion.name, "number"], ["difference", "number"]], compared.map(([gene, value, other]) => [
    gene, [fixed(value, 4), "number"], [fixed(other, 4), "number"], [other === null ? "" : (value > other ? "+" : "") + fixed(value - other, 4), "number"]]));
}
