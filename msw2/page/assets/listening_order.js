// The order in which a listener hears the clips: `listening_order` in shuffle.py, draw for draw.
function listeningOrder(seed, listener, count) {
  let state = 2166136261;
  for (const byte of new TextEncoder().encode(`${seed}:${listener}`)) {
    state = Math.imul(state ^ byte, 16777619) >>> 0;
  }
  state = state || 1;
  const draw = () => {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state;
  };
  for (let index = 0; index < 16; index++) draw();
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor((draw() * (last + 1)) / 4294967296);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
