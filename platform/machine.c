#include "platform/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE_PATH_BYTES 4096u
#define MACHINE_HUGEPAGES  "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

static FILE *machine_open(const char *root, const char *path)
{
    char whole[MACHINE_PATH_BYTES];
    int length = snprintf(whole, sizeof(whole), "%s%s", root, path);

    return length > 0 && (size_t)length < sizeof(whole) ? fopen(whole, "re") : NULL;
}

/* The number a file consists of; `otherwise` where there is no such file, or another word. */
static uint64_t machine_number(const char *root, const char *path, uint64_t otherwise)
{
    FILE *file = machine_open(root, path);
    char text[64] = "";
    char *end = text;
    uint64_t number = 0;

    if (file == NULL)
        return otherwise;
    if (fgets(text, sizeof(text), file) != NULL)
        number = strtoull(text, &end, 10);
    (void)fclose(file);
    return end != text ? number : otherwise;
}

/* False when the kernel does not say it. */
static bool machine_total(const char *root, uint64_t *bytes)
{
    FILE *file = machine_open(root, "/proc/meminfo");
    char line[256];
    uint64_t total = 0;
    uint64_t set_aside = 0;

    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "MemTotal:", 9) == 0)
            total = strtoull(line + 9, NULL, 10) << 10;
        else if (strncmp(line, "Hugetlb:", 8) == 0)
            set_aside = strtoull(line + 8, NULL, 10) << 10;
    }
    (void)fclose(file);
    if (total == 0 || set_aside > total)
        return false;
    *bytes = total - set_aside;
    return true;
}

/* Our group in the one tree of version 2; empty where there is none. */
static void machine_group(const char *root, char group[MACHINE_PATH_BYTES])
{
    FILE *file = machine_open(root, "/proc/self/cgroup");
    char line[MACHINE_PATH_BYTES];

    group[0] = '\0';
    if (file == NULL)
        return;
    while (group[0] == '\0' && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "0::/", 4) == 0)
            (void)snprintf(group, MACHINE_PATH_BYTES, "%.*s", (int)strcspn(line + 3, "\n"),
                           line + 3);
    }
    (void)fclose(file);
}

/* A group may have no more than those around it. The outermost may have a limit, too: inside a
 * container it is not the machine's. */
static uint64_t machine_limit(const char *root)
{
    char group[MACHINE_PATH_BYTES];
    uint64_t least = MACHINE_NO_LIMIT;

    machine_group(root, group);
    for (char *last = strrchr(group, '/'); last != NULL; last = strrchr(group, '/')) {
        char path[MACHINE_PATH_BYTES + 32];
        uint64_t limit;

        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max",
                       strcmp(group, "/") == 0 ? "" : group);
        limit = machine_number(root, path, MACHINE_NO_LIMIT);
        least = limit < least ? limit : least;
        if (last == group && last[1] == '\0')
            *last = '\0';
        else
            last[last == group] = '\0'; /* of the first name the slash stays */
    }
    return least;
}

enum status machine_memory_read(struct machine_memory *memory, const char *root)
{
    *memory = (struct machine_memory){
        .bytes = MACHINE_NO_LIMIT,
        .limit_bytes = machine_limit(root),
        .hugepages_free = machine_number(root, MACHINE_HUGEPAGES, 0),
    };
    return machine_total(root, &memory->bytes) ? STATUS_OK : STATUS_NOT_FOUND;
}
