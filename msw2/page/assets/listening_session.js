// One listener's way through the test: the order of the clips, the answers so far, and where they are kept.
class Session {
  // What all listeners at this browser have answered; it is empty where the browser keeps nothing.
  static read(data) {
    try {
      return JSON.parse(window.localStorage.getItem(`msw2-listening-${data.test}`)) || {};
    } catch {
      return {};
    }
  }

  static write(data, content) {
    try {
      window.localStorage.setItem(`msw2-listening-${data.test}`, JSON.stringify(content));
      return true;
    } catch {
      return false;
    }
  }

  constructor(data, listener) {
    this.data = data;
    this.first = data.practice ? -1 : 0; // place of the practice clip
    const { listeners = {} } = Session.read(data);
    // A name such as `constructor` is a field of every object.
    const known = Object.hasOwn(listeners, listener) ? listeners[listener] : null;
    this.state = known || { listener, started: now(), place: this.first, clips: {} };
    this.order = listeningOrder(data.seed, listener, data.clips.length).map((index) => data.clips[index]);
    this.kept = this.keep();
  }

  // Returns whether a reload of the page finds the answers.
  keep() {
    const all = Session.read(this.data);
    const listeners = { ...all.listeners, [this.state.listener]: this.state };
    return Session.write(this.data, { now: this.state.listener, listeners });
  }

  leave() {
    Session.write(this.data, { ...Session.read(this.data), now: null });
  }

  get place() {
    return this.state.place;
  }

  go(place) {
    this.state.place = place;
    this.keep();
  }

  get finished() {
    return this.place >= this.order.length;
  }

  get clip() {
    return this.place < 0 ? this.data.practice : this.order[this.place];
  }

  answer(clip) {
    const { clips } = this.state;
    if (!clips[clip.id]) clips[clip.id] = { scores: {}, seconds: 0, plays: 0, heard: false };
    return clips[clip.id];
  }

  missing(clip) {
    return this.data.questions.filter((question) => !(question.name in this.answer(clip).scores));
  }

  complete(clip) {
    return this.answer(clip).heard && !this.missing(clip).length;
  }

  score(clip, question, score) {
    const answer = this.answer(clip);
    answer.scores[question.name] = score;
    answer.answered = now();
    this.keep();
  }

  // What the listener saves: the practice clip is not in it.
  text() {
    const { kind, format, test, seed } = this.data;
    const { listener, started } = this.state;
    const answers = this.order.map((clip, index) => {
      const { scores, seconds, plays, first, answered } = this.answer(clip);
      return { clip: clip.id, place: index + 1, scores, seconds: Math.round(seconds * 10) / 10, plays, first, answered };
    });
    return JSON.stringify({ kind, format, test, seed, listener, started, saved: now(), answers }, null, 1) + "\n";
  }
}

function now() {
  return new Date().toISOString();
}
