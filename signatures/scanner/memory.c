#include "signatures/scanner/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define MEMORY_KEPT_BYTES (32 * 1024 * 1024) /* glibc's ceiling for M_MMAP_THRESHOLD */
#define MEMORY_PAD_BYTES  (1024 * 1024)
#define MEMORY_LARGE_PAGE (UINT64_C(2) * 1024 * 1024)
#define MEMORY_COLLAPSE   25 /* MADV_COLLAPSE, which Debian 12's headers lack */

void memory_tune(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MEMORY_KEPT_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT_BYTES);
    (void)mallopt(M_TOP_PAD, MEMORY_PAD_BYTES);
}

/* The whole large pages in [from, to); how many could be moved. */
static unsigned memory_collapse(uint64_t from, uint64_t to)
{
    unsigned moved = 0;

    from = (from + MEMORY_LARGE_PAGE - 1) / MEMORY_LARGE_PAGE * MEMORY_LARGE_PAGE;
    for (; from < to && to - from >= MEMORY_LARGE_PAGE; from += MEMORY_LARGE_PAGE)
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address of our own, as text */
        moved += madvise((void *)(uintptr_t)from, MEMORY_LARGE_PAGE, MEMORY_COLLAPSE) == 0;
    return moved;
}

unsigned memory_settle(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned moved = 0;

    if (maps == NULL)
        return 0;
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long long from;
        unsigned long long to;
        unsigned long inode;
        char access[8];

        if (sscanf(line, "%llx-%llx %7s %*x %*s %lu", &from, &to, access, &inode) == 4 &&
            inode == 0 && access[0] == 'r' && access[1] == 'w' && access[3] == 'p')
            moved += memory_collapse(from, to);
    }
    (void)fclose(maps);
    return moved * (unsigned)(MEMORY_LARGE_PAGE / 1048576);
}
