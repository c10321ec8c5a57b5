/* Which variants of this package the CPU and the operating system run. Only the generic variant contains this file. */
#include "matrix.h"

#if defined __x86_64__
#include <cpuid.h>
#if defined __linux__
#include <sys/syscall.h>
#include <unistd.h>
/* Linux gives a process the AMX registers on request. The request fails where the CPU or the kernel has none. */
static int request_amx(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
}
#else
static int request_amx(void) { return 0; }
#endif

/* The best variant: 0 generic, 1 avx2, 2 avx512, 3 avx512bf16, 4 amx. Every CPU that runs one also runs those before it.
 * __builtin_cpu_supports also asks whether the system saves the registers. Old compilers do not know it for the names of
 * bfloat16 and AMX, so these bits are read here. */
EXPORT int best_variant(void) {
    unsigned a, b, c, d;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) return 1;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return 2; /* AVX512_BF16 */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 3; /* AMX-BF16, AMX-TILE */
    return request_amx() ? 4 : 3;
}
#else
EXPORT int best_variant(void) { return 0; }
#endif
