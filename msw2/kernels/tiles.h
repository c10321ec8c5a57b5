/* Products of bfloat16 that are added up in float32, where a CPU multiplies these: as tiles (AMX), or as vectors of pairs
 * (AVX512_BF16). HAS_TILES is defined then. What is multiplied is rounded to bfloat16, so a product of two numbers is
 * right to 2^-7.
 *
 * A tile is 16 rows of 64 bytes: of the left factor 16 rows x 32 bfloat16, of the right one 32 rows x 16, rows in
 * pairs, of the result 16 rows x 16 float32.
 */
#ifndef TILES_H
#define TILES_H
#if defined __AVX512BF16__ && defined __AVX512BW__ && defined __AVX512VL__
#define HAS_TILES
#if defined __AMX_BF16__ && defined __linux__
#define HAS_AMX
#endif
#include "matrix.h"

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#define SIDE 16
#define DEPTH 32
#define TILE (SIDE * DEPTH) /* numbers */
#define CEIL(x, y) (((x) + (y) - 1) / (y))

INLINE size_t tiles_size(int k, int n) { return sizeof(uint16_t) * TILE * CEIL(k, DEPTH) * CEIL(n, SIDE); }

/* The first so many of 16; of floats, the others zero. */
INLINE __mmask16 lanes(int valid) { return valid >= SIDE ? 0xFFFF : (1u << (valid > 0 ? valid : 0)) - 1; }
INLINE __m512 load(const float *p, int valid) { return valid >= SIDE ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(lanes(valid), p); }
/* x0, then x1. */
INLINE __m512i rounded(__m512 x0, __m512 x1) { return (__m512i)_mm512_cvtne2ps_pbh(x1, x0); }
/* 16 rows of x, [rows][columns] from a stride to the next, from one column on: rows of a tile. */
INLINE void pack_along(const float *x, int stride, int rows, int columns, uint16_t *tile) {
    for (int r = 0; r < SIDE; r++, x += stride, tile += DEPTH) {
        __m512i row = _mm512_setzero_si512();
        if (r < rows) row = rounded(load(x, columns), load(columns > SIDE ? x + SIDE : x, columns - SIDE));
        _mm512_store_si512(tile, row);
    }
}
/* 32 rows of x: in pairs, [row / 2][column][row % 2]. */
INLINE void pack_pairs(const float *x, int stride, int rows, int columns, uint16_t *tile) {
    const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (int r = 0; r < DEPTH; r += 2, x += 2 * (size_t)stride, tile += DEPTH) {
        __m512i both = _mm512_setzero_si512();
        if (r < rows) both = rounded(load(x, columns), load(r + 1 < rows ? x + stride : x, r + 1 < rows ? columns : 0));
        _mm512_store_si512(tile, _mm512_permutexvar_epi16(pairs, both));
    }
}
/* A tile of pairs, seen as 16 x 16 of them, transposed: rows of a left factor are columns of a right one. Blocks of 1,
 * 2, 4 and 8 pairs trade places across the diagonal. */
INLINE void transpose_pairs(uint16_t *tile) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i x[SIDE];
    for (int i = 0; i < SIDE; i++) x[i] = _mm512_load_si512(tile + DEPTH * i);
#pragma GCC unroll 4
    for (int size = 1; size < SIDE; size *= 2) {
        const __m512i other = _mm512_xor_epi32(lane, _mm512_set1_epi32(size)), second = _mm512_set1_epi32(SIDE);
        const __mmask16 high = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(size));
        const __m512i above = _mm512_mask_add_epi32(lane, high, other, second), below = _mm512_mask_add_epi32(other, high, lane, second);
#pragma GCC unroll 16
        for (int i = 0; i < SIDE; i++)
            if (!(i & size)) {
                __m512i kept = _mm512_permutex2var_epi32(x[i], above, x[i + size]);
                x[i + size] = _mm512_permutex2var_epi32(x[i], below, x[i + size]);
                x[i] = kept;
            }
    }
    for (int i = 0; i < SIDE; i++) _mm512_store_si512(tile + DEPTH * i, x[i]);
}
/* Packs a factor to [column / 16][row / 32] tiles; the left one is the transpose of a right one, with its pairs along
 * rows. Stored is x [k][n], or x transposed, its rows so far apart. */
INLINE void pack_tiles(const float *x, int stride, int k, int n, int transposed, int left, uint16_t *out) {
    const int depth = CEIL(k, DEPTH), tiles = depth * CEIL(n, SIDE);
    for (int at = 0; at < tiles; at++) { /* along the rows that are stored */
        int i = transposed ? at % depth : at / CEIL(n, SIDE), j = transposed ? at / depth : at % CEIL(n, SIDE);
        uint16_t *tile = out + (size_t)TILE * (j * depth + i);
        i *= DEPTH, j *= SIDE;
        if (transposed) pack_along(x + (size_t)j * stride + i, stride, n - j, k - i, tile);
        else pack_pairs(x + (size_t)i * stride + j, stride, k - i, n - j, tile);
        if (transposed != left) transpose_pairs(tile);
    }
}
#ifdef HAS_AMX
/* A tile of float32, to or from a matrix; of a matrix that ends before it does, as many rows and columns as are left. */
INLINE void copy(const float *from, int stride, float *to, int to_stride, int rows, int columns) {
    for (int r = 0; r < rows && r < SIDE; r++)
        memcpy(to + (size_t)r * to_stride, from + (size_t)r * stride, sizeof(float) * (columns < SIDE ? columns : SIDE));
}
#define INSIDE(r, q) (SIDE * (r + 1) <= m && SIDE * (q + 1) <= n)
#define AT(x, r, q) (x + (size_t)SIDE * r * stride + SIDE * q)
#define BEGIN(t, r, q) \
    if (!add) _tile_zero(t); \
    else if (INSIDE(r, q)) _tile_loadd(t, AT(add, r, q), sizeof(float) * stride); \
    else { \
        copy(AT(add, r, q), stride, edge, SIDE, m - SIDE * r, n - SIDE * q); \
        _tile_loadd(t, edge, sizeof(float) * SIDE); \
    }
