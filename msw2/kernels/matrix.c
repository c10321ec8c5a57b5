#include "matrix.h"
#include "tiles.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROWS (WIDTH == 16 ? 8 : 4)
#define PANEL (2 * WIDTH)
#define BLOCK 64

/* ---- In float32 ---- */

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

/* ---- In bfloat16 ---- */

#ifdef HAS_TILES
EXPORT int has_bfloat16(void) { return 1; }
static void multiply_tiles(const factor *f, const float *a, int stride, int transposed, const float *add, float *c, int m) {
    pack_tiles(a, stride, f->k, m, !transposed, 1, f->rows);
    multiply_packed(f->rows, f->packed, add, c, m, f->k, f->n);
}
/* c [m][n] = a [m][k] x b [k][n] in bfloat16. Stored are a and b, or their transposes. It makes only some rows of c, from
 * first on: threads may share them. Returns 0, or 1 if there was no memory. */
EXPORT int product(const float *a, const float *b, float *c, int first, int rows, int m, int k, int n, int a_transposed, int b_transposed) {
    factor packed;
    if (factor_pack(&packed, b, k, n, b_transposed, rows, 1)) return 1;
    c += (size_t)first * n;
    if (a_transposed) multiply_tiles(&packed, a + first, m, 1, 0, c, rows);
    else multiply_tiles(&packed, a + (size_t)first * k, k, 0, 0, c, rows);
    factor_free(&packed);
    return 0;
}
#else
EXPORT int has_bfloat16(void) { return 0; }
#endif

/* ---- Either ---- */

int factor_pack(factor *f, const float *b, int k, int n, int transposed, int rows, int bfloat16) {
    size_t size = sizeof(float) * PANEL * k * ((n + PANEL - 1) / PANEL), room = 0;
#ifdef HAS_TILES
    if (bfloat16) size = tiles_size(k, n), room = 64 + tiles_size(k, rows); /* never nothing */
#else
    (void)rows, (void)bfloat16;
#endif
    *f = (factor){.k = k, .n = n};
    f->packed = aligned_alloc(64, 64 + (size + 63) / 64 * 64); /* never nothing */
    if (room) f->rows = aligned_alloc(64, room);
    if (!f->packed || (room && !f->rows)) { factor_free(f); return 1; }
#ifdef HAS_TILES
    if (room) { pack_tiles(b, transposed ? k : n, k, n, transposed, 0, f->packed); return 0; }
#endif
    pack_panels(b, k, n, transposed, f->packed);
    return 0;
}
void factor_free(factor *f) { free(f->packed); free(f->rows); }
void factor_multiply(const factor *f, const float *a, const float *add, float *c, int m) {
#ifdef HAS_TILES
    if (f->rows) { multiply_tiles(f, a, f->k, 0, add, c, m); return; }
#endif
    multiply_panels(f, a, add, c, m);
}
