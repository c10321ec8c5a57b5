// The instruments: sounds of a General MIDI soundfont, played at the pitch, time and loudness that a note asks for.

const CHOKED = 0.02; // seconds in which an open hi-hat that is closed falls to a third
const ATTACK = 0.01; // seconds to fade in a note that is entered in its middle

class Sampler {
  // kit: what page/build.py writes as "kit".
  constructor(kit) {
    this.kit = kit;
    this.nearest = kit.tracks.map(() => new Array(128));
    this.group = new Map(kit.chokes.flatMap((pitches, group) => pitches.map((pitch) => [pitch, group])));
    this.ready = this.decode();
    this.ready.catch(() => {}); // whoever plays awaits it, and says what is wrong
  }

  async decode() {
    if (!this.kit.samples.length) return;
    const bytes = Uint8Array.from(atob(this.kit.ogg), (letter) => letter.charCodeAt(0));
    // A context of the recording's own rate keeps its frames where they are, and needs no permission to play.
    const whole = await new OfflineAudioContext(1, 1, this.kit.rate).decodeAudioData(bytes.buffer);
    const frames = whole.getChannelData(0);
    const { rate } = this.kit;
    for (const [track, pitch, start, length, loopStart, loopEnd, decay] of this.kit.samples) {
      const buffer = new AudioBuffer({ length, sampleRate: rate });
      buffer.copyToChannel(frames.subarray(start, start + length), 0);
      this.place(track, { pitch, buffer, loopStart: loopStart / rate, loopEnd: loopEnd / rate, decay });
    }
  }

  // Drums play what was recorded; the others play each pitch by the nearest sound.
  place(track, sound) {
    const nearest = this.nearest[track];
    for (let pitch = 0; pitch < 128; pitch += 1) {
      const away = Math.abs(pitch - sound.pitch);
      if (this.kit.tracks[track].drum ? away === 0 : !nearest[pitch] || away < Math.abs(pitch - nearest[pitch].pitch)) {
        nearest[pitch] = sound;
      }
    }
  }

  // Plays a note and returns its voice, or null if nothing of it is left.
  //   into: the AudioNode of its track.   when, end: times of the context, in seconds.
  //   entered: seconds of the note that are over already.
  play(into, note, when, end, entered) {
    const { track, pitch, velocity } = note;
    const sound = this.nearest[track][pitch];
    if (!sound) return null;
    const { drum, gain, release } = this.kit.tracks[track];
    const rate = drum ? 1 : 2 ** ((pitch - sound.pitch) / 12);
    const loop = sound.loopEnd - sound.loopStart;
    const looped = entered * rate - sound.loopStart; // seconds of the recording since its loop began
    const offset = loop > 0 && looped > 0 ? sound.loopStart + (looped % loop) : entered * rate;
    if (offset >= sound.buffer.duration) return null;

    const { context } = into;
    const source = new AudioBufferSourceNode(context, {
      buffer: sound.buffer, playbackRate: rate, loop: loop > 0, loopStart: sound.loopStart, loopEnd: sound.loopEnd,
    });
    let loudness = gain * (velocity / this.kit.velocity) ** 2; // the soundfont standard's curve
    if (sound.decay) loudness *= Math.exp(-Math.max(0, looped) / sound.decay);
    const level = new GainNode(context, { gain: entered > 0 ? 0 : loudness });
    const settled = entered > 0 ? when + ATTACK : when;
    if (entered > 0) level.gain.setValueAtTime(0, when).linearRampToValueAtTime(loudness, settled);
    source.connect(level).connect(into);
    source.start(when, offset);
    if (!drum) {
      const falls = Math.max(settled, when - looped / rate);
      if (sound.decay && falls < end) level.gain.setTargetAtTime(0, falls, sound.decay / rate);
      level.gain.setTargetAtTime(0, Math.max(end, settled), release);
      source.stop(end + 8 * release);
    }
    return { source, level, group: drum ? this.group.get(pitch) : undefined };
  }

  // Ends a drum's sound at a time, as the next sound of its group does.
  choke(voice, when) {
    voice.level.gain.setTargetAtTime(0, when, CHOKED);
    voice.source.stop(when + 8 * CHOKED);
  }
}
