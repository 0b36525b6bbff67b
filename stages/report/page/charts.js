// The charts: Vega-Lite specifications of the page's data, and what they do when a candidate is picked.
const MANY = 3000; // points; more are drawn on a canvas, which is quicker than SVG
const views = new Map();

function chartData(name, picked) {
  const scored = rows.filter((row) => row.fitness !== null);
  switch (name) {
    case "candidates": return scored.map(forChart);
    case "descent": return descent(picked);
    case "gene_values": return geneValues();
    case "layers": return layerFields(rowByName.get(picked));
    case "hops": return rowByName.has(picked) ? compositionOf(rowByName.get(picked)).path : [];
    default: return page[name] ?? [];
  }
}

function forChart(row) {
  const { children, ancestors, error, id, weights_hash, ...rest } = row;
  return rest;
}

// The genes of the best candidates, each as its share of the way from the lowest to the highest value.
function geneValues() {
  const effects = [...page.gene_effects].sort((a, b) => a.gene.localeCompare(b.gene, "en", { numeric: true }));
  const best = page.is_raced ? rows.filter((row) => row.ended) : ended;
  return best.slice(0, 200).flatMap((row, i) => effects.map((effect, place) => ({
    name: row.name, fitness: row.fitness, rank: i + 1, gene: effect.gene, place,
    share: row.values[effect.gene] === null ? null : (row.values[effect.gene] - effect.low) / (effect.high - effect.low),
  })));
}

// A field for each layer and parent; of a parameter that all parents share, one for each layer.
function layerFields(row) {
  if (!row) return [];
  const { layers: sources, recipe } = weighed(row);
  const parameter = sources.some((source) => "weight" in source.values) ? "weight"
    : sources.flatMap((source) => Object.keys(source.values))[0];
  const parents = parentsOf(recipe);
  const fields = sources.flatMap((source) => {
    const value = source.values[parameter];
    const byParent = value !== null && typeof value === "object" ? value
      : Object.fromEntries((parents.length ? parents : ["all parents"]).map((parent) => [parent, value]));
    const numbers = source.first === undefined ? ["outside"] : range(source.first, source.last);
    return numbers.flatMap((layer, i) => Object.entries(byParent).filter(([, one]) => typeof one === "number").map(([parent, one]) => ({
      layer: String(layer), where: layer === "outside" ? "embeddings, final norm and head" : `layer ${layer}`, parameter,
      source: source.component && source.first !== undefined ? `${parent}, ${source.component}` : parent,
      value: one, size: Math.abs(one), is_first: numbers.length < 24 || i === 0,
    })));
  });
  const largest = Math.max(...fields.map((field) => field.size), 0);
  // From here on white is easier to read on the field's colour than dark ink.
  return fields.map((field) => ({ ...field, is_large: field.size > 0.8 * largest }));
}

// What gives the weights of a candidate: its own rules, or those of the merge that its path runs through.
function weighed(row) {
  const parts = compositionOf(row);
  const recipe = recipeOf(row);
  const [name] = Object.keys(parts.merges);
  if (name === undefined) return { layers: parts.layers, recipe, merge: null };
  return { layers: parts.merges[name].layers, recipe: recipe.ancestors.find((one) => one.name === name).recipe, merge: name };
}

function parentsOf({ ancestors, parents = [] }) {
  return parents.map((number) => ancestors[number].name);
}

function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function dataNames(spec) {
  const names = new Set();
  const walk = (node) => {
    if (node === null || typeof node !== "object") return;
    if (typeof node.data?.name === "string") names.add(node.data.name);
    Object.values(node).forEach(walk);
  };
  walk(spec);
  return names;
}

async function drawCharts(picked, pick) {
  for (const host of document.querySelectorAll("[data-chart]")) {
    const name = host.dataset.chart;
    await draw(host, name, page.charts[name], picked, pick);
    await new Promise((done) => { setTimeout(done); }); // let the reader scroll and click meanwhile
  }
  document.documentElement.dataset.charts = "drawn";
}

async function draw(host, name, spec, picked, pick) {
  const datasets = Object.fromEntries([...dataNames(spec)].map((one) => [one, chartData(one, picked)]));
  const isMany = (datasets.candidates?.length ?? 0) > MANY;
  const config = isMany ? { ...spec.config, axis: { ...spec.config.axis, labelColor: "#7b8794", titleColor: "#7b8794", gridColor: "#7b8794", gridOpacity: 0.25 }, legend: { ...spec.config.legend, labelColor: "#7b8794", titleColor: "#7b8794" } } : spec.config;
  const { view } = await window.vegaEmbed(host, { ...spec, config, datasets, autosize: { type: "fit-x", contains: "padding" } }, {
    mode: "vega-lite", actions: false, ast: true, logLevel: 1, renderer: isMany ? "canvas" : "svg", tooltip: { theme: "custom" },
  });
  view.addEventListener("click", (_, item) => {
    const clicked = item?.datum?.name;
    if (rowByName.has(clicked)) pick(clicked);
  });
  views.set(name, { view, spec, names: dataNames(spec), hasPicked: spec.params?.some((one) => one.name === "picked") });
  if (views.get(name).hasPicked) view.signal("picked", picked);
  await view.runAsync();
}

function showPicked(picked) {
  for (const [chart, name] of [["path", "hops"], ["layers", "layers"]]) {
    document.querySelectorAll(`[data-chart=${chart}]`).forEach((host) => {
      const wasHidden = host.hidden;
      host.hidden = chartData(name, picked).length === 0;
      if (wasHidden && !host.hidden) window.dispatchEvent(new Event("resize")); // its width may be another now
    });
  }
  for (const { view, spec, names, hasPicked } of views.values()) {
    if (names.has("hops")) fitRows(view, spec, chartData("hops", picked));
    if (hasPicked) view.signal("picked", picked);
    for (const name of ["descent", "layers", "hops"].filter((one) => names.has(one))) view.data(name, chartData(name, picked));
    if (hasPicked || names.has("layers") || names.has("hops")) view.runAsync();
  }
}

// As many rows as the path has layers, each as tall as it was drawn at first.
function fitRows(view, spec, hops) {
  const deepest = spec.params.find((one) => one.name === "num_layers").value;
  const numLayers = Math.max(...hops.map((hop) => hop.layer), 0) + 1;
  view.signal("num_layers", numLayers).height((spec.height / deepest) * numLayers);
}
