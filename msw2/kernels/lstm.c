/* An LSTM's recurrence over a whole sequence, forward and backward, and its projection of a pianoroll; on one thread,
 * but the rows of a batch know nothing of each other: threads may share them.
 *
 * Why not TensorFlow's operations: at 32 rows a step's product takes some 50 microseconds, and dispatching,
 * repacking the kernel for each product and passing over the gates five times take more than that. Here the
 * kernel is packed once a sequence, and the gates are computed while they are in the cache.
 *
 * Gates are in Keras's order i-f-c-o. Arrays are contiguous float32. All functions return 0, or 1 if there was
 * no memory.
 */
#include "matrix.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* exp(x) = 2^n * exp(r), |r| <= ln 2 / 2, by a polynomial; for |x| <= 80. */
INLINE vec vexp(vec x) {
    vec t = x * 1.44269504f;
    vec magic = t + 12582912.0f; /* rounds to nearest: 1.5 * 2^23 */
    vec n = magic - 12582912.0f;
    vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
    vec p = 1.9875691500e-4f * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (vec)((((ivec)magic) << 23) + (127 << 23)); /* the low bits of magic hold n */
}
INLINE vec choose(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }
INLINE vec clampv(vec x, float lo, float hi) {
    vec l = (vec){0} + lo, h = (vec){0} + hi;
    x = choose(x < l, l, x);
    return choose(x > h, h, x);
}
INLINE vec vtanh(vec x) {
    x = clampv(x, -9.0f, 9.0f);
    vec e = vexp(2.0f * x);
    return 1.0f - 2.0f / (e + 1.0f);
}

INLINE vec gate(vec x, int hard) {
    if (hard) return clampv(0.2f * x + 0.5f, 0.0f, 1.0f);
    return 0.5f * vtanh(0.5f * x) + 0.5f;
}

/* WIDTH units of one row, from unit j on; g holds preactivations, then gates, u apart. */
INLINE void cell_forward(float *g, const float *before, float *after, float *hidden, int u, int j, int hard) {
    vec i = gate(LOAD(g + j), hard), f = gate(LOAD(g + u + j), hard), c = vtanh(LOAD(g + 2 * u + j)), o = gate(LOAD(g + 3 * u + j), hard);
    vec now = f * LOAD(before + j) + i * c;
    STORE(g + j, i); STORE(g + u + j, f); STORE(g + 2 * u + j, c); STORE(g + 3 * u + j, o);
    STORE(after + j, now);
    STORE(hidden + j, o * vtanh(now));
}
INLINE vec slope(vec g, int hard) {
    if (!hard) return g * (1.0f - g);
    return choose((g > 0.0f) & (g < 1.0f), (vec){0} + 0.2f, (vec){0});
}
/* projected, gates: [steps][batch][4 x units], or projected [batch][4 x units] if each step has the same; kernel: [units]
 * [4 x units]; cells, hidden: [steps + 1][batch][units], of which the first are set to zero. All of it only for some
 * rows of the batch, from first on. */
