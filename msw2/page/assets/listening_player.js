// Plays one clip at a time from start to end, counts the seconds played, and tells whether all of it was heard.
// The functions given to it: `moved()`, `listened(clip, seconds)` and `ended(clip, whole)` while it plays; `failed()`.
class Player {
  constructor(on) {
    this.on = on;
    this.clip = null;
    this.last = 0; // position up to which seconds are counted
    this.audio = new Audio();
    this.audio.preload = "auto";
    const events = {
      play: () => on.moved(),
      pause: () => on.moved(),
      loadedmetadata: () => on.moved(),
      timeupdate: () => this.count(),
      seeking: () => (this.last = this.audio.currentTime),
      ended: () => {
        this.count();
        on.ended(this.clip, this.whole());
      },
      error: () => on.failed(),
    };
    for (const [name, react] of Object.entries(events)) this.audio.addEventListener(name, react);
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  get position() {
    return this.audio.currentTime;
  }

  load(clip) {
    this.stop();
    this.clip = clip;
    this.last = 0;
    if (this.url) URL.revokeObjectURL(this.url);
    const bytes = Uint8Array.from(atob(clip.audio), (sign) => sign.charCodeAt(0));
    this.url = URL.createObjectURL(new Blob([bytes], { type: "audio/ogg" }));
    this.audio.src = this.url;
  }

  // Returns whether the clip begins anew.
  toggle() {
    if (this.playing) {
      this.audio.pause();
      return false;
    }
    const anew = this.audio.ended || this.position === 0;
    this.audio.play().catch((error) => {
      if (error.name !== "AbortError") this.on.failed(); // an abort is a clip that was left
    });
    return anew;
  }

  stop() {
    this.audio.pause();
    if (this.clip) this.count();
  }

  count() {
    const passed = this.position - this.last;
    this.last = this.position;
    if (passed > 0) this.on.listened(this.clip, passed);
    this.on.moved();
  }

  // Whether the ranges that were played make up the clip: the keys of a headset can skip.
  whole() {
    const { played, duration } = this.audio;
    let heard = 0;
    for (let index = 0; index < played.length; index++) heard += played.end(index) - played.start(index);
    return heard > duration - 0.5;
  }
}
