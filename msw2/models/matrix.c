#include "matrix.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROWS (WIDTH == 16 ? 8 : 4)
#define PANEL (2 * WIDTH)
#define BLOCK 64

static int in_use; /* products of bfloat16 for one of float32: 0, 1 or 3 */

/* ---- By vectors ---- */

/* Packs b to [panel][k][PANEL]; the last panel is filled up with zeros. */
static void pack_panels(const float *b, int k, int n, int transposed, float *out) {
    for (int p = 0; p < n; p += PANEL, out += (size_t)k * PANEL) {
        int valid = n - p < PANEL ? n - p : PANEL;
        if (valid < PANEL) memset(out, 0, sizeof(float) * k * PANEL);
        if (transposed)
            for (int from = 0; from < k; from += BLOCK) { /* of rows that stay in the cache until all are full */
                int to = k - from < BLOCK ? k : from + BLOCK;
                for (int j = 0; j < valid; j++)
                    for (int i = from; i < to; i++) out[(size_t)i * PANEL + j] = b[(size_t)(p + j) * k + i];
            }
        else
            for (int i = 0; i < k; i++) memcpy(out + (size_t)i * PANEL, b + (size_t)i * n + p, sizeof(float) * valid);
    }
}
/* acc += a [rows][k] x one panel. All loops over rows are unrolled, so that acc stays in registers. */
INLINE void panel_block(int rows, const float *a, int k, const float *b, vec acc[][2]) {
    for (int i = 0; i < k; i++, b += PANEL) {
        vec b0 = LOAD(b), b1 = LOAD(b + WIDTH);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            float s = a[(size_t)r * k + i];
            acc[r][0] += s * b0;
            acc[r][1] += s * b1;
        }
    }
}
/* Some rows of c, [rows][valid] of them, from a panel. */
INLINE void panel_rows(int rows, const float *a, int k, const float *b, const float *add, float *c, int n, int valid) {
    vec acc[ROWS][2];
    float edge[PANEL];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) acc[r][0] = acc[r][1] = (vec){0};
    panel_block(rows, a, k, b, acc);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        if (valid == PANEL) {
            if (add) { acc[r][0] += LOAD(add + (size_t)r * n); acc[r][1] += LOAD(add + (size_t)r * n + WIDTH); }
            STORE(c + (size_t)r * n, acc[r][0]);
            STORE(c + (size_t)r * n + WIDTH, acc[r][1]);
        } else {
            STORE(edge, acc[r][0]); STORE(edge + WIDTH, acc[r][1]);
            for (int j = 0; j < valid; j++) c[(size_t)r * n + j] = edge[j] + (add ? add[(size_t)r * n + j] : 0.0f);
        }
    }
}
static void multiply_panels(const factor *f, const float *a, const float *add, float *c, int m) {
    const float *packed = f->packed;
    int k = f->k, n = f->n;
    for (int p = 0; p < n; p += PANEL, packed += (size_t)k * PANEL) {
        int valid = n - p < PANEL ? n - p : PANEL, i = 0;
        for (; i + ROWS <= m; i += ROWS)
            panel_rows(ROWS, a + (size_t)i * k, k, packed, add ? add + (size_t)i * n + p : 0, c + (size_t)i * n + p, n, valid);
        for (; i < m; i++)
            panel_rows(1, a + (size_t)i * k, k, packed, add ? add + (size_t)i * n + p : 0, c + (size_t)i * n + p, n, valid);
    }
}

/* ---- By tiles ----
 *
 * A number x is h + l + e: h is x in bfloat16, l is x - h in bfloat16, |l| <= 2^-8 |x|, |e| <= 2^-17 |x|. Of a product
 * of two numbers the tiles add up h h' + h l' + l h' in float32; what is left out, above all l l', is at most 2^-15 of
 * it, and 2^-19 or so on average in sums. (Henry, Tang and Heinecke 2019, "Leveraging the bfloat16 Artificial
 * Intelligence Datatype For Higher-Precision Computations".) Or they add up h h' alone, right to 2^-7: numbers have
 * one part then, not two.
 *
 * A tile is 16 rows of 64 bytes: of the left factor 16 rows x 32 bfloat16, of the right one 32 rows x 16, rows in
 * pairs, of the result 16 rows x 16 float32.
 */
#if defined __AMX_BF16__ && defined __AVX512BF16__ && defined __linux__
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIDE 16
#define DEPTH 32
#define TILE (SIDE * DEPTH) /* numbers; high parts stand before low parts */
#define CEIL(x, y) (((x) + (y) - 1) / (y))

