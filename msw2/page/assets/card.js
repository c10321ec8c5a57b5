// A song's card: its controls, its pianoroll, its files and figures.

const ICONS = {
  play: "M7 4.5v15l12.5-7.5z",
  pause: "M6.5 5h4v14h-4zM13.5 5h4v14h-4z",
  wait: "M12 4a8 8 0 1 0 8 8h-3a5 5 0 1 1-5-5z",
};

function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// A song's card. `number` tells it from the others, `tell` says a sentence to a screen reader.
class Card {
  constructor(song, player, number, tell) {
    Object.assign(this, { song, player, tell });
    this.tracks = player.kit.tracks;
    this.lanes = lanesOf(song, this.tracks);
    this.roll = new Roll(song, this.tracks, this.lanes, (step) => player.seek(song, step));
    this.icon = draw("path", { d: ICONS.play });
    this.playButton = make("button", { className: "play", type: "button", onclick: () => this.toggle() },
      draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, this.icon));
    this.clock = make("p", { className: "clock" });
    const heading = `song-${number}`;
    const folder = song.name.slice(0, song.name.lastIndexOf("/") + 1);
    this.title = song.name.slice(folder.length);
    const title = make("h2", { id: heading }, ...(folder ? [make("span", { className: "folder" }, folder)] : []), this.title);
    this.element = make("article", { className: "song", tabIndex: -1, "aria-labelledby": heading },
      make("header", {}, this.playButton, make("div", { className: "name" }, title, this.clock), this.versionGroup()),
      make("div", { className: "roll" }, this.trackList(), this.roll.view),
      this.placeSlider(),
      make("footer", {}, this.volumeSlider(), this.downloads()),
      this.facts());
    this.render();
  }

  versionGroup() {
    this.versionButtons = this.song.versions.map(({ label }, index) =>
      make("button", { type: "button", onclick: () => this.choose(index) }, label));
    return make("div", {
      className: "versions", role: "group", "aria-label": "Version", hidden: this.song.versions.length < 2,
    }, ...this.versionButtons);
  }

  trackList() {
    this.trackButtons = [];
    this.rows = this.tracks.map(({ name }, track) => {
      const { height, low } = this.lanes[track];
      const silent = low === null;
      const button = (letter, verb, act) => make("button", {
        type: "button", title: `${verb} ${name}`, "aria-label": `${verb} ${name}`, onclick: () => act.call(this, track),
      }, letter);
      const pair = [button("M", "Mute", this.mute), button("S", "Solo", this.solo)];
      this.trackButtons.push(pair);
      const row = make("li", { className: `track-${track}` }, make("span", { className: "track" }, name),
        silent ? make("span", { className: "silent" }, "silent") : make("span", { className: "pair" }, ...pair));
      row.style.height = `${height}px`;
      return row;
    });
    return make("ul", { className: "tracks", "aria-label": "Tracks" }, ...this.rows);
  }

  placeSlider() {
    this.place = make("input", {
      className: "place", type: "range", min: 0, max: this.song.steps, step: this.song.beat, value: 0,
      "aria-label": `Position in ${this.title}`, oninput: () => this.player.seek(this.song, Number(this.place.value)),
    });
    return this.place;
  }

  volumeSlider() {
    this.volume = make("input", {
      type: "range", min: 0, max: 100, step: 5, "aria-label": "Volume",
      oninput: () => this.player.setLoudness(Number(this.volume.value) / 100),
    });
    return make("label", { className: "volume" }, make("span", {}, "Volume"), this.volume);
  }

  downloads() {
    const links = this.song.versions.map(({ label, file, midi }) =>
      make("a", { href: `data:audio/midi;base64,${midi}`, download: file },
        this.song.versions.length > 1 ? `MIDI, ${label}` : "MIDI"));
    return make("div", { className: "files" }, ...links);
  }

  facts() {
    const rows = this.song.versions.filter(({ facts }) => facts.length).map(({ label, facts }) =>
      make("div", {}, make("h3", {}, label),
        make("dl", {}, ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))))));
    return make("div", { className: "facts", hidden: rows.length === 0 }, ...rows);
  }

  get playing() {
    return this.player.song === this.song;
  }

  toggle() {
    if (this.playing) this.player.pause();
    else {
      this.player.play(this.song);
      this.roll.reveal();
    }
  }

  choose(version) {
    this.player.choose(this.song, version);
    this.tell(`${this.song.heard.label} version`);
  }

  mute(track) {
    const on = !this.song.muted[track];
    this.player.mute(this.song, track, on);
    this.tell(`${this.tracks[track].name} ${on ? "muted" : "not muted"}`);
  }

  solo(track) {
    const on = !this.song.soloed[track];
    this.player.solo(this.song, track, on);
    this.tell(`${this.tracks[track].name} ${on ? "solo" : "not solo"}`);
  }

  // Goes to the next bar line, or to the last one: that of this bar, once it has played for a little.
  seekBars(by) {
    const bars = this.player.step(this.song) / this.song.bar;
    const bar = by > 0 ? Math.floor(bars) + 1 : Math.ceil(bars - 0.25) - 1;
    this.player.seek(this.song, bar * this.song.bar);
    this.point();
    this.roll.reveal();
  }

  // Shows everything but the place.
  render() {
    const { song, player } = this;
    const state = !this.playing ? "play" : player.run ? "pause" : "wait";
    this.icon.setAttribute("d", ICONS[state]);
    this.playButton.setAttribute("aria-label", `${state === "play" ? "Play" : "Pause"} ${this.title}`);
    this.element.classList.toggle("playing", this.playing);
    this.versionButtons.forEach((button, index) => button.setAttribute("aria-pressed", index === song.version));
    this.trackButtons.forEach(([mute, solo], track) => {
      mute.setAttribute("aria-pressed", song.muted[track]);
      solo.setAttribute("aria-pressed", song.soloed[track]);
      this.rows[track].classList.toggle("off", !song.audible(track));
    });
    this.volume.value = Math.round(100 * player.loudness);
    this.volume.style.setProperty("--done", `${this.volume.value}%`);
    this.volume.setAttribute("aria-valuetext", `${this.volume.value} percent`);
    this.roll.show();
    this.point();
  }

  // Shows the place.
  point() {
    const { song } = this;
    const step = this.player.step(song);
    this.roll.point(step);
    const bars = song.steps / song.bar;
    const bar = Math.min(Math.floor(step / song.bar) + 1, bars);
    const [now, whole] = [clock(step * song.pace), clock(song.steps * song.pace)];
    const text = `${now} of ${whole}, bar ${bar} of ${bars}`;
    if (text === this.shown) return;
    this.shown = text;
    this.clock.textContent = `${now} / ${whole} · bar ${bar} of ${bars} · ♩ = ${Math.round(song.heard.tempo)}`;
    this.place.value = Math.round(step);
    this.place.setAttribute("aria-valuetext", text);
    this.place.style.setProperty("--done", `${(100 * step) / song.steps}%`);
  }
}
