// Playing: one song at a time, on the clock of Web Audio. A timer looks a little ahead and hands notes to the sampler.

const EVERY = 25; // milliseconds between two looks
const AHEAD = 0.2; // seconds to look ahead
const AHEAD_HIDDEN = 3; // a hidden page is called once a second at most
const LEAD = 0.06; // seconds from the click to the first sound
const PATIENCE = 4000; // milliseconds to wait for a sound card
const SWITCH = 0.01; // seconds in which what is stopped or muted falls to a third

const NO_OGG = "This browser cannot decode Ogg Vorbis sound. Current versions of Firefox, Chrome, Edge and Safari can.";
const NO_SOUND = "This browser gives no sound: no loudspeaker answers, or the page is not allowed to play.";

// A song as it stands on the page: which version is heard, where, and which tracks.
class Song {
  constructor(data, kit) {
    this.name = data.name;
    this.versions = data.versions.map((version) => ({ ...version, notes: unpacked(version.notes, kit) }));
    this.steps = Math.max(...data.versions.map((version) => version.steps));
    this.bar = kit.bar;
    this.beat = kit.beat;
    this.version = this.versions.length - 1; // what was made, not what it was made from
    this.step = 0; // where it stands while it does not play
    this.muted = kit.tracks.map(() => false);
    this.soloed = kit.tracks.map(() => false);
  }

  get heard() {
    return this.versions[this.version];
  }

  // Seconds a step.
  get pace() {
    return 60 / (this.heard.tempo * this.beat);
  }

  audible(track) {
    return this.soloed.some(Boolean) ? this.soloed[track] : !this.muted[track];
  }
}

// Notes are stored a track, in four lists: steps since the note before, MIDI pitches, lengths in ticks, velocities.
function unpacked(tracks, kit) {
  const notes = tracks.flatMap(([gaps, pitches, lengths, velocities], track) => {
    let start = 0;
    return gaps.map((gap, index) => {
      start += gap;
      const end = start + lengths[index] / kit.ticks;
      return { track, start, end, pitch: pitches[index], velocity: velocities[index] };
    });
  });
  return notes.sort((one, other) => one.start - other.start);
}

// Tells by "change" that what it plays, or how, is not what it was. `problem` is a sentence, or null.
class Player extends EventTarget {
  constructor(kit) {
    super();
    this.kit = kit;
    this.sampler = new Sampler(kit);
    this.sampler.ready.catch(() => this.fail(NO_OGG));
    this.context = null;
    this.song = null; // that plays, or is about to
    this.run = null; // what sounds: its tracks' gains, its voices, where and when it began
    this.loudness = 0.8;
    this.problem = null;
    document.addEventListener("visibilitychange", () => this.look());
  }

