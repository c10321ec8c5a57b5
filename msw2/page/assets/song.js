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
