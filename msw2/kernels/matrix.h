/* Products by a matrix that is packed once and multiplied often.
 *
 * Products are float32. On request they are bfloat16, where the CPU multiplies bfloat16: see tiles.h. GCC's vector
 * extensions: four lanes, eight with AVX, sixteen with AVX-512.
 */
#ifndef MATRIX_H
#define MATRIX_H
#include <stdint.h>

#if defined __AVX512F__
#define WIDTH 16
#elif defined __AVX__
#define WIDTH 8
#else
#define WIDTH 4
#endif
typedef float vec __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
#define LOAD(p) (*(const vec *)(p))
#define STORE(p, v) (*(vec *)(p) = (v))
#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

typedef struct {
    int k, n;
    void *packed; /* the matrix */
    void *rows;   /* room for what is multiplied by it in bfloat16; null: products are float32 */
} factor;

/* Packs b [k][n], to be multiplied by at most so many rows from the left. Stored is b, or b transposed. Returns 0, or
 * 1 if there is no memory. */
int factor_pack(factor *f, const float *b, int k, int n, int transposed, int rows, int bfloat16);
void factor_free(factor *f);
/* c [m][n] = a [m][k] x what was packed, plus add [m][n] (or nothing). */
void factor_multiply(const factor *f, const float *a, const float *add, float *c, int m);
#endif
