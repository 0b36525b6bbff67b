// Elements, and tables that sort, filter and show a page of rows at a time.
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") node.addEventListener("click", value);
    else if (key === "class") node.className = value;
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function linkButton(text, onclick, label) {
  return element("button", { type: "button", class: "link", onclick, "aria-label": label }, text);
}

// A plain table; a cell is a text, or an element, or [value, class].
function plainTable(titles, lines) {
  const cell = (tag, value) => {
    const [content, kind] = Array.isArray(value) ? value : [value, null];
    return element(tag, { class: kind, scope: tag === "th" ? "col" : null }, content);
  };
  const head = element("tr", {}, ...titles.map((title) => cell("th", title)));
  const body = lines.map((line) => element("tr", {}, ...line.map((value) => cell("td", value))));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "scroll" }, table);
}

// columns: {key, title, value(row), text(row), number, class(row), button(row)}; filters: extra tests of a row.
function sortedTable(host, { columns, rows: all, size = 25, label, sort, open, isMarked, hint }) {
  let shown = all;
  let first = 0;
  let order = sort;
  let test = () => true;
  const box = element("input", { type: "search", "aria-label": `filter ${label}`, placeholder: hint });
  const status = element("span", { role: "status" });
  const back = element("button", { type: "button", onclick: () => turn(-size) }, "previous");
  const on = element("button", { type: "button", onclick: () => turn(size) }, "next");
  const heads = columns.map((column) => element("th",
    { scope: "col", class: column.number ? "number" : null },
    element("button", { type: "button", onclick: () => sortBy(column) }, column.title)));
  const body = element("tbody");
  const region = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body));
  host.replaceChildren(element("div", { class: "bar" }, box, status, back, on), region);
  box.addEventListener("input", () => update());
  region.addEventListener("keydown", (event) => {
    if (event.target !== region) return;
    if (event.key === "PageDown") { turn(size); event.preventDefault(); }
    if (event.key === "PageUp") { turn(-size); event.preventDefault(); }
  });

  function turn(step) {
    if (first + step >= 0 && first + step < shown.length) { first += step; draw(); }
  }
  function sortBy(column) {
    const isDescending = order.key === column.key ? !order.descending : Boolean(column.number);
    order = { key: column.key, descending: isDescending };
    update();
  }
  function update() {
    const terms = box.value.trim().split(/\s+/).filter(Boolean).map((term) => termTest(term, columns));
    shown = all.filter((row) => test(row) && terms.every((matches) => matches(row)));
    const column = columns.find((one) => one.key === order.key);
    const sign = order.descending ? -1 : 1;
    shown = shown.map((row) => [column.value(row), row]).sort(([a], [b]) => {
      if (a === null || a === undefined || b === null || b === undefined) return (a ?? null) === (b ?? null) ? 0 : (a ?? null) === null ? 1 : -1;
      return sign * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
    }).map(([, row]) => row);
    first = 0;
    draw();
  }
  function draw() {
    const last = Math.min(first + size, shown.length);
    status.textContent = shown.length
      ? `${first + 1} to ${last} of ${shown.length}` + (shown.length < all.length ? `, ${all.length} in all` : "")
      : `none of ${all.length}`;
    back.disabled = first === 0;
    on.disabled = last >= shown.length;
    columns.forEach((column, i) => {
      const direction = order.descending ? "descending" : "ascending";
      heads[i].setAttribute("aria-sort", column.key === order.key ? direction : "none");
    });
    body.replaceChildren(...shown.slice(first, last).map((row) => {
      const cells = columns.map((column, i) => {
        const text = column.text ? column.text(row) : String(column.value(row) ?? "");
        const kind = [column.number ? "number" : "", column.class?.(row) ?? ""].join(" ").trim();
        const content = i === 0 ? linkButton(text, () => open(row)) : text;
        return element("td", { class: kind || null, title: column.isShort ? text : null }, content);
      });
      return element("tr", { class: isMarked?.(row) ? "marked" : null }, ...cells);
    }));
    saysItScrolls(region);
  }
  update();
  return {
    draw,
    filter(matches) { test = matches; update(); },
    search(text) { box.value = text; update(); },
  };
}

// `fitness>0.7` compares a column, whose key or title may be shortened; other terms are looked for as text.
function termTest(term, columns) {
  const parts = term.match(/^([^<>=]+)(<=|>=|<|>|=)(.+)$/);
  const start = parts && parts[1].toLowerCase();
  const column = parts && (columns.find((one) => one.key.toLowerCase() === start)
    ?? columns.find((one) => one.title.toLowerCase().startsWith(start)));
  if (column) {
    const bound = Number(parts[3]);
    return (row) => {
      const value = column.value(row);
      if (Number.isNaN(bound) || typeof value === "string") return parts[2] === "=" && String(value).toLowerCase() === parts[3].toLowerCase();
      if (value === null || value === undefined) return false;
      return { "<": value < bound, ">": value > bound, "<=": value <= bound, ">=": value >= bound, "=": value === bound }[parts[2]];
    };
  }
  const wanted = term.toLowerCase();
  return (row) => columns.some((one) => String(one.text ? one.text(row) : one.value(row) ?? "").toLowerCase().includes(wanted));
}

// Say above a table that it scrolls, while some of its columns are out of sight.
function saysItScrolls(region) {
  const isWide = region.scrollWidth > region.clientWidth + 1;
  const before = region.previousElementSibling;
  const said = before?.classList.contains("scrolls") ? before : null;
  if (isWide && !said) region.before(element("span", { class: "scrolls" }, "This table scrolls sideways."));
  if (!isWide && said) said.remove();
  if (isWide && !region.hasAttribute("tabindex")) {
    region.setAttribute("tabindex", "0");
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", "table that scrolls sideways");
  }
}