static int request_tiles(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
}
static size_t tiles_size(int k, int n, int parts) { return sizeof(uint16_t) * parts * TILE * CEIL(k, DEPTH) * CEIL(n, SIDE); }

/* The first so many of 16 floats, the others zero. */
INLINE __m512 load(const float *p, int valid) {
    return valid >= SIDE ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps((1u << (valid > 0 ? valid : 0)) - 1, p);
}
INLINE __m512 widen(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }
/* The high and the low parts of x0, then of x1. */
INLINE void split(__m512 x0, __m512 x1, __m512i *high, __m512i *low) {
    *high = (__m512i)_mm512_cvtne2ps_pbh(x1, x0);
    x0 -= widen(_mm512_castsi512_si256(*high));
    x1 -= widen(_mm512_extracti64x4_epi64(*high, 1));
    *low = (__m512i)_mm512_cvtne2ps_pbh(x1, x0);
}
/* 16 rows of x, [rows][columns] from a stride to the next, from one column on: rows of a tile. */
INLINE void pack_along(const float *x, int stride, int rows, int columns, int parts, uint16_t *tile) {
    for (int r = 0; r < SIDE; r++, x += stride, tile += DEPTH) {
        __m512i high = _mm512_setzero_si512(), low = high;
        if (r < rows) split(load(x, columns), load(columns > SIDE ? x + SIDE : x, columns - SIDE), &high, &low);
        _mm512_store_si512(tile, high);
        if (parts > 1) _mm512_store_si512(tile + TILE, low);
    }
}
/* 32 rows of x: in pairs, [row / 2][column][row % 2]. */
INLINE void pack_pairs(const float *x, int stride, int rows, int columns, int parts, uint16_t *tile) {
    const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (int r = 0; r < DEPTH; r += 2, x += 2 * (size_t)stride, tile += DEPTH) {
        __m512i high = _mm512_setzero_si512(), low = high;
        if (r < rows) split(load(x, columns), load(r + 1 < rows ? x + stride : x, r + 1 < rows ? columns : 0), &high, &low);
        _mm512_store_si512(tile, _mm512_permutexvar_epi16(pairs, high));
        if (parts > 1) _mm512_store_si512(tile + TILE, _mm512_permutexvar_epi16(pairs, low));
    }
}
/* A tile of pairs, seen as 16 x 16 of them, transposed: rows of a left factor are columns of a right one. Blocks of 1,
 * 2, 4 and 8 pairs trade places across the diagonal. */
