"use strict";
(() => {
  const root = document.documentElement;
  const parse = (id) => JSON.parse(document.getElementById(id).textContent);
  const specs = parse("specs"), themes = parse("themes"), variants = parse("variants");
  const chooser = document.getElementById("metric");
  const charts = () => [...document.querySelectorAll("[data-figure]")];
  const specOf = (name) => variants[chooser?.value]?.specs[name] ?? specs[name];
  const views = new Map();

  // Theme: the system's, or the one chosen by the button.
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const remember = (theme) => { try { localStorage.setItem("recsys-theme", theme); } catch { /* pages of local files may have no storage */ } };
  const remembered = () => { try { return localStorage.getItem("recsys-theme") || ""; } catch { return ""; } };
  function setTheme(theme) {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    button.textContent = `Theme: ${theme || "system"}`;
  }
  button.addEventListener("click", () => {
    const next = { "": "light", light: "dark", dark: "" }[root.dataset.theme || ""];
    setTheme(next);
    remember(next);
    drawAll();
  });
  system.addEventListener("change", () => drawAll());
  setTheme(remembered());

  // Figures are drawn at the available width.
  const ERRORS = 1; // log level of Vega, whose warnings are about layouts that it corrects itself
  const GAP = 28, AXIS = 78, PANEL = 180, NARROW = 560;
  function fitted(spec, width) {
    const own = structuredClone(spec);
    if (own.concat) {
      const columns = Math.max(1, Math.min(own.concat.length, own.columns || 2, Math.floor((width + GAP) / (PANEL + AXIS + GAP))));
      const panel = Math.floor((width - GAP * (columns - 1)) / columns) - AXIS;
      own.columns = columns;
      own.concat.forEach((view) => { view.width = Math.max(PANEL, panel); });
    } else if (typeof own.width === "number") {
      own.width = width;
      own.autosize = { type: "fit-x", contains: "padding" };
    }
    // The sides of labels were computed for a wide and for a narrow plot.
    if (width < NARROW) for (const rows of Object.values(own.datasets)) for (const row of rows) if ("narrow" in row) row.side = row.narrow;
    return own;
  }
  // Names in a legend: the longest limits the number of columns.
  function legendNames(part) {
    if (!part || typeof part !== "object") return [];
    const domain = (part.encoding?.color ?? part.encoding?.shape)?.scale?.domain;
    return domain || Object.entries(part).flatMap(([key, inner]) => (key === "datasets" ? [] : legendNames(inner)));
  }
  function themed(spec, width) {
    const config = structuredClone(themes[isDark() ? "dark" : "light"]);
    const longest = Math.max(4, ...legendNames(spec).map((name) => String(name).length));
    const columns = Math.max(1, Math.min(config.legend.columns, Math.floor(width / (longest * 6.5 + 45))));
    config.axis.labelLimit = Math.min(config.axis.labelLimit, Math.round(width * 0.4));
    config.axisX.tickCount = Math.max(3, Math.min(10, Math.round(width / 100)));
    if (width < NARROW) Object.assign(config.axisX, { titleAnchor: "end" });
    Object.assign(config.legend, { columns, labelLimit: Math.round(width / columns) - 30 });
    return config;
  }
  async function draw(node) {
    const room = node.parentElement.clientWidth;
    const width = Math.max(room, Number(node.dataset.minWidth));
    node.style.width = width > room ? `${width}px` : "";
    node.dataset.drawn = String(room);
    views.get(node)?.finalize();
    const spec = fitted(specOf(node.dataset.figure), width);
    const result = await vegaEmbed(node, spec, {
      ast: true, renderer: "svg", actions: false, logLevel: ERRORS, config: themed(spec, room), tooltip: { theme: isDark() ? "dark" : "light" },
    });
    views.set(node, result);
  }
  let turn = Promise.resolve();
  function drawAll(filter = () => true) {
    delete root.dataset.ready;
    turn = turn.then(async () => {
      for (const node of charts().filter(filter)) {
        try { await draw(node); } catch (error) {
          node.textContent = "This figure could not be drawn; its numbers are below.";
          console.error(node.dataset.figure, error);
        }
      }
      root.dataset.ready = "yes";
    });
  }
  let timer;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => drawAll((node) => node.dataset.drawn !== String(node.parentElement.clientWidth)), 200);
  });

  // Files: the figure as it is shown, and its numbers.
  function save(url, name) {
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
  }
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  function csv(table) {
    const cell = (node) => quoted(node.dataset.value ?? node.textContent.trim());
    return [...table.rows].map((row) => [...row.cells].map(cell).join(",")).join("\n") + "\n";
  }
  async function saveFigure(node) {
    const figure = node.closest("figure"), chart = figure.querySelector("[data-figure]"), kind = node.dataset.save;
    const url = kind === "csv"
      ? URL.createObjectURL(new Blob([csv(figure.querySelector("table"))], { type: "text/csv" }))
      : await views.get(chart).view.toImageURL(kind, kind === "png" ? 2 : 1);
    const metric = variants[chooser?.value] && `_${chooser.value.replace(/[@/]/g, "_")}`;
    save(url, `${chart.dataset.figure}${metric || ""}.${kind}`);
  }

  // Tables are sorted by numbers if there are any, otherwise by texts; missing values stay last.
  const number = (cell) => (cell.dataset.value === undefined ? NaN : Number(cell.dataset.value));
  function compare(a, b, sign) {
    const x = number(a), y = number(b);
    if (!Number.isNaN(x) && !Number.isNaN(y)) return sign * (x - y);
    if (!Number.isNaN(x)) return -1;
    if (!Number.isNaN(y)) return 1;
    return sign * a.textContent.localeCompare(b.textContent, undefined, { numeric: true });
  }
  function sort(table, header) {
    const place = [...header.parentElement.cells].indexOf(header), body = table.tBodies[0], rows = [...body.rows];
    const numeric = rows.some((row) => !Number.isNaN(number(row.cells[place])));
    const before = header.getAttribute("aria-sort");
    const order = before === "none" ? (numeric ? "descending" : "ascending") : before === "ascending" ? "descending" : "ascending";
    for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", order);
    rows.sort((a, b) => compare(a.cells[place], b.cells[place], order === "ascending" ? 1 : -1));
    body.append(...rows);
  }
  function filter(block, words) {
    const rows = [...block.querySelector("tbody").rows];
    for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    const shown = rows.filter((row) => !row.hidden).length;
    block.querySelector("output").textContent = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
  }
  async function copy(button) {
    const node = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.nextElementSibling, words = button.dataset.words ?? button.textContent;
    try { await navigator.clipboard.writeText(node.textContent); } catch {
      getSelection().selectAllChildren(node); // without access to the clipboard: select the text and copy it
      document.execCommand("copy");
    }
    Object.assign(button.dataset, { words });
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 2000);
  }
  function prepare(part) {
    part.querySelectorAll("[data-copy]").forEach((node) => node.addEventListener("click", () => copy(node)));
    part.querySelectorAll("[data-save]").forEach((node) => node.addEventListener("click", () => saveFigure(node)));
    part.querySelectorAll("[data-table]").forEach((block) => {
      const table = block.querySelector("table"), input = block.querySelector("input");
      table.querySelectorAll("thead button").forEach((node) => node.addEventListener("click", () => sort(table, node.parentElement)));
      input?.addEventListener("input", () => filter(block, input.value.toLowerCase().split(/\s+/).filter(Boolean)));
    });
  }
  prepare(document);

  // Choosing a metric replaces the sections that depend on it; those by the first metric are kept for its return.
  const changing = new Set(Object.values(variants).flatMap((variant) => Object.keys(variant.sections)));
  const linkTo = (name) => document.querySelector(`nav a[href="#${name}"]`);
  const answers = document.getElementById("answers"), originals = { answers: answers.innerHTML, sections: {} };
  for (const name of changing) {
    const [title, ...parts] = document.getElementById(name).children;
    originals.sections[name] = { title: title.textContent, body: parts.map((part) => part.outerHTML).join("") };
  }
  function choose(metric) {
    const variant = variants[metric];
    answers.innerHTML = (variant ?? originals).answers;
    for (const name of changing) {
      const section = document.getElementById(name), { title, body } = variant?.sections[name] ?? originals.sections[name];
      section.querySelectorAll("[data-figure]").forEach((node) => { views.get(node)?.finalize(); views.delete(node); });
      section.innerHTML = `<h2 id="${name}-title"></h2>${body}`;
      section.firstElementChild.textContent = linkTo(name).textContent = title;
      section.hidden = linkTo(name).parentElement.hidden = !body;
      prepare(section);
    }
    drawAll((node) => changing.has(node.closest("section").id));
  }
  chooser?.addEventListener("change", () => choose(chooser.value));

  drawAll();
})();
