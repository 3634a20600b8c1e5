// Mending who is who on the viewer's page: edits as `choros edit` takes them, shown at once and saved as a list.
//
// ``Edits`` has the rules, those of choros.editing.identities, on spells of time in place of rows; ``Mending`` has the
// buttons. Times are seconds of the source. Where merged people overlap, the page shows them both; `choros edit` keeps
// whoever is seen, and of two seen the first one named.
"use strict";
const Edits = (() => {

/** Who everybody is after ``edits``: for each of ``ids``, spells {start, end, id} in order; null for whoever is gone. */
function replay(ids, edits) {
  const spells = new Map(ids.map((id) => [id, [{ start: -Infinity, end: Infinity, id }]]));
  for (const { people: [first, ...others], start_s: start = -Infinity, end_s: end = Infinity, ...edit } of edits) {
    const all = [first, ...others];
    const called = {
      merge: (id) => (others.includes(id) ? first : id),
      same: (id) => (others.includes(id) ? first : id),
      swap: (id) => (id === first ? others[0] : id === others[0] ? first : id),
      split: (id) => (id === first ? edit.new : id),
      rename: (id) => (id === first ? edit.new : id),
      delete: (id) => (all.includes(id) ? null : id),
      cut: (id) => (all.includes(id) ? null : id),
    }[edit.do];
    for (const [id, parts] of spells) spells.set(id, parts.flatMap((part) => within(part, start, end, called)));
  }
  for (const [id, parts] of spells) spells.set(id, joined(parts));
  return spells;
}

/** A spell, called otherwise between two times. */
function within(part, start, end, called) {
  const from = Math.max(part.start, start), to = Math.min(part.end, end), id = called(part.id);
  if (from >= to || id === part.id) return [part];
  return [{ ...part, end: from }, { start: from, end: to, id }, { ...part, start: to }].filter((each) => each.start < each.end);
}

function joined(parts) {
  return parts.reduce((done, part) => {
    const last = done.at(-1);
    if (last && last.id === part.id) last.end = part.end;
    else done.push({ ...part });
    return done;
  }, []);
}

/** Who somebody is at a time; null if they are gone. */
const at = (spells, time) => spells.find(({ start, end }) => time >= start && time < end).id;

/** The list as a TOML file. */
function text(edits) {
  const table = ({ do: what, people, ...values }) => [
    "", "[[edit]]", `do = "${what}"`, `people = [${people.join(", ")}]`, ...Object.entries(values).map(([name, value]) => `${name} = ${value}`),
  ].join("\n");
  return `# Edits of a motion, done in this order by \`choros edit MOTION --list FILE\`.\n${edits.map((each) => `${table(each)}\n`).join("")}`;
}

/** One edit in words. */
function words({ do: what, people, start_s, end_s, new: called }) {
  const when = start_s === undefined && end_s === undefined ? "" : ` @ ${start_s ?? ""}${end_s === undefined ? " s on" : `–${end_s} s`}`;
  return `${what} ${people.join(", ")}${called === undefined ? "" : ` → ${called}`}${when}`;
}

return { replay, at, text, words };
})();

/** The buttons. ``page`` gives ``ids`` (of the motion), ``now`` () s of the frame that is shown, ``show`` (spells) which
    draws it all anew, and ``name`` of the motion. */
const Mending = (page) => {
  const $ = (id) => document.getElementById(id);
  const edits = [], chosen = []; // chosen: {id, start, end} of the bar that was clicked
  let highest = Math.max(0, ...page.ids);
  const state = { on: false, chosen };

  function refresh() {
    page.show(Edits.replay(page.ids, edits));
    const ids = chosen.map((each) => each.id), [bar] = chosen;
    $("edit-told").textContent = ids.length ? `person ${ids.join(" and person ")}` : "click one bar or two";
    for (const button of $("edit").querySelectorAll("button[data-people]")) {
      button.disabled = ids.length !== Number(button.dataset.people);
    }
    $("edit-cut").title = bar ? `Nobody is there from ${bar.start.toFixed(2)} to ${bar.end.toFixed(2)} s` : "";
    $("edit-undo").disabled = $("edit-save").disabled = !edits.length;
    $("edit-list").replaceChildren(...edits.map((each) => Object.assign(document.createElement("li"), { textContent: Edits.words(each) })));
    $("edit-list").scrollTop = $("edit-list").scrollHeight;
  }

  /** A bar of a person was clicked; the third takes the place of the first. */
  state.choose = (bar) => {
    const known = chosen.findIndex((each) => each.id === bar.id);
    if (known >= 0) chosen[known] = bar;
    else chosen.push(bar);
    if (chosen.length > 2) chosen.shift();
    refresh();
  };

  function add(edit) {
    edits.push({ ...edit, people: chosen.map((each) => each.id) });
    highest = Math.max(highest, edit.new ?? 0);
    chosen.length = 0;
    refresh();
  }

  function rename() {
    const to = Number($("edit-number").value), taken = [...Edits.replay(page.ids, edits).values()].flat().some(({ id }) => id === to);
    const fits = Number.isInteger(to) && to >= 1 && !taken;
    $("edit-number").setCustomValidity(fits ? "" : `give a whole number that nobody has, such as ${highest + 1}`);
    if ($("edit-number").reportValidity()) add({ do: "rename", new: to });
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([Edits.text(edits)], { type: "application/toml" }));
    link.download = "edits.toml";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function undo() {
    edits.pop();
    chosen.length = 0;
    refresh();
  }

  const doings = {
    merge: () => add({ do: "merge" }),
    swap: () => add({ do: "swap", start_s: page.now() }),
    "swap-all": () => add({ do: "swap" }),
    split: () => add({ do: "split", start_s: page.now(), new: highest + 1 }),
    cut: () => add({ do: "cut", start_s: chosen[0].start, end_s: chosen[0].end }),
    delete: () => add({ do: "delete" }),
    rename, undo, save,
  };
  for (const [name, doing] of Object.entries(doings)) $(`edit-${name}`).addEventListener("click", doing);
  $("edit-on").addEventListener("click", () => {
    state.on = !state.on;
    $("edit").hidden = !state.on;
    $("edit-on").ariaPressed = String(state.on);
    chosen.length = 0;
    refresh();
  });
  document.addEventListener("keydown", (event) => {
    if (!state.on) return;
    if (event.key === "Escape") chosen.length = 0;
    else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) edits.pop();
    else return;
    event.preventDefault();
    refresh();
  });
  return state;
};