static void transpose_pairs(uint16_t *tile) {
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
INLINE void pack_parts(const float *x, int stride, int k, int n, int transposed, int left, int parts, uint16_t *out) {
    const int depth = CEIL(k, DEPTH), tiles = depth * CEIL(n, SIDE);
    for (int at = 0; at < tiles; at++) { /* along the rows that are stored */
        int i = transposed ? at % depth : at / CEIL(n, SIDE), j = transposed ? at / depth : at % CEIL(n, SIDE);
        uint16_t *tile = out + (size_t)parts * TILE * (j * depth + i);
        i *= DEPTH, j *= SIDE;
        if (transposed) pack_along(x + (size_t)j * stride + i, stride, n - j, k - i, parts, tile);
        else pack_pairs(x + (size_t)i * stride + j, stride, k - i, n - j, parts, tile);
        for (int part = 0; part < parts && transposed != left; part++) transpose_pairs(tile + part * TILE);
    }
}
static void pack_tiles(const float *x, int stride, int k, int n, int transposed, int left, int parts, uint16_t *out) {
    if (parts > 1) pack_parts(x, stride, k, n, transposed, left, 2, out); /* once compiled without low parts */
    else pack_parts(x, stride, k, n, transposed, left, 1, out);
}
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
#define MULTIPLY \
    _tile_dpbf16ps(0, 4, 6); \
    if (wide) _tile_dpbf16ps(1, 4, 7); \
    if (high) _tile_dpbf16ps(2, 5, 6); \
    if (wide && high) _tile_dpbf16ps(3, 5, 7);
/* Up to 2 x 2 tiles of c, [m][n] of it: tiles 0 to 3; 4 and 5 are of the left factor, 6 and 7 of the right one. */
static void tile_block(const uint16_t *a, const uint16_t *b, int depth, int parts, const float *add, float *c, int stride, int m, int n) {
    const int high = m > SIDE, wide = n > SIDE, step = parts * TILE;
    const size_t next = (size_t)step * depth; /* the tiles beside or below */
    float edge[SIDE * SIDE] __attribute__((aligned(64))) = {0};
    BEGIN(0, 0, 0)
    if (wide) { BEGIN(1, 0, 1) }
    if (high) { BEGIN(2, 1, 0) }
    if (wide && high) { BEGIN(3, 1, 1) }
    for (int i = 0; i < depth; i++, a += step, b += step) {
        _tile_loadd(6, b, 64);
        if (wide) _tile_loadd(7, b + next, 64);
        if (parts > 1) {
            _tile_loadd(4, a + TILE, 64);
            if (high) _tile_loadd(5, a + next + TILE, 64);
            MULTIPLY
        }
        _tile_loadd(4, a, 64);
        if (high) _tile_loadd(5, a + next, 64);
        MULTIPLY
        if (parts > 1) {
            _tile_loadd(6, b + TILE, 64);
            if (wide) _tile_loadd(7, b + next + TILE, 64);
            MULTIPLY
        }
    }
    END(0, 0, 0)
    if (wide) { END(1, 0, 1) }
    if (high) { END(2, 1, 0) }
    if (wide && high) { END(3, 1, 1) }
}
static void multiply_tiles(const factor *f, const float *a, int stride, int transposed, const float *add, float *c, int m) {
    int k = f->k, n = f->n, depth = CEIL(k, DEPTH);
    const size_t line = (size_t)f->parts * TILE * depth; /* a row or a column of tiles */
    const uint16_t *packed = f->packed, *rows = f->rows;
    struct { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) shape.bytes[i] = 64, shape.rows[i] = SIDE;
    pack_tiles(a, stride, k, m, !transposed, 1, f->parts, f->rows);
    _tile_loadconfig(&shape);
    for (int j = 0; j < n; j += 2 * SIDE)
        for (int i = 0; i < m; i += 2 * SIDE) {
            size_t at = (size_t)i * n + j;
            tile_block(rows + line * (i / SIDE), packed + line * (j / SIDE), depth, f->parts, add ? add + at : 0, c + at, n, m - i, n - j);
        }
    _tile_release();
}
#else
static int request_tiles(void) { return 0; }
static size_t tiles_size(int k, int n, int parts) { return 0; }
static void pack_tiles(const float *x, int stride, int k, int n, int transposed, int left, int parts, uint16_t *out) {}
static void multiply_tiles(const factor *f, const float *a, int stride, int transposed, const float *add, float *c, int m) {}
#endif

/* ---- Either ---- */

/* Of how many products of bfloat16, in tiles, those of float32 are made that are packed from now on: 1 or 3, or 0 for
 * none. Returns how many it will be: none where there are no tiles. */
int use_tiles(int products) { return in_use = products && request_tiles() ? products : 0; }
int tiles_in_use(void) { return in_use; }

int factor_pack(factor *f, const float *b, int k, int n, int transposed, int rows) {
    int parts = in_use == 3 ? 2 : in_use;
    size_t size = sizeof(float) * PANEL * k * ((n + PANEL - 1) / PANEL);
    *f = (factor){.k = k, .n = n, .parts = parts};
    f->packed = aligned_alloc(64, 64 + (parts ? tiles_size(k, n, parts) : size)); /* never nothing */
    if (parts) f->rows = aligned_alloc(64, 64 + tiles_size(k, rows, parts));
    if (!f->packed || (parts && !f->rows)) { factor_free(f); return 1; }
    if (parts) pack_tiles(b, transposed ? k : n, k, n, transposed, 0, parts, f->packed);
    else pack_panels(b, k, n, transposed, f->packed);
    return 0;
}
void factor_free(factor *f) { free(f->packed); free(f->rows); }
void factor_multiply(const factor *f, const float *a, const float *add, float *c, int m) {
    if (f->parts) multiply_tiles(f, a, f->k, 0, add, c, m);
    else multiply_panels(f, a, add, c, m);
}
/* c [m][n] = a [m][k] x b [k][n], in tiles; stored are a and b, or their transposes. Only some rows of c, from first on:
 * threads may share them. Returns 0, or 1 if there was no memory. */
int product(const float *a, const float *b, float *c, int first, int rows, int m, int k, int n, int a_transposed, int b_transposed) {
    factor packed;
    if (factor_pack(&packed, b, k, n, b_transposed, rows)) return 1;
    c += (size_t)first * n;
    if (a_transposed) multiply_tiles(&packed, a + first, m, 1, 0, c, rows);
    else multiply_tiles(&packed, a + (size_t)first * k, k, 0, 0, c, rows);
    factor_free(&packed);
    return 0;
}
