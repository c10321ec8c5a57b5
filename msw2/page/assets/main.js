// The page: a card a song, the keyboard, and what the tests look at.

const data = JSON.parse(document.getElementById("data").textContent);
const player = new Player(data.kit);
const live = document.getElementById("live");
const problem = document.getElementById("problem");
const shortcuts = document.getElementById("shortcuts");

function tell(text) {
  live.textContent = text;
}

const cards = data.songs.map((song, index) => new Card(new Song(song, data.kit), player, index, tell));
document.getElementById("songs").append(...cards.map((card) => card.element));

let current = cards[0];

function select(card) {
  current = card;
  for (const each of cards) each.element.classList.toggle("current", each === card && cards.length > 1);
}

for (const card of cards) {
  for (const kind of ["pointerdown", "focusin"]) card.element.addEventListener(kind, () => select(card));
}
select(current);

let frame = 0;

function animate() {
  const card = cards.find((each) => each.playing);
  frame = card ? requestAnimationFrame(animate) : 0;
  if (!card) return;
  card.point();
  card.roll.follow();
}

player.addEventListener("change", () => {
  for (const card of cards) card.render();
  problem.hidden = player.problem === null;
  problem.textContent = player.problem ?? "";
  if (player.song && !frame) animate();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && player.song) cards.find((card) => card.playing).roll.reveal();
});

// Keyboard. A key that the focused control uses itself is left to it.

function move(by) {
  const next = cards[cards.indexOf(current) + by];
  if (!next) return;
  const playing = player.song !== null;
  select(next);
  next.element.focus({ preventScroll: true });
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  next.element.scrollIntoView({ block: "nearest", behavior: still ? "instant" : "smooth" });
  if (playing) next.toggle();
}

const KEYS = {
  " ": () => {
    current.toggle();
    tell(`${current.title} ${current.playing ? "plays" : "paused"}`);
  },
  ArrowLeft: () => current.seekBars(-1),
  ArrowRight: () => current.seekBars(1),
  ArrowUp: () => move(-1),
  ArrowDown: () => move(1),
  o: () => current.choose((current.song.version + 1) % current.song.versions.length),
};

// A button that was clicked keeps the focus. The space bar is for the music then, and for the button after a Tab.
let byKeyboard = true;
document.addEventListener("pointerdown", () => (byKeyboard = false), true);

function action(event) {
  const { target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || !shortcuts.checked) return null;
  if (target.matches("summary, input:not(.place), a") || (target.matches("button") && event.key === " " && byKeyboard)) {
    return null;
  }
  const digit = /^Digit([1-5])$/.exec(event.code);
  if (digit) return () => (event.shiftKey ? current.solo : current.mute).call(current, Number(digit[1]) - 1);
  return KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? null;
}

let taken = null; // a key's code, from its press to its release

document.addEventListener("keydown", (event) => {
  if (event.key === "Tab") byKeyboard = true;
  const act = action(event);
  if (!act) return;
  event.preventDefault();
  taken = event.code;
  const holds = event.key.startsWith("Arrow"); // the other keys act once a press
  if (!event.repeat || holds) act();
});

document.addEventListener("keyup", (event) => {
  if (event.code === taken) event.preventDefault(); // Firefox clicks a button when the space bar is released
  taken = null;
});

// For tests, and for the curious: what plays, where, and the analyser of what is heard.
window.msw2 = {
  get playing() {
    return player.song && player.run ? player.song.name : null;
  },
  songs: cards.map(({ song }) => ({
    name: song.name,
    get step() {
      return player.step(song);
    },
    get version() {
      return song.heard.label;
    },
  })),
  get analyser() {
    return player.analyser ?? null;
  },
};