EXPORT int forward(const float *projected, const float *kernel, float *gates, float *cells, float *hidden, int first, int rows, int batch, int steps, int units, int hard, int same, int bfloat16) {
    int width = 4 * units;
    factor packed;
    if (factor_pack(&packed, kernel, units, width, 0, rows, bfloat16)) return 1;
    size_t state = (size_t)batch * units, skipped = (size_t)first * units, own = (size_t)rows * units;
    projected += 4 * skipped; gates += 4 * skipped; cells += skipped; hidden += skipped;
    memset(cells, 0, sizeof(float) * own);
    memset(hidden, 0, sizeof(float) * own);
    for (int t = 0; t < steps; t++, projected += same ? 0 : 4 * state, gates += 4 * state, cells += state, hidden += state) {
        if (t) factor_multiply(&packed, hidden, projected, gates, rows);
        else memcpy(gates, projected, sizeof(float) * 4 * own); /* from states of zero */
        for (int b = 0; b < rows; b++) {
            float *g = gates + (size_t)b * width;
            const float *before = cells + (size_t)b * units;
            float *after = cells + state + (size_t)b * units, *h = hidden + state + (size_t)b * units;
            int j = 0;
            for (; j + WIDTH <= units; j += WIDTH) cell_forward(g, before, after, h, units, j, hard);
            if (j < units) { /* what is left of a row, through padded copies */
                float pg[4 * WIDTH], pb[WIDTH] = {0}, pa[WIDTH], ph[WIDTH];
                int rest = units - j;
                memset(pg, 0, sizeof pg);
                for (int q = 0; q < 4; q++) memcpy(pg + q * WIDTH, g + q * units + j, sizeof(float) * rest);
                memcpy(pb, before + j, sizeof(float) * rest);
                cell_forward(pg, pb, pa, ph, WIDTH, 0, hard);
                for (int q = 0; q < 4; q++) memcpy(g + q * units + j, pg + q * WIDTH, sizeof(float) * rest);
                memcpy(after + j, pa, sizeof(float) * rest);
                memcpy(h + j, ph, sizeof(float) * rest);
            }
        }
    }
    factor_free(&packed);
    return 0;
}
/* The gradient of the same; dg, u apart, from the gates, ug apart. */
INLINE void cell_backward(float *dg, const float *g, const float *before, const float *after, const float *ds, const float *dh, float *dc, int u, int ug, int j, int hard) {
    vec i = LOAD(g + j), f = LOAD(g + ug + j), c = LOAD(g + 2 * ug + j), o = LOAD(g + 3 * ug + j);
    vec squashed = vtanh(LOAD(after + j)), d = LOAD(ds + j) + LOAD(dh + j);
    vec e = LOAD(dc + j) + d * o * (1.0f - squashed * squashed);
    STORE(dg + j, e * c * slope(i, hard));
    STORE(dg + u + j, e * LOAD(before + j) * slope(f, hard));
    STORE(dg + 2 * u + j, e * i * (1.0f - c * c));
    STORE(dg + 3 * u + j, d * squashed * slope(o, hard));
    STORE(dc + j, e * f);
}
/* d_states: [steps][batch][units]; kernel, gates, cells as forward left them; d_projected like gates. */
EXPORT int backward(const float *d_states, const float *kernel, const float *gates, const float *cells, float *d_projected, int first, int rows, int batch, int steps, int units, int hard, int bfloat16) {
    int width = 4 * units;
    size_t state = (size_t)batch * units, skipped = (size_t)first * units, own = (size_t)rows * units;
    factor packed;
    if (factor_pack(&packed, kernel, width, units, 1, rows, bfloat16)) return 1;
    float *d_hidden = calloc(own, sizeof(float)), *d_cell = calloc(own, sizeof(float));
    int failed = !d_hidden || !d_cell;
    d_states += skipped; gates += 4 * skipped; cells += skipped; d_projected += 4 * skipped;
    for (int t = steps - 1; t >= 0 && !failed; t--) {
        for (int b = 0; b < rows; b++) {
            size_t row = (size_t)t * state + (size_t)b * units;
            const float *g = gates + 4 * row, *before = cells + row, *after = cells + state + row, *ds = d_states + row;
            float *dg = d_projected + 4 * row, *dh = d_hidden + (size_t)b * units, *dc = d_cell + (size_t)b * units;
            int j = 0;
            for (; j + WIDTH <= units; j += WIDTH) cell_backward(dg, g, before, after, ds, dh, dc, units, units, j, hard);
            if (j < units) { /* what is left of a row, through padded copies */
                int rest = units - j;
                float pg[4 * WIDTH], pd[4 * WIDTH], p[5][WIDTH];
                memset(pg, 0, sizeof pg); memset(p, 0, sizeof p);
                for (int q = 0; q < 4; q++) memcpy(pg + q * WIDTH, g + q * units + j, sizeof(float) * rest);
                const float *from[5] = {before, after, ds, dh, dc};
                for (int q = 0; q < 5; q++) memcpy(p[q], from[q] + j, sizeof(float) * rest);
                cell_backward(pd, pg, p[0], p[1], p[2], p[3], p[4], WIDTH, WIDTH, 0, hard);
                for (int q = 0; q < 4; q++) memcpy(dg + q * units + j, pd + q * WIDTH, sizeof(float) * rest);
                memcpy(dc + j, p[4], sizeof(float) * rest);
            }
        }
        if (t) factor_multiply(&packed, d_projected + 4 * (size_t)t * state, 0, d_hidden, rows);
    }
    factor_free(&packed); free(d_hidden); free(d_cell);
    return failed;
}

/* Finds the features of a row that are not the background, and how far above it each is. Returns how many. */
static int find_others(const float *x, float background, int features, int *which, float *above) {
    int count = 0;
    for (int p = 0; p < features; p++)
        if (x[p] != background) { which[count] = p; above[count++] = x[p] - background; }
    return count;
}
/* to [width] += factor x from. */
static void add(float *to, float factor, const float *from, int width) {
    for (int j = 0; j < width; j++) to[j] += factor * from[j];
}
/* projected [rows][width] = x [rows][features] x kernel + bias. Right for any x, fast where most of x is the background:
 * what a row of nothing else gives is computed once, and only the rest is added. */
EXPORT int project(const float *x, const float *kernel, const float *bias, float *projected, float background, int rows, int features, int width) {
    float *empty = malloc(sizeof(float) * width), *above = malloc(sizeof(float) * features);
    int *which = malloc(sizeof(int) * features), failed = !empty || !above || !which;
    if (!failed) {
        memcpy(empty, bias, sizeof(float) * width);
        for (int p = 0; p < features; p++) add(empty, background, kernel + (size_t)p * width, width);
        for (int r = 0; r < rows; r++, x += features, projected += width) {
            int count = find_others(x, background, features, which, above);
            memcpy(projected, empty, sizeof(float) * width);
            for (int q = 0; q < count; q++) add(projected, above[q], kernel + (size_t)which[q] * width, width);
        }
    }
    free(empty); free(above); free(which);
    return failed;
}
/* The gradient of the same by kernel and bias. */
EXPORT int project_backward(const float *x, const float *d_projected, float *d_kernel, float *d_bias, float background, int rows, int features, int width) {
    float *above = malloc(sizeof(float) * features);
    int *which = malloc(sizeof(int) * features), failed = !above || !which;
    if (!failed) {
        memset(d_kernel, 0, sizeof(float) * features * width);
        memset(d_bias, 0, sizeof(float) * width);
        for (int r = 0; r < rows; r++, x += features, d_projected += width) {
            int count = find_others(x, background, features, which, above);
            add(d_bias, 1.0f, d_projected, width);
            for (int q = 0; q < count; q++) add(d_kernel + (size_t)which[q] * width, above[q], d_projected, width);
        }
        for (int p = 0; p < features; p++) add(d_kernel + (size_t)p * width, background, d_bias, width);
    }
    free(above); free(which);
    return failed;
}