  fail(problem) {
    this.problem = problem;
    this.song = null;
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  // Makes the path from the tracks to the loudspeaker, once.
  open() {
    if (this.context) return;
    this.context = new AudioContext({ sampleRate: this.kit.rate });
    this.mix = new GainNode(this.context, { gain: this.kit.gain });
    const limiter = new DynamicsCompressorNode(this.context, {
      threshold: -9, knee: 6, ratio: 12, attack: 0.003, release: 0.25,
    });
    this.volume = new GainNode(this.context, { gain: this.loudness ** 2 });
    this.analyser = new AnalyserNode(this.context, { fftSize: 8192 });
    this.mix.connect(limiter).connect(this.volume).connect(this.analyser).connect(this.context.destination);
  }

  // Browsers let a page sound once a person has clicked or pressed a key. Returns what is wrong, or null.
  async prepare() {
    try {
      this.open();
      const waited = new Promise((done) => setTimeout(done, PATIENCE));
      await Promise.race([this.context.resume(), waited]);
    } catch {
      return NO_SOUND;
    }
    try {
      await this.sampler.ready;
    } catch {
      return NO_OGG;
    }
    return this.context.state === "running" ? null : NO_SOUND;
  }

  async play(song) {
    this.pause();
    this.song = song;
    this.changed();
    const problem = await this.prepare();
    if (this.song !== song || this.run) return; // a person has changed their mind
    this.problem = problem;
    if (problem) this.fail(problem);
    else this.begin(song.step >= song.steps ? 0 : song.step);
  }

  pause() {
    if (!this.song) return;
    this.song.step = this.step(this.song);
    this.end();
    this.song = null;
    this.changed();
  }

  // The step that is heard now: a fraction, too.
  step(song) {
    if (this.song !== song || !this.run) return song.step;
    const heard = this.context.currentTime - (this.context.outputLatency || 0) - this.run.time;
    return Math.min(song.steps, this.run.step + Math.max(0, heard) / song.pace);
  }

  seek(song, step) {
    song.step = Math.min(Math.max(step, 0), song.steps);
    this.again(song);
  }

  // Another version goes on at the same place in the music.
  choose(song, version) {
    if (version === song.version) return;
    song.step = this.step(song);
    song.version = version;
    this.again(song);
  }

  again(song) {
    if (this.song === song && this.run) {
      this.end();
      this.begin(song.step);
    }
    this.changed();
  }

  mute(song, track, on) {
    song.muted[track] = on;
    this.balance(song);
  }

  solo(song, track, on) {
    song.soloed[track] = on;
    this.balance(song);
  }

  balance(song) {
    if (this.song === song && this.run) {
      this.run.gains.forEach((node, track) => {
        node.gain.setTargetAtTime(song.audible(track) ? 1 : 0, this.context.currentTime, SWITCH);
      });
    }
    this.changed();
  }

  setLoudness(loudness) {
    this.loudness = loudness;
    // An ear hears a power of the gain; a square is near.
    this.volume?.gain.setTargetAtTime(loudness ** 2, this.context.currentTime, SWITCH);
    this.changed();
  }

  begin(step) {
    const song = this.song;
    const { notes } = song.heard;
    const gains = this.kit.tracks.map((_, track) => {
      const node = new GainNode(this.context, { gain: song.audible(track) ? 1 : 0 });
      node.connect(this.mix);
      return node;
    });
    const time = this.context.currentTime + LEAD;
    const next = notes.findIndex((note) => note.start >= step);
    this.run = { gains, voices: new Set(), open: new Map(), time, step, next: next < 0 ? notes.length : next };
    // Notes that began before and still sound.
    for (const note of notes.slice(0, this.run.next)) if (note.end > step) this.sound(note);
    this.look();
    this.timer = setInterval(() => this.look(), EVERY);
    this.changed();
  }

  end() {
    clearInterval(this.timer);
    if (!this.run) return;
    const now = this.context.currentTime;
    for (const node of this.run.gains) node.gain.setTargetAtTime(0, now, SWITCH);
    for (const { source } of this.run.voices) source.stop(now + 8 * SWITCH);
    this.run = null;
  }

  look() {
    if (!this.run) return;
    const { notes } = this.song.heard;
    const now = this.context.currentTime;
    const until = now + (document.hidden ? AHEAD_HIDDEN : AHEAD);
    while (this.run.next < notes.length && this.at(notes[this.run.next].start) < until) {
      this.sound(notes[this.run.next]);
      this.run.next += 1;
    }
    if (now >= this.at(this.song.steps)) {
      const { song } = this;
      this.pause();
      this.seek(song, 0);
    }
  }

  // The context's time of a step.
  at(step) {
    return this.run.time + (step - this.run.step) * this.song.pace;
  }

  sound(note) {
    const { run } = this;
    const when = Math.max(this.at(note.start), this.context.currentTime, run.time);
    const entered = when - this.at(note.start);
    const voice = this.sampler.play(run.gains[note.track], note, when, this.at(note.end), entered > 0.002 ? entered : 0);
    if (!voice) return;
    if (voice.group !== undefined) {
      const before = run.open.get(voice.group);
      if (before) this.sampler.choke(before, when);
      run.open.set(voice.group, voice);
    }
    run.voices.add(voice);
    voice.source.onended = () => {
      voice.level.disconnect();
      run.voices.delete(voice);
    };
  }
}
