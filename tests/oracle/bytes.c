#include "tests/oracle/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t *bytes_grow(struct bytes *bytes, size_t more)
{
    size_t room = bytes->room == 0 ? 4096 : bytes->room;

    while (room - bytes->length < more)
        room *= 2;
    if (room != bytes->room) {
        uint8_t *data = realloc(bytes->data, room);

        if (data == NULL) {
            (void)fputs("oracle: out of memory\n", stderr);
            abort();
        }
        bytes->data = data;
        bytes->room = room;
    }
    return bytes->data + bytes->length;
}

void bytes_append(struct bytes *bytes, const void *from, size_t length)
{
    if (length == 0)
        return;
    memcpy(bytes_grow(bytes, length), from, length);
    bytes->length += length;
}

void bytes_byte(struct bytes *bytes, uint8_t byte)
{
    *bytes_grow(bytes, 1) = byte;
    bytes->length++;
}

void bytes_text(struct bytes *bytes, const char *text)
{
    bytes_append(bytes, text, strlen(text));
}

void bytes_format(struct bytes *bytes, const char *format, ...)
{
    va_list arguments;
    char text[1024];
    int length;

    va_start(arguments, format);
    // The analyzer loses va_start() here. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized)
    length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0)
        bytes_append(bytes, text,
                     (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void bytes_splice(struct bytes *bytes, size_t offset, size_t cut, const void *from, size_t length)
{
    if (offset > bytes->length)
        offset = bytes->length;
    if (cut > bytes->length - offset)
        cut = bytes->length - offset;
    (void)bytes_grow(bytes, length);
    memmove(bytes->data + offset + length, bytes->data + offset + cut,
            bytes->length - offset - cut);
    if (length > 0)
        memcpy(bytes->data + offset, from, length);
    bytes->length = bytes->length - cut + length;
}

void bytes_set(struct bytes *bytes, const void *from, size_t length)
{
    bytes->length = 0;
    bytes_append(bytes, from, length);
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

size_t bytes_find(const struct bytes *bytes, size_t from, const void *part, size_t length)
{
    const uint8_t *found;

    if (from > bytes->length || bytes->length - from < length)
        return SIZE_MAX;
    if (length == 0)
        return from;
    found = memmem(bytes->data + from, bytes->length - from, part, length);
    return found == NULL ? SIZE_MAX : (size_t)(found - bytes->data);
}

int bytes_save(const struct bytes *bytes, const char *path)
{
    FILE *file = fopen(path, "wb");
    int saved;

    if (file == NULL)
        return 0;
    saved = bytes->length == 0 || fwrite(bytes->data, 1, bytes->length, file) == bytes->length;
    return fclose(file) == 0 && saved;
}
