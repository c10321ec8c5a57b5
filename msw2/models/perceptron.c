/* A perceptron over many rows, forward and backward, in tiles of bfloat16: dense layers, with ReLU but for the
 * last one.
 *
 * Why not TensorFlow's operations: of each layer they pass over all that it makes three times each way, and turn it to
 * bfloat16 and back; at 1,536 rows of 512 that is no longer in the cache. Here some rows go through all layers before
 * the next do, and what a layer makes is kept in bfloat16, in which the next one and the gradient multiply it.
 *
 * x is mostly near -1, where bfloat16 has steps of 1/256: what is multiplied is x + 1. What a product adds up, biases
 * and all gradients that are returned are float32. All functions return 0, or 1 if there was no memory.
 */
#include "tiles.h"

#ifdef HAS_TILES
#include <stdlib.h>

#define SOME 128 /* rows that go through all layers: what they become stays in the cache */
#define MORE 256 /* rows whose share of the weights' gradient is one product */

/* bfloat16 of a row is as wide as whole tiles, filled up with zeros. */
static int padded(int n) { return CEIL(n, DEPTH) * DEPTH; }
static int widest(const int *sizes, int layers) {
    int most = 0;
    for (int l = 0; l <= layers; l++) most = padded(sizes[l]) > most ? padded(sizes[l]) : most;
    return most;
}
static void *get(size_t size) { return aligned_alloc(64, CEIL(size, 64) * 64 + 64); }
/* n of x plus add, in bfloat16. */
static void halve(const float *x, float add, int n, uint16_t *out) {
    const __m512 plus = _mm512_set1_ps(add);
    for (int j = 0; j < n; j += DEPTH) {
        __m512 high = n - j > SIDE ? load(x + j + SIDE, n - j - SIDE) : _mm512_setzero_ps(), low = load(x + j, n - j);
        if (add != 0.0f) { /* what fills up stays zero */
            low = _mm512_mask_add_ps(low, lanes(n - j), low, plus);
            high = _mm512_mask_add_ps(high, lanes(n - j - SIDE), high, plus);
        }
        _mm512_storeu_si512(out + j, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}
/* Rows of what a layer reads that is kept, from one on: layer after layer, each [all, to whole tiles][padded(size)]. */
static uint16_t *rows_of(uint16_t *kept, const int *sizes, int layer, int all, int row) {
    size_t lines = (size_t)CEIL(all, SIDE) * SIDE, at = 0;
    for (int l = 0; l < layer; l++) at += lines * padded(sizes[l]);
    return kept + at + (size_t)row * padded(sizes[layer]);
}
/* Packs all kernels, or all but the first transposed. Returns 1 if there is no memory. */
static int pack_kernels(const float *const *kernels, const int *sizes, int layers, int transposed, uint16_t **packed) {
    for (int l = transposed; l < layers; l++) {
        int k = sizes[l + transposed], n = sizes[l + !transposed];
        if (!(packed[l] = get(tiles_size(k, n, 1)))) return 1;
        pack_tiles(kernels[l], transposed ? k : n, k, n, transposed, 0, 1, packed[l]);
    }
    return 0;
}
static left_tiles left_rows(const uint16_t *rows, int size) {
    return (left_tiles){rows, (size_t)SIDE * padded(size), DEPTH, (int)sizeof *rows * padded(size)};
}

/* x: [all][sizes 0]; kernels: [layer][sizes l][sizes l + 1]; biases: [layer][sizes l + 1]; y: [all][sizes layers]; kept:
 * what the gradient needs, see rows_of. Only some rows, from first on, a multiple of 16: threads may share them. */
int perceptron(const float *x, const float *const *kernels, const float *const *biases, uint16_t *kept, float *y, const int *sizes, int layers, int first, int rows, int all) {
    const int wide = widest(sizes, layers), last = first + rows;
    uint16_t **packed = calloc(layers, sizeof *packed);
    float *made = get(sizeof *made * SOME * wide), *bias = get(sizeof *bias * sizes[1]);
    int failed = !packed || !made || !bias || pack_kernels(kernels, sizes, layers, 0, packed);
    for (int j = 0; j < sizes[1] && !failed; j++) bias[j] = biases[0][j];
    for (int i = 0; i < sizes[0] && !failed; i++)
        for (int j = 0; j < sizes[1]; j++) bias[j] -= kernels[0][(size_t)i * sizes[1] + j];
    for (int row = first, some; row < last && !failed; row += some) {
        some = last - row < SOME ? last - row : SOME;
        for (int r = row; r < row + some; r++) halve(x + (size_t)r * sizes[0], 1.0f, sizes[0], rows_of(kept, sizes, 0, all, r));
        for (int l = 0; l < layers; l++) {
            const int n = sizes[l + 1], hidden = l + 1 < layers;
            const float *plus = l ? biases[l] : bias;
            float *out = hidden ? made : y + (size_t)row * n;
            multiply_packed(left_rows(rows_of(kept, sizes, l, all, row), sizes[l]), packed[l], 0, out, some, sizes[l], n, 1);
            for (int r = 0; r < some; r++) {
                float *line = out + (size_t)r * n;
                for (int j = 0; j < n; j++) {
                    float sum = line[j] + plus[j];
                    line[j] = hidden && sum < 0.0f ? 0.0f : sum; /* what is no number stays none */
                }
                if (hidden) halve(line, 0.0f, n, rows_of(kept, sizes, l + 1, all, row + r));
            }
        }
    }
    for (int l = 0; packed && l < layers; l++) free(packed[l]);
    free(packed); free(made); free(bias);
    return failed;
}
/* Adds rows [rows][n] to sum [n], and turns them to bfloat16; with kept, only where that is positive. */
static void gradient_rows(float *d, const uint16_t *kept, int rows, int n, float *sum, uint16_t *out) {
    for (int r = 0; r < rows; r++, d += n, out += padded(n)) {
        if (kept)
            for (int j = 0; j < n; j++) d[j] = (int16_t)kept[(size_t)r * padded(n) + j] > 0 ? d[j] : 0.0f;
        for (int j = 0; j < n; j++) sum[j] += d[j];
        halve(d, 0.0f, n, out);
    }
}
/* The gradients by kernels and biases from that by y, of those rows alone; that by x is nobody's need. */
int perceptron_backward(float *d_y, const float *const *kernels, uint16_t *kept, float **d_kernels, float **d_biases, const int *sizes, int layers, int first, int rows, int all) {
    const int wide = widest(sizes, layers), last = first + rows;
    uint16_t **packed = calloc(layers, sizeof *packed), *left = get(sizeof *left * MORE * wide), *right = get(sizeof *right * MORE * wide);
    uint16_t *d = get(sizeof *d * MORE * wide), *before = get(sizeof *before * MORE * wide);
    float *made = get(sizeof *made * SOME * wide);
    int failed = !packed || !left || !right || !d || !before || !made || pack_kernels(kernels, sizes, layers, 1, packed);
    for (int l = 0; l < layers; l++) {
        memset(d_biases[l], 0, sizeof(float) * sizes[l + 1]);
        if (!rows) memset(d_kernels[l], 0, sizeof(float) * sizes[l] * sizes[l + 1]);
    }
    for (int row = first, some; row < last && !failed; row += some) {
        some = last - row < MORE ? last - row : MORE;
        gradient_rows(d_y + (size_t)row * sizes[layers], 0, some, sizes[layers], d_biases[layers - 1], d);
        for (int l = layers - 1; l >= 0; l--) {
            const int k = sizes[l], n = sizes[l + 1];
            pack_halves(rows_of(kept, sizes, l, all, row), padded(k), some, k, 1, left);
            pack_halves(d, padded(n), some, n, 0, right);
            multiply_packed(packed_left(left, CEIL(some, DEPTH), 1), right, row > first ? d_kernels[l] : 0, d_kernels[l], k, some, n, 1);
            for (int part = 0, few; part < some && l; part += few) {
                few = some - part < SOME ? some - part : SOME;
                multiply_packed(left_rows(d + (size_t)part * padded(n), n), packed[l], 0, made, few, n, k, 1);
                gradient_rows(made, rows_of(kept, sizes, l, all, row + part), few, k, d_biases[l - 1], before + (size_t)part * padded(k));
            }
            uint16_t *swapped = d;
            d = before; before = swapped;
        }
    }
    for (int i = 0; i < sizes[0] && rows && !failed; i++) /* of x + 1, not of x */
        for (int j = 0; j < sizes[1]; j++) d_kernels[0][(size_t)i * sizes[1] + j] -= d_biases[0][j];
    for (int l = 0; packed && l < layers; l++) free(packed[l]);
    free(packed); free(left); free(right); free(d); free(before); free(made);
    return failed;
}
#endif
