// The page's data: candidates as rows, who descends from whom, and texts for hovering.
const page = JSON.parse(document.getElementById("page-data").textContent);
const rows = candidateRows(page.candidates);
const rowByName = new Map(rows.map((row) => [row.name, row]));
const ended = rows.filter((row) => row.ended).sort((a, b) => b.fitness - a.fitness);
const startName = page.champion ?? (ended[0] ?? rows[0])?.name;
rank();

function candidateRows(columns) {
  const genes = Object.keys(columns.genes);
  return columns.name.map((name, i) => {
    const search = columns.scores.search ?? {};
    const byTask = {};
    for (const [task, scores] of Object.entries(search)) byTask[task] = scores[i]?.[0] ?? null;
    const values = Object.fromEntries(genes.map((gene) => [gene, columns.genes[gene][i]]));
    return {
      index: i, name, id: columns.id[i], weights_hash: columns.weights_hash[i],
      generation: columns.generation[i], fitness: columns.fitness[i], stderr: columns.stderr[i],
      items: columns.items[i], ended: columns.ended[i], unbeaten: columns.unbeaten[i],
      ancestors: columns.ancestors[i], children: [], error: columns.error[i], values, by_task: byTask,
      scores: Object.entries(byTask).map(([task, score]) => `${task} ${fixed(score)}`).join(", "),
      genes: geneText(values),
    };
  });
}

function geneText(values) {
  const varied = new Set(page.gene_effects.map((effect) => effect.gene));
  const known = Object.entries(values).filter(([gene, value]) => value !== null && (varied.has(gene) || !varied.size));
  const shown = known.slice(0, 8).map(([gene, value]) => `${gene} ${fixed(value, 4)}`);
  return shown.join(", ") + (known.length > 8 ? `, and ${known.length - 8} more: click` : "");
}

function rank() {
  ended.forEach((row, i) => { row.rank = i + 1; });
  const generations = new Map();
  for (const row of rows) {
    if (!generations.has(row.generation)) generations.set(row.generation, []);
    generations.get(row.generation).push(row);
    for (const name of row.ancestors) rowByName.get(name)?.children.push(row.name);
  }
  for (const members of generations.values()) {
    members.sort((a, b) => (b.fitness ?? -Infinity) - (a.fitness ?? -Infinity));
    members.forEach((row, i) => { row.rank_of_generation = i + 1; });
  }
}

// Steps from a candidate back to its ancestors, each with its distance from the candidate.
function descent(name, furthest = 4) {
  const steps = [];
  const seen = new Set([name]);
  let current = rowByName.has(name) ? [rowByName.get(name)] : [];
  for (let distance = 1; distance <= furthest && current.length; distance += 1) {
    const next = [];
    for (const row of current) {
      for (const ancestor of row.ancestors) {
        const from = rowByName.get(ancestor);
        if (!from) continue;
        steps.push({
          from_generation: from.generation, from_rank: from.rank_of_generation,
          generation: row.generation, rank: row.rank_of_generation, distance,
        });
        if (!seen.has(ancestor)) { seen.add(ancestor); next.push(from); }
      }
    }
    current = next;
  }
  return steps;
}

function recipeOf(row) {
  const columns = page.candidates;
  const recipe = { ...columns.recipe_shared, ...columns.recipe[row.index] };
  return Object.fromEntries(Object.keys(recipe).sort().map((key) => [key, recipe[key]]));
}

function compositionOf(row) {
  return { layers: [], path: [], words: "", exceptions: [], merges: {}, ...page.candidates.composition[row.index] };
}

function fixed(value, digits = 3) {
  return value === null || value === undefined ? "" : value.toFixed(digits);
}
