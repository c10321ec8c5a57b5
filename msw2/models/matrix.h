/* Products by a matrix that is packed once and multiplied often, in float32.
 *
 * Where the CPU multiplies bfloat16 and that is wanted, a product is made of three of bfloat16, or is one: see tiles.h. GCC's vector extensions: eight lanes, or sixteen with AVX-512.
 */
#ifndef MATRIX_H
#define MATRIX_H
#include <stdint.h>

#ifdef __AVX512F__
#define WIDTH 16
#else
#define WIDTH 8
#endif
typedef float vec __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
#define LOAD(p) (*(const vec *)(p))
#define STORE(p, v) (*(vec *)(p) = (v))
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int k, n, parts; /* parts of a number in tiles; 0: by vectors */
    void *packed;    /* the matrix */
    void *rows;      /* in tiles: room for what is multiplied by it */
} factor;

/* Packs b [k][n], to be multiplied by at most so many rows from the left. Stored is b, or b transposed. Returns 0, or
 * 1 if there is no memory. */
int factor_pack(factor *f, const float *b, int k, int n, int transposed, int rows);
void factor_free(factor *f);
/* c [m][n] = a [m][k] x what was packed, plus add [m][n] (or nothing). */
void factor_multiply(const factor *f, const float *a, const float *add, float *c, int m);
#endif
