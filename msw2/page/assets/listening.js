(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  let session = null; // of the listener at the page
  let saved = false; // as a file or as text, since the last answer

  // ---- the three views: start, a clip, end ----

  function show() {
    const view = !session ? "start" : session.finished ? "end" : "clip";
    for (const id of ["start", "clip", "end"]) element(id).hidden = id !== view;
    element("who").hidden = !session;
    element("listener").textContent = session ? session.state.listener : "";
    if (view === "clip") showClip();
    if (view === "end") showEnd();
    window.scrollTo(0, 0);
    element(`${view}-title`).focus({ preventScroll: true });
  }

  function showClip() {
    const { clip, place, order } = session;
    element("clip-title").textContent = place < 0 ? "Practice" : `Clip ${place + 1} of ${order.length}`;
    element("practice").hidden = place >= 0;
    element("done").max = order.length;
    element("done").value = order.filter((each) => session.complete(each)).length;
    element("back").hidden = place === session.first;
    element("hint").textContent = "";
    const { scores } = session.answer(clip);
    for (const question of data.questions) {
      for (const radio of radios(question)) radio.checked = Number(radio.value) === scores[question.name];
      group(question).classList.remove("missing");
    }
    player.load(clip);
    showPosition();
    showHeard();
  }

  function showPosition() {
    if (!session || session.finished) return;
    const { seconds } = session.clip;
    const again = session.answer(session.clip).heard && player.position >= seconds - 0.5;
    element("play-sign").classList.toggle("playing", player.playing);
    element("play-text").textContent = player.playing ? "Pause" : again ? "Play again" : "Play";
    element("position").max = seconds;
    element("position").value = Math.min(player.position, seconds);
    const clock = (value) => `0:${String(Math.floor(value)).padStart(2, "0")}`;
    element("time").textContent = `${clock(player.position)} / ${clock(seconds)}`;
  }

  function showHeard() {
    const { heard } = session.answer(session.clip);
    element("heard").textContent = heard ? "Heard to its end." : "Play it to its end. You can answer meanwhile.";
    element("next").classList.toggle("waiting", !session.complete(session.clip));
  }

  function showEnd() {
    const count = session.order.length;
    element("finished").textContent = `You have answered all ${count} clips. Save your answers, and pass the file on.`;
    element("saved").textContent = "";
    element("text").value = session.text();
  }

  function warn(sentence) {
    element("notice").textContent = sentence;
    element("notice").hidden = false;
  }

  // ---- questions ----

  const radios = (question) => [...document.getElementsByName(question.name)];
  const group = (question) => element(`question-${data.questions.indexOf(question)}`);

  function make(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function buildQuestion(question, index) {
    const { name, text } = question;
    const title = make("span", { id: `title-${index}`, className: "title" }, name[0].toUpperCase() + name.slice(1));
    const help = make("span", { id: `help-${index}`, className: "quiet" }, text);
    const choices = data.scores.map((word, place) => {
      const radio = make("input", { type: "radio", name, value: String(place + 1) });
      radio.setAttribute("aria-label", `${place + 1}, ${word}`);
      const shown = make("span", { className: "score" }, String(place + 1), make("small", {}, word));
      return make("label", {}, radio, shown);
    });
    const built = make(
      "div",
      { id: `question-${index}`, className: "question" },
      make("div", { className: "asked" }, title, help),
      make("div", { className: "choices" }, ...choices),
    );
    built.setAttribute("role", "radiogroup");
    built.setAttribute("aria-labelledby", title.id);
    built.setAttribute("aria-describedby", help.id);
    built.addEventListener("change", (event) => choose(question, Number(event.target.value)));
    built.addEventListener("keydown", (event) => press(event, question));
    element("questions").append(built);
  }

  function choose(question, score) {
    session.score(session.clip, question, score);
    saved = false;
    group(question).classList.remove("missing");
    element("hint").textContent = "";
    showHeard();
  }

  // A digit answers and goes on to the next question.
  function press(event, question) {
    const score = Number(event.key);
    if (event.ctrlKey || event.altKey || event.metaKey || !(score >= 1 && score <= data.scores.length)) return;
    event.preventDefault();
    radios(question)[score - 1].checked = true;
    choose(question, score);
    const next = data.questions[data.questions.indexOf(question) + 1];
    (next ? radios(next).find((radio) => radio.checked) || radios(next)[0] : element("next")).focus();
  }

  // ---- from clip to clip ----

  function begin(listener) {
    session = new Session(data, listener);
    if (!session.kept) warn("This browser keeps nothing when the page is closed. Please finish the test in one go.");
    show();
  }

  function go(place) {
    player.stop();
    session.go(place);
    show();
  }

  function next() {
    const missing = session.missing(session.clip);
    for (const question of missing) group(question).classList.add("missing");
    if (!session.answer(session.clip).heard) {
      element("hint").textContent = "First play the clip to its end.";
      element("play").focus();
    } else if (missing.length) {
      element("hint").textContent = `Not answered yet: ${missing.map((question) => question.name).join(", ")}.`;
      radios(missing[0])[0].focus();
    } else {
      go(session.place + 1);
    }
  }

  const player = new Player({
    moved: showPosition,
    listened: (clip, seconds) => {
      session.answer(clip).seconds += seconds;
      session.keep();
    },
    ended: (clip, whole) => {
      const answer = session.answer(clip);
      answer.heard = answer.heard || whole;
      session.keep();
      showPosition();
      showHeard();
      element("hint").textContent = whole ? "" : "A part was skipped. Play the clip once from start to end.";
    },
    failed: () => warn("This browser cannot play the clips (Ogg Vorbis). Please use a current Firefox, Chrome or Edge."),
  });

  function play() {
    const answer = session.answer(session.clip);
    if (player.toggle()) {
      answer.plays += 1;
      answer.first = answer.first || now();
      session.keep();
    }
  }

  // ---- answers ----

  function save() {
    const url = URL.createObjectURL(new Blob([session.text()], { type: "application/json" }));
    const name = session.state.listener.replace(/[^\p{L}\p{N}]+/gu, "-");
    make("a", { href: url, download: `answers-${name}-${data.test.slice(0, 8)}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    saved = true;
    element("saved").textContent = "The file is among your downloads. Pass it on to the person who gave you this page.";
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(session.text());
      saved = true;
      element("saved").textContent = "Copied. Paste it into a message.";
    } catch {
      element("text").closest("details").open = true;
      element("text").select();
      element("saved").textContent = "Your browser does not let a page copy. The text is selected: copy it from there.";
    }
  }

  // ---- what the listener does ----

  function enter(event) {
    event.preventDefault();
    const name = element("name").value.normalize("NFC").trim().replace(/\s+/g, " ");
    const good = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,40}$/u.test(name);
    element("name-help").textContent = good ? "" : "Please give 1 to 40 letters, digits and signs.";
    if (good) begin(name);
  }

  function another() {
    player.stop();
    session.leave();
    session = null;
    element("name").value = "";
    show();
  }

  element("enter").addEventListener("submit", enter);
  element("play").addEventListener("click", play);
  element("next").addEventListener("click", next);
  element("back").addEventListener("click", () => go(session.place - 1));
  element("review").addEventListener("click", () => go(session.order.length - 1));
  element("save").addEventListener("click", save);
  element("copy").addEventListener("click", copy);
  element("another").addEventListener("click", another);
  window.addEventListener("beforeunload", (event) => {
    if (session && !session.kept && !saved) event.preventDefault();
  });

  // ---- start ----

  const clips = data.clips.length;
  const seconds = data.clips.reduce((sum, clip) => sum + clip.seconds, 0);
  element("summary").textContent =
    `You will hear ${clips} short pieces of music, and answer six questions about each. ` +
    `This takes about ${Math.ceil((seconds + 30 * clips) / 60)} minutes.`;
  if (!new Audio().canPlayType('audio/ogg; codecs="vorbis"')) player.on.failed();
  data.questions.forEach(buildQuestion);
  window.msw2 = { player, listeningOrder }; // for tests
  const { now: listener } = Session.read(data);
  if (listener) begin(listener);
  else show();
})();
