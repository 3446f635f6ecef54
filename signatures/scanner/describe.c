#include "signatures/scanner/describe.h"

#include <clamav.h>
#include <ctype.h>
#include <link.h>
#include <string.h>

struct describe_search {
    const void *inside; /* an address in the library */
    struct describe_range ranges[DESCRIBE_RANGES];
    unsigned range_count;
};

static bool describe_type_name(const char *text, size_t length)
{
    static const char prefix[] = "CL_TYPE_";

    if (length <= sizeof(prefix) - 1 || memcmp(text, prefix, sizeof(prefix) - 1) != 0)
        return false;
    for (size_t i = sizeof(prefix) - 1; i < length; i++)
        if (!isupper((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

static bool describe_digits(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return true;
}

static bool describe_field(unsigned number, const char *text, size_t length)
{
    switch (number) {
    case 0:
        return length > 0 && describe_digits(text, length);
    case 1:
    case 2:
    case 3:
        return length > 0;
    case 4:
    case 5:
        return describe_type_name(text, length);
    case 6:
    case 7:
        return describe_digits(text, length);
    default:
        return false;
    }
}

/* A line of a file-type table, ended by a zero inside `room` bytes. */
static bool describe_line(const char *text, size_t room)
{
    const char *end = memchr(text, '\0', room);
    unsigned fields = 0;

    if (end == NULL)
        return false;
    for (const char *at = text; at <= end; fields++) {
        const char *stop = memchr(at, ':', (size_t)(end - at));

        if (stop == NULL)
            stop = end;
        if (!describe_field(fields, at, (size_t)(stop - at)))
            return false;
        at = stop + 1;
    }
    return fields >= 6;
}

static bool describe_points_to_line(const struct describe_range *ranges, unsigned range_count,
                                    const char *pointer)
{
    const uint8_t *at = (const uint8_t *)pointer;

    for (unsigned i = 0; i < range_count; i++)
        if (!ranges[i].writable && (uintptr_t)at >= (uintptr_t)ranges[i].begin &&
            (uintptr_t)at < (uintptr_t)ranges[i].begin + ranges[i].bytes)
            return describe_line(pointer, ranges[i].bytes - (size_t)(at - ranges[i].begin));
    return false;
}

const char *const *describe_find(const struct describe_range *ranges, unsigned range_count,
                                 unsigned *line_count)
{
    for (unsigned i = 0; i < range_count; i++) {
        uintptr_t at = ((uintptr_t)ranges[i].begin + sizeof(char *) - 1) & ~(sizeof(char *) - 1);
        uintptr_t end = (uintptr_t)ranges[i].begin + ranges[i].bytes;
        unsigned count = 0;

        for (; ranges[i].writable && at + sizeof(char *) <= end; at += sizeof(char *)) {
            const char *pointer;

            memcpy(&pointer, (const void *)at, sizeof(pointer));
            if (pointer == NULL && count >= DESCRIBE_LINES_MIN) {
                *line_count = count;
                return (const char *const *)(at - count * sizeof(char *));
            }
            count = pointer != NULL && describe_points_to_line(ranges, range_count, pointer)
                        ? count + 1
                        : 0;
        }
    }
    *line_count = 0;
    return NULL;
}

/* Notes the segments of the object that holds search->inside. */
static int describe_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct describe_search *search = context;
    bool found = false;

    (void)size;
    search->range_count = 0;
    for (unsigned i = 0; i < info->dlpi_phnum && search->range_count < DESCRIBE_RANGES; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_R) == 0)
            continue;
        search->ranges[search->range_count++] = (struct describe_range){
            .begin = (const uint8_t *)begin,
            .bytes = segment->p_memsz,
            .writable = (segment->p_flags & PF_W) != 0,
        };
        found = found || ((uintptr_t)search->inside >= begin &&
                          (uintptr_t)search->inside - begin < segment->p_memsz);
    }
    return found ? 1 : 0;
}

enum status describe_print(FILE *to)
{
    struct describe_search search = {.inside = cl_retver()};
    const char *const *lines = NULL;
    unsigned count = 0;

    if (dl_iterate_phdr(describe_object, &search) != 0)
        lines = describe_find(search.ranges, search.range_count, &count);
    if (lines == NULL)
        return STATUS_NOT_FOUND;
    if (fprintf(to, "version %s\nflevel %u\n", cl_retver(), cl_retflevel()) < 0)
        return STATUS_SYSTEM;
    for (unsigned i = 0; i < count; i++)
        if (fprintf(to, "type %s\n", lines[i]) < 0)
            return STATUS_SYSTEM;
    return fflush(to) == 0 ? STATUS_OK : STATUS_SYSTEM;
}
