// The pianoroll: five tracks below one another, bar lines, a cursor. Drawn once; a resize only stretches it.

const SVG = "http://www.w3.org/2000/svg";
const LANE = { semitone: 2.2, least: 50, most: 92, silent: 28 }; // pixels of height
const FEWEST_SEMITONES = 12; // a track of one pitch is no thick bar
const THINNEST = 3; // pixels of a note's height
const HIT = 2.4; // steps that a drum's hit is wide
const BREATH = 0.5; // steps left white behind a note, so that repeated ones are told apart
const BAR_WIDTH = 52; // pixels at least; longer songs scroll

// Makes an element: its properties and attributes by name, then its children, elements or text.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Where each track lies: {top, height, low, high (pitches, null where it is silent)}.
function lanesOf(song, tracks) {
  let top = 0;
  return tracks.map((_, track) => {
    let [low, high] = [128, -1];
    for (const { notes } of song.versions) {
      for (const note of notes) {
        if (note.track === track) [low, high] = [Math.min(low, note.pitch), Math.max(high, note.pitch)];
      }
    }
    const span = Math.max(high - low + 3, FEWEST_SEMITONES);
    const silent = high < 0;
    const height = silent ? LANE.silent : Math.min(Math.max(span * LANE.semitone, LANE.least), LANE.most);
    const middle = (low + high + 1) / 2;
    const lane = { top, height, low: silent ? null : middle - span / 2, high: silent ? null : middle + span / 2 };
    top += height;
    return lane;
  });
}

// One path a track: a rectangle for each note.
function notesOf(version, lanes, tracks) {
  const shapes = tracks.map(() => []);
  for (const { track, start, end, pitch } of version.notes) {
    const { top, height, low, high } = lanes[track];
    const unit = height / (high - low);
    const tall = Math.max(unit, THINNEST);
    const y = top + (high - pitch - 0.5) * unit - tall / 2;
    const wide = tracks[track].drum ? HIT : Math.max(end - start - BREATH, 1);
    shapes[track].push(`M${start},${y.toFixed(1)}h${wide.toFixed(1)}v${tall.toFixed(1)}h${-wide.toFixed(1)}z`);
  }
  return shapes.map((shape, track) => draw("path", { class: `track-${track}`, d: shape.join("") }));
}

function linesOf(song, lanes, height) {
  const lines = (every, without) => {
    const found = [];
    for (let step = 0; step < song.steps; step += every) if (!without || step % without) found.push(`M${step},0v${height}`);
    return found.join("");
  };
  return [
    ...(song.steps / song.bar <= 64 ? [draw("path", { class: "beats", d: lines(song.beat, song.bar) })] : []),
    draw("path", { class: "bars", d: lines(song.bar) }),
    draw("path", { class: "lanes", d: lanes.slice(1).map(({ top }) => `M0,${top}h${song.steps}`).join("") }),
  ];
}

// The drawing of a song, which scrolls where it is wider than its place. `seek` is called with a step.
class Roll {
  constructor(song, tracks, lanes, seek) {
    this.song = song;
    this.step = 0;
    this.width = 0;
    const height = lanes.at(-1).top + lanes.at(-1).height;
    this.layers = song.versions.map((version) => draw("g", { class: "version" }, ...notesOf(version, lanes, tracks)));
    const drawing = draw("svg", {
      viewBox: `0 0 ${song.steps} ${height}`, height, preserveAspectRatio: "none", "aria-hidden": "true",
    }, draw("g", {}, ...linesOf(song, lanes, height)), ...this.layers);
    const bars = song.steps / song.bar;
    this.numbers = make("div", { className: "numbers", "aria-hidden": "true" });
    for (let bar = 0; bar < bars; bar += 1) {
      const number = make("span", {}, String(bar + 1));
      number.style.left = `${(100 * bar) / bars}%`;
      this.numbers.append(number);
    }
    this.cursor = make("div", { className: "cursor" });
    this.paper = make("div", { className: "paper" }, this.numbers, drawing, this.cursor);
    this.paper.style.minWidth = `${bars * BAR_WIDTH}px`;
    this.view = make("div", { className: "view" }, this.paper);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.measure()).observe(this.view);
    this.listen(seek);
  }

  measure() {
    this.width = this.paper.clientWidth;
    this.point(this.step);
    this.reveal();
  }

  // A click seeks; a mouse or pen may drag. A finger scrolls.
  listen(seek) {
    let dragging = false;
    const go = (event) => {
      const { left, width } = this.paper.getBoundingClientRect();
      seek(Math.floor((this.song.steps * (event.clientX - left)) / width));
    };
    this.paper.addEventListener("click", go);
    this.paper.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch" || event.button !== 0) return;
      dragging = true;
      this.paper.setPointerCapture(event.pointerId);
    });
    this.paper.addEventListener("pointermove", (event) => dragging && go(event));
    for (const kind of ["pointerup", "pointercancel"]) this.paper.addEventListener(kind, () => (dragging = false));
  }

  // The version that is heard lies on top, and the other one shows through as a shadow. Tracks that are off are pale.
  show() {
    const { version } = this.song;
    this.layers.forEach((layer, index) => {
      layer.classList.toggle("shadow", index !== version);
      [...layer.children].forEach((path, track) => path.classList.toggle("off", !this.song.audible(track)));
    });
    this.layers[version].parentNode.append(this.layers[version]);
  }

  // Puts the cursor at a step.
  point(step) {
    this.step = step;
    this.cursor.style.transform = `translateX(${(this.width * step) / this.song.steps}px)`;
  }

  // Scrolls on when the cursor nears the right edge. A person who scrolled elsewhere is left alone.
  follow() {
    const x = (this.width * this.step) / this.song.steps - this.view.scrollLeft;
    if (x <= this.view.clientWidth && x > 0.85 * this.view.clientWidth) this.scrollTo(x);
  }

  // Scrolls to the cursor, wherever it is.
  reveal() {
    const x = (this.width * this.step) / this.song.steps - this.view.scrollLeft;
    if (x < 0 || x > 0.85 * this.view.clientWidth) this.scrollTo(x);
  }

  scrollTo(x) {
    const left = this.view.scrollLeft + x - 0.12 * this.view.clientWidth;
    this.view.scrollTo({ left, behavior: this.still.matches ? "instant" : "smooth" });
  }
}
