#include "signatures/scanner/memory.h"

#include <malloc.h>

#define MEMORY_KEPT_BYTES (32 * 1024 * 1024) /* glibc's ceiling for M_MMAP_THRESHOLD */
#define MEMORY_PAD_BYTES  (1024 * 1024)

void memory_tune(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MEMORY_KEPT_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT_BYTES);
    (void)mallopt(M_TOP_PAD, MEMORY_PAD_BYTES);
}
