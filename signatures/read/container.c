/* Containers (.cvd .cld .cud): a header of 512 bytes, then a tar archive, mostly compressed.
 *
 * The archive is read as libclamav reads it: plain files only, names of up to 100 characters, the
 * end at a block that starts with NUL or at the end of the data. Its digital signature is not
 * looked at: that is the scanner's business, who loads the same file.
 */
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "signatures/read/read.h"

#define CONTAINER_HEADER_BYTES 512u
#define CONTAINER_BLOCK_BYTES  512u
#define CONTAINER_NAME_BYTES   100u
#define CONTAINER_MAGIC        "ClamAV-VDB:"

struct container {
    struct reader *reader;
    gzFile file;   /* reads plain data as it is */
    uint64_t left; /* of the member */
    bool cut;      /* the data ended inside a member */
};

static enum status container_bad(struct reader *reader, const char *what)
{
    return read_fail(reader, STATUS_BAD_FORMAT, "%s: %s", reader->path, what);
}

static ssize_t container_take(void *context, uint8_t *buffer, size_t size)
{
    struct container *container = context;
    int taken;

    if (size > container->left)
        size = (size_t)container->left;
    if (size == 0)
        return 0;
    taken = gzread(container->file, buffer, (unsigned)size);
    if (taken <= 0) {
        container->cut = true;
        return -1;
    }
    container->left -= (uint64_t)taken;
    return taken;
}

/* The size of a member: octal digits, with spaces around. */
static bool container_size(const uint8_t *field, uint64_t *size)
{
    unsigned at = 0;
    unsigned digits = 0;

    *size = 0;
    while (at < 12 && field[at] == ' ')
        at++;
    for (; at < 12 && field[at] >= '0' && field[at] <= '7'; at++, digits++)
        *size = *size * 8 + (uint64_t)(field[at] - '0');
    return digits > 0 && *size <= UINT32_MAX && (at == 12 || field[at] == ' ' || field[at] == '\0');
}

static enum status container_skip(struct container *container, uint64_t bytes)
{
    container->left = bytes;
    while (container->left > 0)
        if (container_take(container, container->reader->buffer,
                           sizeof(container->reader->buffer)) < 0)
            break;
    return STATUS_OK;
}

static enum status container_member(struct container *container, const char *name, uint64_t size)
{
    struct reader *reader = container->reader;
    struct read_input input = {.take = container_take, .context = container};
    uint64_t padding =
        (CONTAINER_BLOCK_BYTES - size % CONTAINER_BLOCK_BYTES) % CONTAINER_BLOCK_BYTES;
    enum status status = STATUS_OK;

    reader->unpacked += size;
    if (reader->unpacked > SOURCE_UNPACKED_MAX)
        return container_bad(reader, "too large when unpacked");
    container->left = size;
    if (reader->loads(name))
        status = reader->content(reader, &input, name);
    if (status == STATUS_OK)
        status = container_skip(container, container->left + padding);
    return container->cut ? container_bad(reader, "ends in the middle of a file") : status;
}

static enum status container_members(struct container *container)
{
    struct reader *reader = container->reader;

    for (;;) {
        uint8_t block[CONTAINER_BLOCK_BYTES];
        char name[CONTAINER_NAME_BYTES + 1] = "";
        int taken = gzread(container->file, block, sizeof(block));
        uint64_t size;
        enum status status;

        int error;

        (void)gzerror(container->file, &error);
        if (taken == (int)sizeof(block) ? block[0] == '\0' : taken == 0 && error >= Z_OK)
            return STATUS_OK;
        if (taken != (int)sizeof(block))
            return container_bad(reader, "cannot be unpacked");
        memcpy(name, block, CONTAINER_NAME_BYTES);
        if (strchr(name, '/') != NULL || (block[156] != '0' && block[156] != '\0') ||
            !container_size(block + 124, &size))
            return container_bad(reader, "not an archive of plain files");
        status = container_member(container, name, size);
        if (status != STATUS_OK)
            return status;
    }
}

enum status read_container(struct reader *reader)
{
    struct container container = {.reader = reader};
    const char *name = reader->file;
    char header[CONTAINER_HEADER_BYTES];
    int copy;
    enum status status;

    if (reader->inside_container)
        return container_bad(reader, "container inside a container");
    if (pread(reader->descriptor, header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        memcmp(header, CONTAINER_MAGIC, strlen(CONTAINER_MAGIC)) != 0)
        return container_bad(reader, "not a signature container");
    if (lseek(reader->descriptor, CONTAINER_HEADER_BYTES, SEEK_SET) < 0)
        return STATUS_SYSTEM;
    copy = dup(reader->descriptor);
    container.file = copy >= 0 ? gzdopen(copy, "rb") : NULL;
    if (container.file == NULL) {
        if (copy >= 0)
            (void)close(copy);
        return STATUS_SYSTEM;
    }
    (void)gzbuffer(container.file, 1u << 17);
    reader->inside_container = true;
    status = container_members(&container);
    reader->inside_container = false;
    reader->file = name;
    (void)gzclose_r(container.file);
    return status;
}