#define END(t, r, q) \
    if (INSIDE(r, q)) _tile_stored(t, AT(c, r, q), sizeof(float) * stride); \
    else { \
        _tile_stored(t, edge, sizeof(float) * SIDE); \
        copy(edge, SIDE, AT(c, r, q), stride, m - SIDE * r, n - SIDE * q); \
    }
/* Up to 2 x 2 tiles of c, [m][n] of it: tiles 0 to 3; 4 and 5 are of the left factor, 6 and 7 of the right one. */
INLINE void tile_block(const uint16_t *a, const uint16_t *b, int depth, const float *add, float *c, int stride, int m, int n) {
    const int high = m > SIDE, wide = n > SIDE;
    const size_t next = (size_t)TILE * depth; /* from a tile to the one below it of the left factor, beside it of the right one */
    float edge[SIDE * SIDE] __attribute__((aligned(64))) = {0};
    BEGIN(0, 0, 0)
    if (wide) { BEGIN(1, 0, 1) }
    if (high) { BEGIN(2, 1, 0) }
    if (wide && high) { BEGIN(3, 1, 1) }
    for (int i = 0; i < depth; i++, a += TILE, b += TILE) {
        _tile_loadd(6, b, 64);
        if (wide) _tile_loadd(7, b + next, 64);
        _tile_loadd(4, a, 64);
        if (high) _tile_loadd(5, a + next, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (wide) _tile_dpbf16ps(1, 4, 7);
        if (high) _tile_dpbf16ps(2, 5, 6);
        if (wide && high) _tile_dpbf16ps(3, 5, 7);
    }
    END(0, 0, 0)
    if (wide) { END(1, 0, 1) }
    if (high) { END(2, 1, 0) }
    if (wide && high) { END(3, 1, 1) }
}
#else
#define SOME_ROWS 8
/* The same by vectors, some rows at a time: 8 x 2 sums, to which each pair of a row of the left factor and of a column of
 * the right one is added. */
INLINE void pair_block(const uint16_t *a, const uint16_t *b, int depth, const float *add, float *c, int stride, int rows, int n) {
    const size_t next = n > SIDE ? (size_t)TILE * depth : 0; /* without tiles beside, the same once more, not stored */
    __m512 sums[SOME_ROWS][2];
#pragma GCC unroll 8
    for (int r = 0; r < SOME_ROWS; r++)
        for (int q = 0; q < 2; q++)
            sums[r][q] = add && r < rows ? load(add + (size_t)r * stride + SIDE * q, n - SIDE * q) : _mm512_setzero_ps();
    for (int i = 0; i < depth; i++, a += TILE, b += TILE) {
        for (int pair = 0; pair < SIDE; pair++) {
            const __m512bh right[2] = {(__m512bh)_mm512_load_si512(b + DEPTH * pair), (__m512bh)_mm512_load_si512(b + next + DEPTH * pair)};
#pragma GCC unroll 8
            for (int r = 0; r < SOME_ROWS; r++) {
                int both;
                memcpy(&both, a + DEPTH * r + 2 * pair, sizeof both);
                const __m512bh of_row = (__m512bh)_mm512_set1_epi32(both);
                sums[r][0] = _mm512_dpbf16_ps(sums[r][0], of_row, right[0]);
                sums[r][1] = _mm512_dpbf16_ps(sums[r][1], of_row, right[1]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < SOME_ROWS; r++)
        for (int q = 0; q < 2 && r < rows; q++) _mm512_mask_storeu_ps(c + (size_t)r * stride + SIDE * q, lanes(n - SIDE * q), sums[r][q]);
}
INLINE void tile_block(const uint16_t *a, const uint16_t *b, int depth, const float *add, float *c, int stride, int m, int n) {
    for (int r = 0; r < m && r < 2 * SIDE; r += SOME_ROWS) {
        const uint16_t *some = a + (size_t)(r / SIDE) * TILE * depth + DEPTH * (r % SIDE);
        pair_block(some, b, depth, add ? add + (size_t)r * stride : 0, c + (size_t)r * stride, stride, m - r, n);
    }
}
#endif
/* c [m][n] = left [m][k] x right [k][n], packed, plus add [m][n] (or nothing). */
static void multiply_packed(const uint16_t *left, const uint16_t *right, const float *add, float *c, int m, int k, int n) {
    const int depth = CEIL(k, DEPTH);
#ifdef HAS_AMX
    struct { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) shape.bytes[i] = 2 * DEPTH, shape.rows[i] = SIDE;
    _tile_loadconfig(&shape);
#endif
    for (int i = 0; i < m; i += 2 * SIDE, left += (size_t)2 * TILE * depth)
        for (int j = 0; j < n; j += 2 * SIDE) {
            size_t at = (size_t)i * n + j;
            tile_block(left, right + (size_t)TILE * depth * (j / SIDE), depth, add ? add + at : 0, c + at, n, m - i, n - j);
        }
#ifdef HAS_AMX
    _tile_release();
#endif
}
#endif
#endif
